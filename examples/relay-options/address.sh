#!/bin/sh
# subnet4_select: the last four bytes of a hardware address that begins with 02:00 are the client's address.
# 02:00:c0:00:02:0a has 192.0.2.10.
PATH=/usr/bin:/bin    # Kea sets none
case $KEA_QUERY4_HWADDR in
02:00:??:??:??:??) address=$(echo "${KEA_QUERY4_HWADDR#02:00}" | sed 's/:/ 0x/g') ;;
*) exit 0 ;;
esac
# shellcheck disable=SC2086  # four numbers
exec "$KEA_RUNSCRIPT" answer reservation:ip-address="$(printf %d.%d.%d.%d $address)"
