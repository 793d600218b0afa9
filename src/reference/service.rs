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

The program is the same as with `script` in Kea's configuration. It gets the same arguments and variables, a time-out with SIGTERM and SIGKILL for its process group, its output in Kea's log, [answers](answers.md), events in [order](operation.md#order). It does not run as Kea's user, and not with Kea's rights.

## Set it up

With the Debian package, as root, for the routes of [ipv6-prefix-delegation](../examples/ipv6-prefix-delegation):

    cd /usr/share/doc/kea-hook-runscript/examples/ipv6-prefix-delegation

    install -m 755 -D -t /usr/share/kea/scripts prefix-routes.sh
    cp -r service/* /etc
    systemctl enable --now kea-runscript@prefix-routes.socket

`cp` puts two files into `/etc`. `kea-runscript/prefix-routes.json` names the program, and the prefixes within which it makes routes: put yours there, or every route is refused. The other is a drop-in for `kea-runscript@prefix-routes.service`, which allows the program to change routes.

For a program of yours called `mine`, write `/etc/kea-runscript/mine.json`:

```json
{ "script": "/usr/local/sbin/mine" }
```

and run `systemctl enable --now kea-runscript@mine.socket`. A name has letters, digits, `-`, `_` and `.`.

Then, in Kea's configuration, put `"socket"` in the place of `"script"`, `"args"`, `"env"` and `"mode"`:

    "parameters": {
        "socket": "/run/kea-runscript/prefix-routes.sock",
        "hook-points": [ { "name": "lease6_changed", "wait": true } ]
    }

and restart Kea. All other [parameters](parameters.md) are Kea's as ever: `hook-points`, `wait`, `timeout`, `answers`, `on-failure`, `concurrency`, `spool`.

To see what is wrong: Kea's log (`journalctl -u kea-dhcp6-server`), and `journalctl -u kea-runscript@mine`. Whether the program is there and may be run shows at the first event.

To switch it off, take the entry out of Kea's configuration and restart Kea, then `systemctl disable --now kea-runscript@mine.socket` and `systemctl stop kea-runscript@mine`. Do so too before you remove the package.

## The file

`/etc/kea-runscript/NAME.json` is read when the service starts. After a change, `systemctl restart kea-runscript@NAME`. The file has to belong to root, and nobody else may be able to write the file or a directory above it. All have to be able to read it (`chmod 644`), so it is no place for a secret. For one, add `LoadCredential=ID:/path/of/the/secret` to the service: the program reads `/run/credentials/kea-runscript@NAME.service/ID`. The file has 1 MiB at most.

| parameter | type, bounds | default | meaning |
| --- | --- | --- | --- |
"##;

const AFTER: &str = r##"
## What the program may do

It runs as a user without a name (`DynamicUser=`), with no capability. It can write into `/var/lib/kea-runscript/NAME`, its working directory, and into a `/tmp` and a `/var/tmp` of its own. What it writes only root can read, unless it says otherwise. It sees no other process, no home directory and no network.
It cannot read `/etc/kea` or `/var/log/kea` where they are Kea's alone: put its files into `/var/lib/kea-runscript/NAME`, or below `/etc`, readable by all. Calls that only root needs (chown, setuid, nice) are not permitted. It may have 1 GiB of memory.

Give it more rights in a drop-in for this service. [examples/systemd](../examples/systemd) has two: `route.conf` for `ip`, `network.conf` for programs that speak with others. For anything else, `systemctl edit kea-runscript@NAME`:

    [Service]
    ReadWritePaths=/var/log/mine
    SystemCallFilter=@chown

A program that compiles as it runs (Java, node) needs `MemoryDenyWriteExecute=no`. To be a user that is there, `User=mine` and `DynamicUser=no`.

`kea.conf` in that directory is for Kea's own unit. It removes rights that Kea needs no longer, and says what does not work with it.

## What happens when something ends

| what happens | what becomes of events that Kea does not wait for |
| --- | --- |
| `systemctl stop`, `restart`, an upgrade of the package | The service finishes what it has begun, for 90 seconds at most, and gives back the rest. Kea's library keeps that, and connects again. |
| the service is killed | The program is killed with it. What it was at work on is handled again, in its turn. |
| the service is masked, or the socket is stopped | Events wait in [the spool](operation.md#the-spool). Kea tries again at least once in ten seconds. After `systemctl unmask`, start the socket again. |
| Kea is killed | The service finishes what it was sent. The next Kea gets its greeting after that, so no event overtakes one of the same client or lease. Events that are finished by then are not run again. |
| Kea starts before the socket is there | Debian's units prevent that. Without them Kea refuses the configuration, unless `required` is `false`: then it serves, and tries again. |

A Kea that was killed and starts while a program still runs waits 10 seconds for the service. If programs may take longer than that, set `required` to `false`: else Kea does not start before they have ended.

What Kea waits for fails at once while nobody serves it, and `on-failure` says what follows.

## If a stranger has taken Kea over

He can say that something has happened which has not: any hook point, any values. That is worth as much as the program makes of it, so check there what matters, as `prefix-routes.sh` does: it makes routes within the prefixes of its own file only.
He can choose neither program nor arguments nor environment nor user, and can signal nothing. Names of hook points and variables have to be ours. A line has 4 MiB at most. The service takes twice `concurrency` connections at most, and closes one that says nothing for 10 seconds or does not read its answers. Nobody but root and Kea's user is served. He can keep the service busy: give each Kea a service of its own.

## Without systemd's socket

`kea-runscript-runner serve NAME`, or `serve --config FILE`, makes the socket itself: see `socket` above. Make its directory yourself. It has to belong to the user that the service runs as, who has to be a member of Kea's group unless he is root. The service ends at SIGTERM or SIGINT, as above.

`make install` does not bring these units. The package's are in `debian/`; with them in `/etc/systemd/system`, as `kea-runscript@.service` and `kea-runscript@.socket`, and the runner's path in the first (`/usr/local/sbin`), all of this is the same.
"##;
