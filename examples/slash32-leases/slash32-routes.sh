#!/bin/sh
# Keeps a kernel route for each address that Kea leases: to the interface on which the client is.
set -u
PATH=/usr/sbin:/usr/bin:/sbin:/bin    # Kea sets none

# Other programs' routes differ in protocol and metric, so none of them is ever replaced or removed.
route() {
    ip -4 route "$@" proto 67 metric 2067
}

# Address and state. A declined address is nobody's until Kea gives it out again.
update() {
    case $2 in
        default)
            route replace "$1/32" dev "$KEA_QUERY4_INTERFACE" ||
                echo "no route to $1 on $KEA_QUERY4_INTERFACE" >&2
            ;;
        *)
            remove "$1"
            ;;
    esac
}

remove() {
    error=$(route del "$1/32" 2>&1) && return
    case $error in
        *"No such process"*) ;;    # It was gone already.
        *) echo "the route to $1 stays: $error" >&2 ;;
    esac
}

# Calls a function with address and state of each lease in the list.
each() {
    n=0 size='' address='' state=''
    # What eval sees is names of variables, never their values.
    eval "size=\$KEA_$1_SIZE"
    while [ "$n" -lt "$size" ]; do
        eval "address=\$KEA_$1_AT${n}_ADDRESS state=\$KEA_$1_AT${n}_STATE"
        "$2" "$address" "$state"
        n=$((n + 1))
    done
}

case $1 in
    leases4_committed)
        each DELETED_LEASES4 remove
        each LEASES4 update
        ;;
    lease4_expire)
        remove "$KEA_LEASE4_ADDRESS"
        ;;
esac
