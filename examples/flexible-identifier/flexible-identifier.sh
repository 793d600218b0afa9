#!/bin/sh
# Answers with the access line that a client is on, so that Kea finds what is reserved for the line, whatever is
# plugged in there. The relay nearest to the client names it: "ge-0/0/7:100" is line "ge-0/0/7", here in VLAN 100.
set -u
PATH=/usr/bin:/bin    # Kea sets none

named=
case $1 in
# Circuit ID (RFC 3046)
host4_identifier) named=${KEA_QUERY4_OPTION_82_SUB_1-} ;;
# Interface-Id (RFC 8415)
host6_identifier) [ "$KEA_QUERY6_RELAYS" = 0 ] || eval "named=\${KEA_QUERY6_RELAY$((KEA_QUERY6_RELAYS - 1))_OPTION_18-}" ;;
esac

# In hexadecimal digits, two a byte: colon and digits at the end go. What is empty, or is there twice, is no line's name.
line=$(printf %s "$named" | sed -n -E -e 's/3a(3[0-9])+$//' -e '/^0x[0-9a-f]+$/p')
[ -z "$line" ] || exec "$KEA_RUNSCRIPT" answer flex-id="$line"
