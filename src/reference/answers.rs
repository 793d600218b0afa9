//! The page about answers.

use std::fmt::Write;

use crate::answers::{ROWS, keep, reservation, row_of};
use crate::hook_points::HookPoint;

pub fn page() -> String {
    let mut page = INTRO.to_string();
    page.push_str("\n## What Kea changes\n\n| key | type, bounds | what it means |\n| --- | --- | --- |\n");
    for row in ROWS {
        let _ = writeln!(page, "| `{}` | {} | {} |", row.name, row.bounds, row.doc);
    }
    let _ = writeln!(page, "| `{}` | {} | {KEEP} |", keep::NAME, keep::BOUNDS_TEXT);
    page.push_str(WHERE);
    for row in ROWS {
        for place in row.places {
            let points: Vec<_> = place.at.iter().map(|point| format!("`{point}`")).collect();
            let _ = writeln!(page, "| `{}` | {} | {} |", row.name, points.join(", "), place.doc);
        }
    }
    page.push_str(RESERVATIONS);
    for row in reservation::ROWS {
        let _ = writeln!(page, "| `{}` | {} |", row.name, row.doc);
    }
    page.push_str(WHO_WINS);
    page.push_str(REST);
    page
}

/// What an answer may change at a hook point, for its row.
pub fn keys(point: &HookPoint) -> String {
    let names = point.keys.iter().filter_map(|&key| row_of(key)).map(|row| format!("`{}`", row.name));
    names.collect::<Vec<_>>().join(", ")
}

const KEEP: &str = "Nothing of Kea's: the library gives this answer again for so long, and does not ask. See below, Answers that hold for a time.";

const INTRO: &str = r#"# Answers

With `"answers": true` a program that Kea waits for decides how Kea goes on, and may have it change something.

```sh
#!/bin/sh
# Guests of the lobby get short leases; a stranger gets none, nor does who has no hardware address.
case $1 in
pkt4_receive)
    [ -n "$KEA_QUERY4_HWADDR" ] && grep -qix "$KEA_QUERY4_HWADDR" /etc/kea/known || exit 20 ;;
lease4_select | lease4_renew)
    [ "$KEA_QUERY4_INTERFACE" != lobby ] || exec "$KEA_RUNSCRIPT" answer valid-lft=600 ;;
esac
```

```json
"script": "/usr/share/kea/scripts/mine.sh", "answers": true, "on-failure": "drop", "hook-points": [ "pkt4_receive", "lease4_select", "lease4_renew" ]
```

`on-failure` has to be named then: what Kea does if the program is too slow, cannot be run, or breaks. `drop` is for a program that guards something: at a hook point that knows *drop*, nobody gets
past it. `skip` is as strict only where [hook-points.md](hook-points.md) says what it does; elsewhere Kea goes on, as at `buffer*_receive` and `pkt*_send`. `continue` is for one whose answer may be missed: clients are served as if it were not there.

A client may have no hardware address (`hlen` 0), and sends what it likes for a name. A program that looks a client up refuses first what has no identity: an empty word is found in
every list that has an empty line.

## How Kea goes on

| exit status | what it means |
| --- | --- |
| 0 | Kea goes on, and does what the program has printed, if it has printed anything. |
| 10 | *skip*: see [hook-points.md](hook-points.md). |
| 20 | *drop*: the same. |
| any other | A failure: `on-failure` decides. So is an end by a signal or the time-out. |

A program that yours calls may end with 10 or 20 too: let yours say its own status (`... || exit 1`). A daemon or a server does not exit: it says `next` and the keys below in its [line](lines.md).

With exit status 0 the program may print one JSON object, of at most 256 KiB:

```json
{"next": "continue", "client-classes": ["known"], "option-data": [{"name": "routers", "data": "192.0.2.1"}]}
```

`next` may be `continue`, which it is unless you say so, `skip` or `drop`; with these two no other key counts but `keep-for`. The other keys are below, under Kea's own names. Whatever else is
printed, more than that, a key of the object twice, or anything with another exit status, is no answer but a failure. What goes to standard error is in Kea's log, as ever.

A key that has no effect at the hook point, an unknown one, or a value that is wrong or that Kea does not take is refused: the message
`RUNSCRIPT_ANSWER_REFUSED` says why, once a minute for each script, hook point and key, the statistic `runscript.refused` counts all, and the rest of the answer holds.
Nothing is taken and then ignored, *skip* and *drop* where a hook point knows none included; the exceptions are the other keys beside *skip* and *drop*, and Kea's lease cache, below.
What is refused is no failure: `on-failure` does not come into that.

The keys of an answer take effect in the order of the table below, whatever their order in the answer: an `ip-address` may be of a pool that its `client-classes` open. (In DHCPv4 say the class before, too, at `pkt4_receive` or `buffer4_receive`: at the DHCPREQUEST Kea looks whether the pool is open before it asks at `lease4_select`.)

Several programs: all are asked, with what Kea knew before the first of them. The severest *next* counts. If all let Kea go on, their changes are made in the programs' order, and the last word counts.

What a program has said is [in Kea's log](operation.md#looking-inside), event by event, if you ask for it.
"#;

const WHERE: &str = r#"
## Where, and what the client sees

It is the same on every Kea from 2.2 to 3.0, unless the table says otherwise. `*` stands for 4 and 6.

| key | hook points | what the client sees |
| --- | --- | --- |
"#;

const RESERVATIONS: &str = r#"
## Reservations

```json
{"script": "/usr/share/kea/scripts/addresses.sh", "answers": true, "on-failure": "continue", "hook-points": [ "subnet4_select" ]}
```

```sh
#!/bin/sh
# addresses.sh: a file with a hardware address (as 02:00:00:00:51:0a, in lower case) and an address in each line.
address=$(awk -v client="$KEA_QUERY4_HWADDR" '$1 == client { print $2 }' /etc/kea/addresses) || exit 1
[ -z "$address" ] || exec "$KEA_RUNSCRIPT" answer reservation:ip-address="$address"
exec "$KEA_RUNSCRIPT" answer reservation=null
```

What is reserved counts for the client that asks, where it is, from this packet on: Kea looks for it like for a reservation in its configuration. No other client can be named. The keys of the map are Kea's own:

| key | type, and what the client sees |
| --- | --- |
"#;

const WHO_WINS: &str = r#"
The client is known by one identifier: of Kea's `host-reservation-identifiers`, the first of `hw-address`, `duid` and `client-id` that the client has. With Kea's default that is the hardware address, so that a boot ROM and the system after it have one reservation. (In DHCPv6 Kea does not know the hardware address of each client: then it is the DUID.) A client with such a reservation is of Kea's class `KNOWN`, one without of `UNKNOWN`.

- **It holds** until the client's next answer with the key, which replaces it. An answer without the key changes nothing, nor does one that is refused. So say it each time that you are asked.
- **`null` takes it away.** Kea then does what it does when a reservation is taken out of its configuration. A DHCPv4 client with an address outside the pools gets no answer to its renewals, and begins anew when its lease ends; one with an address of a pool keeps that. If an answer names another address now, the client is refused at its renewal (DHCPNAK).
- **It outlives a reload** of Kea's configuration, unless that changes the subnet, its shared network, or `host-reservation-identifiers`, or takes this library out. After Kea 2.2's `libreload` none counts until the next `config-reload`.
- **There are `reservation-limit` of them** at most. For another one, the one said longest ago goes. [`runscript-status`](operation.md#looking-inside) says how many there are.
- **While the program is down** what it has said last holds. After a restart of Kea, the client keeps the address or prefix that its lease has from a reservation: the lease says so (`runscript` in its user context), and stands for it until it ends. Neither `null` nor `runscript-forget` takes that off the lease: while the program is down, a lease stands for what was taken away, too. Names, options and boot fields come back with the program.
- **Reservations in Kea's configuration and its hosts databases win**, by whatever identifier: that of the answer is refused, each time. Have the program say `null` for such a client. An address is refused, too, that is reserved for another client, there or by an answer, or is still leased to a client that it was reserved for. Where Kea's configuration or a database gives away what an answer has reserved before, that is not reserved any more. As long as an answer's reservation is there, or such a lease, no other client gets the address.
- **To give an address to another client**, its old one must not have it any more: that client has asked since and was told otherwise, or was forgotten ([`runscript-forget`](operation.md#commands)), and its lease is over. To end the lease at once, use `lease4-del` or `lease6-del` of Kea's libdhcp_lease_cmds. If two clients are to swap their addresses, delete both leases, then forget both clients.
- **An address of a pool** that a stranger has leased is not refused. The stranger is refused at its next renewal, and until then the client gets another address.
- **Prefixes that overlap** are not noticed: do not reserve one client a part of another's.
- **Refused, with Kea's reason,** is what Kea would refuse in its configuration, and what it would take no notice of: an address of another subnet; one of a subnet that is closed to the client's classes, or whose `reservations-in-subnet` is false; one of a pool where `reservations-out-of-pool` is true. Beside libdhcp_host_cache all are refused: it keeps copies.
- **Over the other keys:** `subnet-id` of the same answer comes first. `hostname` at `ddns*_update` and the keys at `pkt*_send` come later, and win. Say no `ip-address` at `lease*_select` for a client with a reserved address: the offer would have the one, and Kea would refuse the client that asks for it.
- **Commands** (`reservation-get`, ...) do not show them, add to them or delete them. They are in memory alone.
"#;

const REST: &str = r#"
## Options of the query

At `pkt4_receive` and `pkt6_receive` a program may have Kea take other options for sent than those that came. Kea then acts on these, in each message by itself: a client's renewal needs the same answer.

```json
{"query-option-data": [{"name": "vendor-class-identifier", "data": null},
                       {"name": "link-selection", "space": "dhcp-agent-options-space", "data": "192.0.2.0"}]}
```

- An option takes the place of all of its code. With `data` `null` these go.
- A sub-option of option 82 has Kea's own `space` for them, `dhcp-agent-options-space`; the names are known on Kea 2.2, too. The other sub-options stay. Option 82 is made if there is none, goes with its last sub-option, and has room for 253 bytes.
- In DHCPv6, `relay` says which relay's option it is, by the number that stands in `KEA_QUERY6_RELAY0_...`: 0 is the relay nearest to the server. Without it, it is the client's own.
- Kea sends back what it has then: option 82 to the relay, to the client 118 and, unless `echo-client-id` is `false`, 61; in DHCPv6 each relay's 18 and 135. A relay that does not find its own there may lose the answer, and a client takes none with another 61. `option-data` at `pkt4_send` has the last word on what goes out.
- Link selection (82.5) wins over subnet selection (118) and over the relay's address, `subnet-id` over them all; `hostname` over options 12, 81 and 39.
- Not to be changed are in DHCPv4 53 and 54, in DHCPv6 1, 2, 9, 87 and what the client asks for: 3, 4, 5, 25, 26. A client keeps one identity: 61 goes only where there is a hardware address.
- All programs of these hook points are told what came over the wire, those of later ones what Kea has now: variables of what was set are there, and of what went none. The classes that Kea makes of option 60 or 16 when a packet comes stay.

## Answers that hold for a time

A program that would say the same of the next event can say for how long. With `keep-for` the library gives its answer again, `next` and all that it changes, and does not ask:

```sh
# A stranger is refused, and for ten minutes nobody looks again. Who names no address is refused, too (20: drop).
[ -n "$KEA_QUERY4_HWADDR" ] || exit 20
grep -qix "$KEA_QUERY4_HWADDR" /etc/kea/known
case $? in
0) ;;
1) exec "$KEA_RUNSCRIPT" answer next=drop keep-for=600 ;;
*) exit 1 ;;    # no file, say: on-failure decides, and nothing is kept
esac
```

It pays where clients come again soon: renewals, several interfaces or boot stages of one machine, a client that is refused and goes on asking. An event that is answered so costs a few microseconds,
whatever the program costs. Where each client comes once in a while, leave it out.

An answer is given again for the same script and hook point if all of this is the same:

- the client: its hardware address and its client identifier; in DHCPv6 its DUID and its hardware address;
- the interface and the relay: `giaddr` and the bytes of option 82; in DHCPv6 each relay's link and peer address and its options 18 and 37;
- the type of the message, and of Kea's answer where there is one;
- what has booted: options 60, 77 and 93; in DHCPv6 16, 15 and 61. A boot ROM, iPXE and a system have one hardware address;
- what the hook point is about: the subnet that Kea has chosen, the addresses of leases and of Kea's answer, whether it is an offer, the name for DNS, the host identifier;
- the variables that the parameter `keep-by` names.

Whatever else may have changed is not looked at. If your program goes by the client's name, say, or by Kea's client classes, name these variables:

```json
"keep-by": [ "KEA_QUERY4_OPTION_12", "KEA_QUERY4_CLASSES" ]
```

A client that has neither hardware address nor client identifier is asked about each time.

**A decision holds until its time is over.** Whoever was let in stays let in, whatever your database says by then. Let the time be no longer than a wrong answer may stand. The answers to a client's DHCPDISCOVER and DHCPREQUEST, or SOLICIT and REQUEST, are kept apart, and their time is over apart: after a change the client may be offered one address and be refused that until both are over, or are forgotten. All that is kept is forgotten when Kea starts, or takes a configuration
(`config-reload`, `config-set`), but not by other commands of Kea's, such as those that change a subnet or a reservation. The command [`runscript-forget`](operation.md#commands) forgets what is kept of a client, or all. Have it sent
by whatever changes your database. An answer to what was asked before is not kept afterwards.

Nor does the program hear of an event that is answered so: what is to be recorded belongs to a hook point of its own, or to [lease events](operation.md#leases). Lines for Kea's log (`log`) are not repeated.

Failures are not kept, nor is an answer of which something is refused. Kea looks at each change anew, and what it refuses later is forgotten at once: the program is asked the next time.

`keep-for` is refused where no packet is asked about (`buffer*_send`, `lease*_expire`, `lease*_recover`, lease events, Kea's own life), and where Kea does not wait, as any key without effect is. So is an answer that takes more than 4 KiB, with what it is about.

The parameter `keep-limit` says how many answers are kept at once. A client has one for each hook point and type of message. Beyond the limit, one goes that nobody has come back for: a flood of new clients costs none that has come back.
The statistic `runscript.kept` counts events that were answered so, and `runscript-status` says how many answers are kept.

## Commas in options

Kea reads the `data` of an option as values with commas between them, as in its own `option-data`. A comma within a value is written `\,` and a backslash `\\`; a single backslash stays where neither a comma nor another backslash follows. In JSON each backslash is written twice:

```json
{"option-data": [{"name": "boot-file-name", "data": "pxe/undionly\\,kpxe"}]}
```

Kea by itself ignores values for which an option has no room, such as the second one of `pxe/undionly,kpxe`. Of an answer, such an option is refused. With `csv-format` `false`, `data` is hex, or text in single quotes, and a comma is a comma; so it is for an option of nothing but bytes, unless `csv-format` is `true`. In shell, `sed` writes the backslashes:

```sh
escaped=$(printf %s "$file" | sed 's/[,\\]/\\&/g')
exec "$KEA_RUNSCRIPT" answer option-data:boot-file-name="$escaped"
```

## In one line of shell

`kea-runscript answer` prints the object, properly quoted, and `KEA_RUNSCRIPT` is its path:

```sh
exec "$KEA_RUNSCRIPT" answer client-classes=known client-classes=lobby
exec "$KEA_RUNSCRIPT" answer option-data:routers=192.0.2.1 option-data:tftp-server-name="$server" boot-file-name="$file"
exec "$KEA_RUNSCRIPT" answer query-option-data:82.link-selection=192.0.2.0 query-option-data:host-name    # kea-dhcp4
exec "$KEA_RUNSCRIPT" answer query-option-data:relay0.interface-id=0x6131    # kea-dhcp6
exec "$KEA_RUNSCRIPT" answer reservation:ip-address="$address" reservation:option-data:routers=192.0.2.1
exec "$KEA_RUNSCRIPT" answer reservation=null
exec "$KEA_RUNSCRIPT" answer next=drop keep-for=600
```

A key that takes a list may come several times. `reservation:` is followed by a key of the reservation, `user-context` excepted: print the JSON for that. `option-data:` and `query-option-data:` are followed by the option's name or code; in the latter, `82.` stands before a sub-option of option 82, `relay0.` before a relay's option, and an option
without `=` goes. For `csv-format` or another `space`, print the JSON yourself. A mistake is said
on standard error, and the exit status is not 0: with `exec` that becomes the program's own, and `on-failure` decides.

## Quoting

What a client says is hostile. Never put a variable into JSON by hand:

    printf '{"hostname":"%s"}' "$KEA_DDNS_HOSTNAME"          # wrong

A quotation mark in it breaks the object, which is a failure, so that `on-failure` decides. But a client that knows the script can also
make another object of it, with keys of its own. `kea-runscript answer hostname="$KEA_DDNS_HOSTNAME"`, and `jq -n --arg`, quote. The former
refuses what is no domain name: its exit status is not 0, and `on-failure` decides.
"#;
