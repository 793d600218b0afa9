#!/bin/sh
# Keeps a kernel route for each address that Kea leases: to the interface on which its client is, or via the client's relay. The
# arguments are the relays that may be next hops.
[ "$1" = lease4_changed ] || exit 0
shift
PATH=/usr/sbin:/usr/bin:/sbin:/bin    # Nobody else sets one.
address=${KEA_LEASE4_ADDRESS-} hop=${KEA_NEXT_HOP:-none}
# Other programs' routes differ in protocol or metric. Protocol 68 marks those that a replay has yet to tell of.
route() { ip -4 route "$@"; }
mark() { from=$1 to=$2; shift 2; route show "$@" proto "$from" | sed "s/^/route replace /; s/\$/ proto $to/" | ip -4 -force -batch -; }

case $KEA_ACTION in
    replay-begin) mark 67 68 ;;
    replay-end) route flush proto 68 ;;
    del) for mark in 67 68; do route flush exact "$address" proto "$mark"; done ;;
    add | renew | reused | replay)
        case $hop${KEA_INTERFACE:+ on a link}:" $* " in
            # From before this script was there, or by a command: the route that there may be is right until the client renews.
            none:*) mark 68 67 exact "$address" && echo "no new route to $address: it is not known where its client is" >&2 ;;
            "none on a link":*) route replace "$address/32" dev "$KEA_INTERFACE" proto 67 metric 2067 ;;
            *" $hop "*) route replace "$address/32" via "$hop" dev "$KEA_INTERFACE" proto 67 metric 2067 ;;
            *) echo "no route to $address via $hop" >&2 ;;
        esac ;;
esac
