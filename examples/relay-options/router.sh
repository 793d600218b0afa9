#!/bin/sh
# pkt4_send: the relay's address is the client's router.
[ "$KEA_QUERY4_RELAYED" = 1 ] && [ "$KEA_RESPONSE4_TYPE" != DHCPNAK ] || exit 0
exec "$KEA_RUNSCRIPT" answer option-data:routers="$KEA_QUERY4_GIADDR"
