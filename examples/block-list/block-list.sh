#!/bin/sh
# Drops the packets of clients whose hardware address is in a list.
set -u
PATH=/usr/bin:/bin    # Kea sets none

list=${2:-/etc/kea/block-list}    # "args" in Kea's configuration may name another

# Hexadecimal digits and colons. Of a DHCPv6 client Kea may not know it.
address=${KEA_QUERY4_HWADDR-${KEA_QUERY6_HWADDR-}}
[ -n "$address" ] || exit 0

# One address a line, as in 02:00:5e:10:00:01, and what follows "#" is a remark.
grep -q -i -E -e "^[[:space:]]*${address}[[:space:]]*(#.*)?\$" "$list"
case $? in
0) exit 20 ;;    # drop
1) ;;
*) exit 1 ;;    # the list cannot be read: on-failure
esac
