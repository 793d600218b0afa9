//! docs/service.md: the runner behind a socket.

use std::fmt::Write;

use crate::config::service::KEYS;

pub fn page() -> String {
    let mut page = BEFORE.to_string();
    for key in KEYS {
        let _ = writeln!(page, "| `{}` | {} | {} | {} |", key.name, key.kind, key.default, key.doc);
    }
    page + AFTER
}

const BEFORE: &str = r##"# A service of its own

A program need not be started by Kea. Behind a socket, a service of systemd's runs it: as a user of its own, with the rights that it needs, in a sandbox of its own. Kea connects, and says what happens.
Kea needs no right for that: no rule of AppArmor's to start anything, no `CAP_NET_ADMIN`. On Debian this is the way to have a program run.

The program is the same as with `script` in Kea's configuration, and gets the same: its arguments and its environment, a time-out with SIGTERM and SIGKILL for its process group, its output in Kea's log, [answers](answers.md), events in [order](operation.md#order).

## Three commands

With the Debian package, as root, for the routes of [ipv6-prefix-delegation](../examples/ipv6-prefix-delegation):

    cd /usr/share/doc/kea-hook-runscript/examples/ipv6-prefix-delegation
    install -m 755 -D -t /usr/share/kea/scripts prefix-routes.sh
    cp -r service/* /etc
    systemctl enable --now kea-runscript@prefix-routes.socket

The second puts two files into `/etc`: `kea-runscript/prefix-routes.json`, which names the program, and a drop-in for `kea-runscript@prefix-routes.service`, which allows it to change routes. For a program of yours called `mine`, write the first yourself:

```json
{ "script": "/usr/local/sbin/mine" }
```

into `/etc/kea-runscript/mine.json`, and `systemctl enable --now kea-runscript@mine.socket`.

Then, in Kea's configuration, `"socket"` in the place of `"script"`, `"args"`, `"env"`, `"mode"`:

    "parameters": { "socket": "/run/kea-runscript/prefix-routes.sock", "hook-points": [ "leases6_committed" ] }

and restart Kea. All other [parameters](parameters.md) are Kea's as ever: `hook-points`, `wait`, `timeout`, `answers`, `on-failure`, `concurrency`, `spool`.

To see what is wrong: Kea's log, and `journalctl -u kea-runscript@mine`.

## The file

`/etc/kea-runscript/NAME.json` is read when the service starts; `systemctl restart kea-runscript@NAME` has it read again. It has to belong to root, and nobody else may be able to write it, nor a directory above it. It has to be readable by all, so it is no place for a secret.

| parameter | type, bounds | default | meaning |
| --- | --- | --- | --- |
"##;

const AFTER: &str = r##"
## What the program may do

It runs as a user without a name (`DynamicUser=`), who owns nothing but `/var/lib/kea-runscript/NAME`, its working directory. It sees no other process, no home directory and no network, has no capability, and can write nowhere else. What it needs more you give to this service alone. [examples/systemd](../examples/systemd) has drop-ins: `route.conf` for `ip`, `network.conf` for programs that speak with others.
For anything else, `systemctl edit kea-runscript@NAME`: `ReadWritePaths=/var/log/mine`, or `User=` and `DynamicUser=no`. A program that compiles as it runs (Java, node) needs `MemoryDenyWriteExecute=no`.

`kea.conf` there takes from Kea itself what it does not need any more.

## What happens when something ends

| what happens | what becomes of events that Kea does not wait for |
| --- | --- |
| `systemctl stop`, `restart`, an upgrade of the package | The service finishes what it has begun, for 90 seconds at most, and gives back the rest. Kea's library keeps that, and connects again. |
| the service is killed | The program is killed with it. What it was at work on is handled again, in its turn. |
| the service is masked, or the socket is stopped | Events wait in [the spool](operation.md#the-spool), and Kea tries again every ten seconds at least. After `systemctl unmask`, start the socket again. |
| Kea is killed | The service finishes what it was sent, and greets the next Kea when that is done: so no event overtakes one of the same client or lease. What is done by then is not done again when that Kea sends it. |
| Kea starts before the socket is there | With Debian's units it does not. Else Kea refuses the configuration, unless `required` is `false`: then it serves, and tries again. |

A Kea that was killed and starts while a program still runs waits 10 seconds for the service. If programs may take longer than that, set `required` to `false`: else Kea does not start before they have ended.

What Kea waits for fails at once while nobody serves it, and `on-failure` says what follows.

## What a stranger can do who has taken Kea over

He can say that something has happened which has not: any hook point, any values. That is worth as much as the program makes of it, so check there what matters, as `prefix-routes.sh` does: it makes routes within the prefixes of its own file only.
He can choose neither program nor arguments nor environment nor user, and can signal nothing. Names of hook points and variables have to be ours; a line has 16 MiB at most; connections are twice `concurrency` at most; nobody but root and Kea's user is served.

## Without systemd

`kea-runscript-runner serve NAME`, or `serve --config FILE`, makes the socket itself: see `socket` above. Its directory has to be there, and nobody but root or the service's user may be able to write it. The service ends at SIGTERM or SIGINT, as above.
"##;
