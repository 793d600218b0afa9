#!/bin/sh
# Reserves for each client what a database has for it: an address, a name, options.
set -u
PATH=/usr/bin:/bin    # Kea sets none

database=${2:-/var/lib/sql-reservations/hosts.db}    # "args" in Kea's configuration may name another

# What a row says in Kea's own words; json_patch leaves out what is NULL.
case $1 in
subnet4_select)
    client=$KEA_QUERY4_HWADDR
    row="json_patch('{}', json_object('ip-address', address, 'hostname', hostname, 'boot-file-name', boot_file,
                                      'option-data', json(options))) FROM hosts4 WHERE hw_address" ;;
subnet6_select)
    client=$KEA_QUERY6_DUID
    row="json_patch('{}', json_object('ip-addresses', json_array(address), 'hostname', hostname,
                                      'option-data', json(options))) FROM hosts6 WHERE duid" ;;
esac

# Only what these may be made of stands in SQL. Who has neither is not looked up.
case $client in
'') exit 0 ;;
*[!0-9a-f:]*) exit 1 ;;
esac

# What sqlite3 prints is the answer: {"keep-for":10,"reservation":null}, which takes it back, if there is no row.
# It waits half a second for whoever writes there; "timeout" is longer. Its own exit statuses would mean something to Kea.
sqlite3 -batch -readonly -cmd '.timeout 500' "$database" \
    "SELECT json_object('keep-for', 10, 'reservation', json((SELECT $row = '$client')))" || exit 1
