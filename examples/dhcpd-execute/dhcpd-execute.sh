#!/bin/sh
# Calls a program as dhcpd's `execute` does at `on commit`, `on release` and `on expiry`: event, address, hardware address, name.
# The parameter `args` names that program.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH

case $1 in
leases4_committed)
    # None is committed where a client has been refused, and a declined one is no client's.
    [ "$KEA_LEASES4_SIZE" -gt 0 ] && [ "$KEA_LEASES4_AT0_STATE" = default ] || exit 0
    event=commit address=$KEA_LEASES4_AT0_ADDRESS hwaddr=$KEA_LEASES4_AT0_HWADDR name=$KEA_LEASES4_AT0_HOSTNAME ;;
lease4_release) event=release address=$KEA_LEASE4_ADDRESS hwaddr=$KEA_LEASE4_HWADDR name=$KEA_LEASE4_HOSTNAME ;;
lease4_expire)
    # What was released or declined has ended before.
    [ "$KEA_LEASE4_STATE" = default ] && [ "$KEA_LEASE4_VALID_LIFETIME" != 0 ] || exit 0
    event=expiry address=$KEA_LEASE4_ADDRESS hwaddr=$KEA_LEASE4_HWADDR name=$KEA_LEASE4_HOSTNAME ;;
*) exit 0 ;;
esac

# dhcpd's binary-to-ascii(16, 8, ":", ...) writes no leading zeros: 2:0:0:0:0:1.
hwaddr=$(echo "$hwaddr" | sed 's/\b0\([0-9a-f]\)/\1/g')
exec "$2" "$event" "$address" "$hwaddr" "${name%.}"
