#!/bin/sh
# Keeps a kernel route for each prefix that Kea delegates: via the client, or via the relay that is nearest to us. Its arguments
# are prefixes: routes are made within these alone, or anywhere if there are none.
set -u
PATH=/usr/sbin:/usr/bin:/sbin:/bin    # Nobody else sets one.
point=$1
shift
within=$*

# Other programs' routes differ in protocol and metric, so none of them is ever replaced or removed.
route() {
    ip -6 route "$@" proto 67 metric 2067
}

# Whether a prefix lies within one of ours: ip compares, in a table that no rule names, and that is of these prefixes alone.
may_route() {
    [ -n "$within" ] || return 0
    table=$(echo "$within" | cksum)
    table=${table%% *}
    for one in $within; do
        ip -6 route replace unreachable "$one" table "$table"
    done
    [ -n "$(ip -6 route show table "$table" match "$1")" ] || { echo "no route to $1: it is none of $within" >&2; return 1; }
}

# Prefix and valid lifetime. The kernel ends the route with the lease, should we never hear of its end.
add() {
    may_route "$1" || return
    route replace "$1" via "$KEA_QUERY6_REMOTE_ADDRESS" dev "$KEA_QUERY6_INTERFACE" expires "$2" ||
        echo "no route to $1 via $KEA_QUERY6_REMOTE_ADDRESS on $KEA_QUERY6_INTERFACE" >&2
}

remove() {
    error=$(route del "$1" 2>&1) && return
    case $error in
        *"No such process"*) ;;    # It was gone already.
        *) echo "the route to $1 stays: $error" >&2 ;;
    esac
}

# Calls a function with prefix and valid lifetime of each lease in the list that is one of a prefix.
each() {
    n=0 size='' prefix='' lifetime=''
    # What eval sees is names of variables, never their values.
    eval "size=\$KEA_$1_SIZE"
    while [ "$n" -lt "$size" ]; do
        eval "prefix=\${KEA_$1_AT${n}_DELEGATED_PREFIX-} lifetime=\$KEA_$1_AT${n}_VALID_LIFETIME"
        [ -z "$prefix" ] || "$2" "$prefix" "$lifetime"
        n=$((n + 1))
    done
}

case $point in
    leases6_committed)
        each DELETED_LEASES6 remove
        each LEASES6 add
        ;;
    lease6_expire)
        [ "$KEA_LEASE6_TYPE" != IA_PD ] || remove "$KEA_LEASE6_DELEGATED_PREFIX"
        ;;
esac
