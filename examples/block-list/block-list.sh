#!/bin/sh
# Drops the packets of clients that are in a list, by hardware address or DUID, and of those that have neither.
set -u
PATH=/usr/bin:/bin    # Kea sets none

list=${2:-/etc/kea/block-list}    # "args" in Kea's configuration may name another

# Hexadecimal digits and colons. Of a DHCPv6 client Kea may not know the hardware address, but it has a DUID.
address=${KEA_QUERY4_HWADDR-${KEA_QUERY6_HWADDR-}} duid=${KEA_QUERY6_DUID-}
who=$address${address:+${duid:+|}}$duid
[ -n "$who" ] || exit 20    # nothing to look up

# One client a line, as in 02:00:5e:10:00:01, and what follows "#" is a remark. Some editors put a mark before the first.
mark=$(printf '\357\273\277')
LC_ALL=C grep -q -i -E -e "^($mark)?[[:space:]]*($who)[[:space:]]*(#|\$)" "$list"
case $? in
0) exit 20 ;;    # drop
1) ;;
*) exit 1 ;;    # the list cannot be read: on-failure
esac
