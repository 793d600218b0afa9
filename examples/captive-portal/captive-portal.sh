#!/bin/sh
# Puts clients that a database does not know as signed in into the class "portal".
set -u
PATH=/usr/bin:/bin    # Kea sets none

database=${2:-/var/lib/captive-portal/clients.db}    # "args" in Kea's configuration may name another

# Only what these may be made of stands in SQL. Who has no address is not looked up.
address=$KEA_QUERY4_HWADDR
case $address in
'') exit 20 ;;    # drop
*[!0-9a-f:]*) exit 1 ;;
esac

# It waits half a second for whoever writes there; "timeout" is longer. sqlite3's own exit statuses would mean something to Kea.
signed_in=$(sqlite3 -batch -readonly -cmd '.timeout 500' "$database" \
    "SELECT count(*) FROM signed_in WHERE hw_address = '$address' AND until > unixepoch()") || exit 1

[ "$signed_in" != 0 ] || exec "$KEA_RUNSCRIPT" answer client-classes=portal
