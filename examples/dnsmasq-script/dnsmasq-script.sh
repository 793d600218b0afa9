#!/bin/sh
# Calls a program that was written for dnsmasq's dhcp-script as dnsmasq does: add, old or del, hardware address or DUID, address, name.
# The parameter `args` names that program.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH

case $1 in
*_select)
    [ "$KEA_FAKE_ALLOCATION" = 0 ] || exit 0
    action=add ;;
lease4_renew)
    # Kea calls it for a DHCPDISCOVER too.
    [ "$KEA_QUERY4_TYPE" = DHCPREQUEST ] || exit 0
    action=old ;;
*_renew | *_rebind) action=old ;;
*_release | *_decline) action=del ;;
*_expire)
    # What was released or declined has ended before.
    case ${KEA_LEASE4_STATE-}${KEA_LEASE6_STATE-}/${KEA_LEASE4_VALID_LIFETIME-}${KEA_LEASE6_VALID_LIFETIME-} in
    */0) exit 0 ;;
    default/*) action=del ;;
    *) exit 0 ;;
    esac ;;
*) exit 0 ;;
esac

case $1 in
lease4_*)
    # shellcheck disable=SC2153  # there are names of both families
    client=$KEA_LEASE4_HWADDR address=$KEA_LEASE4_ADDRESS name=$KEA_LEASE4_HOSTNAME
    begun=$KEA_LEASE4_CLIENT_LAST_TRANSMISSION lasts=$KEA_LEASE4_VALID_LIFETIME
    [ -z "$KEA_LEASE4_CLIENT_ID" ] || export DNSMASQ_CLIENT_ID="$KEA_LEASE4_CLIENT_ID" ;;
lease6_*)
    # dnsmasq delegates no prefixes.
    [ "$KEA_LEASE6_TYPE" != IA_PD ] || exit 0
    client=$KEA_LEASE6_CLIENT_DUID address=$KEA_LEASE6_ADDRESS name=$KEA_LEASE6_HOSTNAME
    begun=$KEA_LEASE6_CLIENT_LAST_TRANSMISSION lasts=$KEA_LEASE6_VALID_LIFETIME
    export DNSMASQ_IAID="$KEA_LEASE6_IAID"
    [ -z "$KEA_LEASE6_HWADDR" ] || export DNSMASQ_MAC="$KEA_LEASE6_HWADDR" ;;
esac

interface=${KEA_QUERY4_INTERFACE-${KEA_QUERY6_INTERFACE-}}
[ -z "$interface" ] || export DNSMASQ_INTERFACE="$interface"
if [ "$lasts" = 4294967295 ]; then
    export DNSMASQ_LEASE_EXPIRES=0
else
    export DNSMASQ_LEASE_EXPIRES=$((begun + lasts))
    [ "$action" = del ] || export DNSMASQ_TIME_REMAINING=$((begun + lasts - $(date +%s)))
fi

[ "${KEA_QUERY4_RELAYED-0}" = 0 ] || export DNSMASQ_RELAY_ADDRESS="$KEA_QUERY4_GIADDR"

# What a client has sent, dnsmasq knows only when it makes the lease.
if [ "$action" = add ]; then
    [ -z "${KEA_QUERY4_OPTION60-}" ] || export DNSMASQ_VENDOR_CLASS="$KEA_QUERY4_OPTION60"
else
    export DNSMASQ_DATA_MISSING=1
fi

# dnsmasq gives the name and its domain apart, and no name if there is none, or one that a program could take for an option.
name=${name%.} host=${name%%.*}
case $host in -*) host='' ;; esac
[ -z "$host" ] || [ "$host" = "$name" ] || export DNSMASQ_DOMAIN="${name#*.}"
exec "$2" "$action" "$client" "$address" ${host:+"$host"}
