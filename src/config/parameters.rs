//! The parameters: one row each, for the docs and for the refusal of unknown keys.

/// A parameter of the library.
pub struct Parameter {
    pub name: &'static str,
    /// Another name that is taken too.
    pub alias: Option<&'static str>,
    pub kind: &'static str,
    pub default: &'static str,
    pub doc: &'static str,
}

impl Parameter {
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.alias)
    }
}

const fn row(name: &'static str, kind: &'static str, default: &'static str, doc: &'static str) -> Parameter {
    Parameter { name, alias: None, kind, default, doc }
}

#[rustfmt::skip]
pub const PARAMETERS: &[Parameter] = &[
    Parameter { alias: Some("name"), ..row("script", "string", "-",
        "Absolute path of the program to run; nobody but its owner may be able to write it, nor everybody a directory above it: see operation.md, Who may change a program. Required, unless `socket` or `scripts` is given. From Kea 3.0 on it must be in the directory that Kea allows, and may then be named without it: see operation.md, Where Kea allows programs.") },
    Parameter { alias: Some("sync"), ..row("wait", "boolean or `park`", "`true`; with `dialect` `isc` `false`",
        "Whether Kea waits for the program to end. If not, events are queued in order and Kea goes on at once. `park`: the packet waits, and Kea goes on with others meanwhile, where it can (hook-points.md says where); at the other hook points it just waits. Refused if Kea can park at none of the selected hook points, as at the default ones of dialect `runscript` before version 2.6; then name `leases4_committed` or `leases6_committed`. See operation.md, Parking.") },
    row("dialect", "`runscript` or `isc`", "`runscript`",
        "Whose variables the program reads. `isc`: the names and formats of ISC's libdhcp_run_script (variables.md, Dialect isc), its hook points by default (hook-points.md), and `wait` is `false` unless set. For programs that were written for that library: see migration.md."),
    row("mode", "`exec` or `daemon`", "`exec`",
        "`exec`: the program is run once per event. `daemon`: it is started once for each of the `concurrency` lanes, reads events on standard input and answers on standard output: see lines.md. When it ends, it is started again."),
    row("socket", "string", "-",
        "Absolute path of a Unix socket. Nothing is started then, and `script`, `mode`, `args`, `env`, `keep-capabilities` and `runner` are refused: the library makes `concurrency` connections to who listens there, and speaks as with a daemon. That has to be root, Kea's own user, or the owner of the socket's directory."),
    row("hook-points", "list of strings or maps", "those of the `dialect` in hook-points.md: of `runscript` nine in kea-dhcp4 and ten in kea-dhcp6",
        "The hook points at which the program is called; the others cost nothing. An entry may be a map with `name`, `wait` and `timeout`. At `lease4_changed` and `lease6_changed`, which are ours and none of Kea's, Kea does not wait unless `wait` is given."),
    row("args", "list of strings", "`[]`",
        "Arguments of the program, after the hook point's name; a daemon gets these alone. Every local user can read them (ps): a secret belongs into a file that the program reads."),
    row("env", "map of strings", "`{}`",
        "Added to the program's environment, which else holds only the variables (no `PATH`). An event's variable wins over one of the same name. Where Kea allows programs of one directory only, variables that steer loaders and interpreters are refused: see operation.md, Where Kea allows programs. No message of this library shows a value."),
    row("keep-capabilities", "list of strings", "`[]`",
        "`CAP_NET_RAW`, `CAP_NET_BIND_SERVICE`, or both: what Kea has for its own work, and programs do not get unless it is named here. With both, the program can read and write Kea's memory. Nothing else is granted by it: a capability that you add to Kea's service reaches the program by itself. See operation.md, Permissions on Debian."),
    row("timeout", "milliseconds, 1 to 3600000", "5000 waiting, 60000 not",
        "How long a run may take. Then SIGTERM to its process group, and SIGKILL after one second more. Where Kea waits, it waits no longer than this, the event's turn in the queue included. For daemons and servers, see lines.md."),
    row("on-failure", "`continue`, `skip` or `drop`", "`continue`; none with `answers`",
        "What Kea does where it waits and the program gives no verdict: time-out, end by a signal, cannot be started; with `answers` also an exit status that says nothing, or output that is no answer. hook-points.md says what each means at a hook point. With `answers` it is required: `drop` or `skip` for a program that guards something, so that nobody gets past it when it is slow or broken; `continue` for one whose answer may be missed. Where a hook point knows no skip, Kea goes on: there a guard needs `drop`."),
    row("answers", "boolean", "`false`",
        "Whether the program decides: by its exit status how Kea goes on, by what it prints what Kea changes; a daemon or server by its answer line. See answers.md. `on-failure` is required then. Where Kea does not wait, the program is only told; where it waits at no hook point at all, `true` is refused."),
    row("keep-limit", "0 to 1000000 answers", "10000",
        "How many answers with `keep-for` are kept at once; 0: none. A client has one for each hook point and type of message. Beyond it, one goes that nobody has come back for. Each takes 4 KiB at most. Refused without `answers`. See answers.md, Answers that hold for a time."),
    row("keep-by", "list of strings", "`[]`",
        "Names of variables (variables.md, of dialect `runscript`) that have to be the same, besides what answers.md lists, for an answer to be given again. Refused without `answers`."),
    row("concurrency", "1 to 256", "number of CPUs",
        "How many events are worked on at once. With 1, all events are handled strictly one after the other."),
    row("queue-limit", "1 to 1000000 events", "10000",
        "Events held in memory while Kea does not wait, because there is no spool or no room in it. Beyond it the oldest event of packets and offers (`buffer*`, `pkt*`, `subnet*`, `host*`, `ddns*`, `lease4_offer`, `lease*_select` of an offer, whatever a DHCPDISCOVER brings) is dropped, counted and logged; only if there is none the oldest of the others."),
    row("spool", "string or `false`", "`runscript` in Kea's data directory",
        "Absolute path of the directory for events that Kea does not wait for: each is there until it has been handled, whatever ends meanwhile. `false`, or `\"\"`: they are in memory alone, and lost with Kea. See operation.md, The spool. A directory that is named and cannot be used refuses the configuration. What shows only when Kea begins to serve is a warning, and so is whatever is wrong with the default directory: events are in memory then."),
    row("spool-limit", "16 to 1048576 MiB", "1024",
        "How much disk the spool of a script may take. Beyond it, or where the disk is full, events are in memory (`queue-limit`)."),
    row("spool-max-age", "seconds, 1 to 31536000", "-",
        "An event that happened longer ago than this when its turn comes is dropped, and counted, instead of handled; time during which it was put aside counts too. Only for events in the spool. Without the parameter, none is too old."),
    row("spool-sync", "milliseconds, 0 to 60000", "0",
        "How often the spool is written through to the disk (fdatasync), in a thread of its own. With 0 it never is: then a crash of the whole machine may cost what it may cost of Kea's own lease file, which Kea does not write through either."),
    row("replay", "boolean", "`true` where `hook-points` names `lease4_changed` or `lease6_changed`, else `false`",
        "Whether the program is told of all leases once more when it cannot know of them: Kea has started, the program is new in the configuration, or Kea serves again after it had been told not to, as after a high-availability partner has handed its leases over. See operation.md, Leases. `true` is refused where `hook-points` names neither."),
    row("coalesce", "boolean", "`false`",
        "Whether of the events of a lease that wait for their turn, at `lease4_changed` or `lease6_changed`, only the newest is kept: for a program that is slow, and need not know what has been in between. It then treats `add`, `renew`, `reused` and `replay` alike. `true` is refused where Kea waits for these events."),
    row("other-leases", "boolean", "`false`",
        "Whether an event at `lease6_changed` says what other leases the client has (`KEA_OTHER_LEASES6_*`): the address beside the prefix, say. It costs a query of the lease database for each event. Refused where `hook-points` does not name `lease6_changed`."),
    row("reservation-limit", "0 to 1000000 reservations", "100000",
        "How many reservations the program's answers may make (`reservation` in answers.md); of several programs together, the sum. Beyond it, the one that has not been said for the longest time goes. 0: none, and what they need is not done: Kea is asked for no client's lease then. It means nothing without `answers`, or where Kea waits at none of the hook points that have that key."),
    row("debug", "boolean", "`false`",
        "Whether to set the `KEA_*_DEBUG` variables too, Kea's own texts of a packet or lease. They are slow to make."),
    row("runner", "string", "beside the library, else in `/usr/sbin`, else in `/usr/local/sbin`",
        "Absolute path of `kea-runscript-runner`, the process that runs the program. From Kea 3.0 on it must be in the directory that Kea allows, if it is named."),
    row("required", "boolean", "`true`",
        "Whether the configuration is refused if the program is missing or not executable, the runner cannot be started, nobody listens on the socket, or a daemon or server says no hello. If not, that is an error in the log, and events fail until it is mended. At a reload a refusal stops service: see operation.md, Changing the configuration."),
    row("scripts", "list of maps", "-",
        "Several programs, each a map with the parameters above; no other parameter stands beside it. Those that Kea waits for are called in this order, and the severest of their verdicts counts."),
];
