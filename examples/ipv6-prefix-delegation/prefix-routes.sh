#!/bin/sh
# Keeps a kernel route for each prefix that Kea delegates: via its client, or via the relay that is nearest to us. Its arguments
# are the prefixes within which it makes routes, anywhere if there are none, and the relays that may be next hops.
[ "$1" = lease6_changed ] || exit 0
shift
PATH=/usr/sbin:/usr/bin:/sbin:/bin    # Nobody else sets one.
prefix=${KEA_LEASE6_DELEGATED_PREFIX-} hop=${KEA_NEXT_HOP:-nobody}
# Other programs' routes differ in protocol or metric. Protocol 68 marks those that a replay has yet to tell of.
route() { ip -6 route "$@"; }
mark() { from=$1 to=$2; shift 2; route show "$@" proto "$from" | sed "s/ expires \([0-9]*\)sec/ expires \1/; s/^/route replace /; s/\$/ proto $to/" | ip -6 -force -batch -; }

# Whether the prefix lies within one of ours: ip compares, in a table that no rule names, and that is of these prefixes alone.
is_ours() {
    case $* in */*) ;; *) return 0 ;; esac
    table=$(echo "$*" | cksum) && table=${table%% *}
    for one in "$@"; do case $one in */*) route replace unreachable "$one" table "$table" ;; esac; done
    [ -n "$(route show table "$table" match "$prefix")" ] || { echo "no route to $prefix: it is none of $*" >&2; false; }
}

case $KEA_ACTION${prefix:+ of a prefix} in
    replay-begin) mark 67 68 ;;
    replay-end) route flush proto 68 ;;
    "del of a prefix") for mark in 67 68; do route flush exact "$prefix" proto "$mark"; done ;;
    *" of a prefix")
        # From before this script was there: the route that there may be is right until the client renews.
        [ "$hop" != nobody ] || mark 68 67 exact "$prefix"
        case $hop:" $* " in fe80:* | *" $hop "*) ;; *) echo "no route to $prefix via $hop" >&2; exit ;; esac
        left=$((KEA_LEASE6_CLIENT_LAST_TRANSMISSION + KEA_LEASE6_VALID_LIFETIME - ${KEA_EVENT_TIME%.*}))
        # The kernel ends the route with the lease, should we never hear of its end.
        is_ours "$@" && route replace "$prefix" via "$hop" dev "$KEA_INTERFACE" proto 67 metric 2067 expires "$left" ;;
esac
