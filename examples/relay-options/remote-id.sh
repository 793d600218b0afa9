#!/bin/sh
# pkt4_send: the relay's remote id (option 82.2), in hexadecimal digits, makes the boot file's name; as it is, it is
# sub-option 1 of option 43. A variable in hex has nothing in it but digits: no way out of a directory, nor of JSON.
id=${KEA_QUERY4_OPTION_82_SUB_2-0x} id=${id#0x}
case $id in '' | *[!0-9a-f]*) exit 0 ;; esac    # none, or two of them
[ "$KEA_RESPONSE4_TYPE" != DHCPNAK ] && [ ${#id} -le 100 ] || exit 0
printf '{"boot-file-name": "line/%s.cfg", "option-data": [{"code": 43, "csv-format": false, "data": "01%02x%s"}]}' \
    "$id" $((${#id} / 2)) "$id"
