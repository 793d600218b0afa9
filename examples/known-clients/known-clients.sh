#!/bin/sh
# Puts clients that are not in a registry into a subnet of their own, and gives those that are the boot file and the
# TFTP server that the registry has for them. The registry is the file of Kea's hook library user_chk.
set -u
PATH=/usr/bin:/bin    # Kea sets none

# "args" in Kea's configuration: the registry, and the id of the subnet for all others.
registry=$2 restricted=$3

case $1 in
*4_*) type=HW_ADDR id=$KEA_QUERY4_HWADDR ;;
*6_*) type=DUID id=$KEA_QUERY6_DUID ;;
esac

[ -n "$id" ] || exit 20    # drop: nothing to look up

# A DHCPNAK has no such options.
[ "${KEA_RESPONSE4_TYPE-}" != DHCPNAK ] || exit 0

# What jq prints is the answer. If the registry cannot be read, jq fails: on-failure.
exec jq -n --arg hook "$1" --arg type "$type" --arg id "$id" --argjson restricted "$restricted" '
    def bare: ascii_downcase | gsub(":"; "");
    # A comma would end the value, and a backslash may stand before one.
    def option($name): values | {name: $name, data: gsub("(?<sign>[,\\\\])"; "\\\(.sign)")};

    reduce (inputs | select(.type == $type)) as $user ({}; .[$user.id | bare] = $user)
    # No client has the entry 00000000: it is for all that have none.
    | (if ($id | bare) == "00000000" then null else .[$id | bare] end) as $known
    | ($known // .["00000000"] // {}) as $user
    | if $hook == "pkt4_send" then
          {"option-data": [($user.bootfile | option("boot-file-name")), ($user.tftp_server | option("tftp-server-name"))],
           "boot-file-name": $user.bootfile} | with_entries(select(.value))
      elif $hook == "pkt6_send" then {"option-data": [$user.bootfile | option("bootfile-url")]}
      elif $known then {}
      else {"subnet-id": $restricted} end' "$registry"
