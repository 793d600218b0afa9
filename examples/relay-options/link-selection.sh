#!/bin/sh
# pkt4_receive: Kea takes the subnet of the address in sub-option 150 of option 82, by which some relays say what others
# say by sub-option 5, link selection (RFC 3527).
PATH=/usr/bin:/bin    # Kea sets none
case ${KEA_QUERY4_OPTION_82_SUB_150-} in
0x????????) address=$(echo "$KEA_QUERY4_OPTION_82_SUB_150" | sed 's/^0x//; s/../ 0x&/g') ;;
*) exit 0 ;;    # none, or not four bytes
esac
# shellcheck disable=SC2086  # four numbers
exec "$KEA_RUNSCRIPT" answer query-option-data:82.link-selection="$(printf %d.%d.%d.%d $address)"
