#!/bin/sh
# Writes each call to a file: when, which hook point, and every variable, one a line.
set -u
PATH=/usr/bin:/bin    # Kea sets none

log=${2:-/var/log/kea/debug.log}    # "args" in Kea's configuration may name another
umask 027

# Lines of a variable after its first are indented, so that none can be taken for another entry.
variables() {
    env -0 | sort -z | sed -z -n '/^KEA_/ { s/\n/\n    /g; p }' | tr '\0' '\n'
}

{
    printf '== %s == %s\n' "$1" "$(date '+%F %T')"
    variables
    echo
} >>"$log" || exit

# What a script prints goes to Kea's log, as RUNSCRIPT_OUTPUT.
echo "the variables are in $log"
