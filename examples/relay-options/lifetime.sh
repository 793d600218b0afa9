#!/bin/sh
# lease4_select, lease4_renew: how long a lease is valid, by the vendor's part of the client's hardware address.
case $KEA_QUERY4_HWADDR in
0a:00:5e:??:??:??) exec "$KEA_RUNSCRIPT" answer valid-lft=86400 ;;    # telephones
0a:00:5f:??:??:??) exec "$KEA_RUNSCRIPT" answer valid-lft=600 ;;      # guests' toys
esac
