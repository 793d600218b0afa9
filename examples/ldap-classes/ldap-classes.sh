#!/bin/sh
# Gives each client the class and the boot file that its entry in an LDAP directory names.
set -u
PATH=/usr/bin:/bin    # Kea sets none

# "args" in Kea's configuration: the server, and below what the entries are.
server=$2 base=$3

# Only what these may be made of stands in the filter, nothing that would have to be escaped. Who has none is not looked up.
address=$KEA_QUERY4_HWADDR
case $address in
'') exit 0 ;;
*[!0-9a-f:]*) exit 1 ;;
esac

# One entry: a second is an error (-z). One second for all of it; "timeout" in Kea's configuration is longer. -o nettimeout
# would wait for ever for a server that is connected and says nothing.
found=$(timeout 1 ldapsearch -x -LLL -o ldif-wrap=no -H "$server" -b "$base" -l 1 -z 1 \
    "(&(objectClass=ieee802Device)(macAddress=$address))" ou bootFile) || {
    echo "ldapsearch ended with $?" >&2    # 124: it was too slow
    exit 1    # Its own exit status would mean something to Kea.
}

set --
while IFS= read -r line; do
    value=${line#* }
    case $line in
    # What is not plain ASCII is in base64.
    "ou:: "* | "bootFile:: "*) value=$(printf %s "$value" | base64 -d) ;;
    esac
    case $line in
    ou:*) set -- "$@" "reservation:client-classes=$value" ;;
    bootFile:*) set -- "$@" "reservation:boot-file-name=$value" ;;
    esac
done <<END
$found
END

# Without an entry, nothing is reserved any more.
[ $# != 0 ] || set -- reservation=null
exec "$KEA_RUNSCRIPT" answer keep-for=10 "$@"
