//! Everything that we say in Kea's log: one row a message.

use crate::bridge::ffi::{MessageText, Severity};

/// A message of Kea's logger `runscript`.
pub struct Row {
    /// NUL-ended, for Kea keeps the pointer.
    id: &'static str,
    pub severity: Severity,
    /// With `%1`, `%2` for what the place in the code adds.
    pub text: &'static str,
    /// For the docs: what it means and what to do.
    pub remedy: &'static str,
}

impl Row {
    /// With its NUL.
    pub fn raw_id(&self) -> &'static str {
        self.id
    }

    pub fn name(&self) -> &'static str {
        self.id.trim_end_matches('\0')
    }
}

macro_rules! messages {
    ($($id:ident $severity:ident $text:literal $remedy:literal)*) => {
        $(pub const $id: &Row = &Row {
            id: concat!("RUNSCRIPT_", stringify!($id), "\0"),
            severity: Severity::$severity,
            text: $text,
            remedy: $remedy,
        };)*
        pub const ALL: &[&Row] = &[$($id),*];
    };
}

messages! {
    LOADED Info "version %1 calls %2, mode %3 with %4: Kea %5"
        "The library is at work; one line for each script, with its `mode`, its lanes (`concurrency`) and its hook points: where Kea waits for it, where it parks the packet, and where it does neither."
    DIALECT_UNSAID Warn "%1: \"%2\" is a parameter of ISC's libdhcp_run_script, whose variables have other names: set \"dialect\" to \"isc\" for a program that was written for it, else to \"runscript\""
        "The configuration names the program, or says whether Kea waits, in the words of ISC's library. A program that reads its variables finds none of them here unless `dialect` is `isc`. Events that are in the spool by then keep the names they were written with. See migration.md."
    LOAD_REFUSED Error "the configuration is refused: %1"
        "The line names the parameter, its value and the remedy; or the system call that is denied or fails in Kea or in the runner. Kea does not start; at a reload, it has given up its old configuration by then and answers no client until a good one comes (Kea's `CONFIG_UNRECOVERABLE_ERROR`). See operation.md, Changing the configuration."
    HANDLER_STARTED Debug "%1: ready with %2 lanes"
        "Shown at debug level only."
    HANDLER_FAILED Error "%1: cannot be run: %2"
        "The script, the daemon or the runner cannot be started, or nobody listens on the socket; the text says which. It is tried again and again, at growing intervals up to ten seconds. Until there is a lane, events that Kea waits for fail at once, and the others stay queued. At load, this is only a message if `required` is off."
    HANDLER_LOST Error "%1: the runner is gone: %2; it is started again, and what it was working on is handled again"
        "Something killed the runner (the kernel for want of memory, or an administrator). Scripts that it was running have been killed with it."
    OTHERS_TRUSTED Warn "%1: %2"
        "Somebody besides root and Kea's user could put another program, or another socket, in the place of this one. The text says who, and what helps. Where Kea allows programs of one directory only, such a program is refused. Logged when the library is loaded, when the runner is started again and when a socket is connected to again, once a minute at most. See operation.md, Who may change a program."
    LANE_LOST Warn "%1: lane %2 is lost: %3"
        "A daemon has ended, or its connection is closed, by itself or because it does not keep to the lines or to the time-out. It is started, or connected to, again, at growing intervals up to ten seconds. What it was working on fails (RUNSCRIPT_EVENT_FAILED), or, if Kea does not wait for it, is handled again. Logged as information where the daemon has ended because somebody has told it to by SIGTERM, as systemd does when it stops Kea's unit."
    EVENT_FAILED Error "%1 at %2: %3; Kea %4"
        "A script gave no verdict: it could not be started, ended by a signal, or did not end in time; with `answers`, its exit status says nothing or its output is no answer. Or a daemon ended before it answered, or its line is no answer. The text says why, and how Kea goes on (`on-failure`). If it takes too long, make it faster or raise `timeout`."
    ANSWER_REFUSED Error "%1 at %2: %3: %4; the rest of the answer holds"
        "Part of a script's answer (parameter `answers`) cannot be applied: an unknown key, one that has no effect at this hook point, a wrong value, or one that Kea does not take. Correct the script; answers.md has the keys. Logged once a minute for each script, hook point and key; `runscript.refused` counts all."
    CLASS_UNKNOWN Warn "%1 at %2: no client class is called %3; the client is of it all the same"
        "A script has put a client into a class (`client-classes`) of which Kea's configuration has no definition, and which is none of Kea's own. Its name may be misspelt. If only a subnet, a pool or another hook library asks for the class, add `{ \"name\": ... }` to Kea's `client-classes`: no more is needed. Logged once for each script and name, until the next load, of 100 names at most."
    EVENT_DROPPED Error "%1: queue-limit reached: %2 events dropped, the oldest first"
        "Scripts are slower than events come. Events of packets and offers go first, those of leases only if there are none of these (parameters.md, `queue-limit`). Make the script faster, raise `concurrency` or `queue-limit`, or select fewer `hook-points`. With a spool this comes only where the spool is full or off: see RUNSCRIPT_SPOOL_FULL and RUNSCRIPT_SPOOL_OFF first."
    CROWDED Warn "%1 at %2: a packet of %3 is dropped: two like it wait there already"
        "A client sends packets faster than the script answers. Where Kea waits at `buffer*_receive`, `pkt*_receive`, `subnet*_select`, `lease4_offer`, `pkt*_send` or `buffer*_send`, two packets of one client may wait that are of the same message type and came from the same interface, relay and port of the relay; a further one is dropped before any script is told of it, so that the client does not keep all of Kea's threads, nor fill its parking lot. A DHCPRELEASE, RELEASE, DHCPDECLINE or DECLINE never is. Make the script faster, or see to the client: the line names the first, by its DUID, client identifier or hardware address. Logged once a minute for each script and hook point; `runscript.crowded` counts all."
    EVENT_LOST Error "%1 at %2: given up: %3"
        "An event whose handling killed the runner or the daemon several times, or that could not be handed to it, is not tried again. Logged once a minute for each script and hook point. Also at a reload that takes a script out of the configuration: the script's events in memory alone are lost."
    VERDICT Debug "%1 at %2, %3: %4"
        "Shown at debug level (40) only: what a script for which Kea waits has said of one event. The line names the client and the leases that the event is about; then comes `continue`, `skip` or `drop`, with the keys of the answer if there are any, or why there is no verdict; `kept` before that says that nobody was asked (`keep-for`). What Kea does not take of an answer is another line (RUNSCRIPT_ANSWER_REFUSED)."
    OUTPUT Info "%1 at %2: %3"
        "What a script wrote to its standard output, or a handler's `log` line of level `info`, or `debug`: that is logged at debug level."
    ERROR_OUTPUT Warn "%1 at %2: %3"
        "What a script wrote to its standard error, or a handler's `log` line of level `warn`, or `error`: that is logged as an error. Also a script's exit status if that is not 0: once a minute for each script and hook point."
    DAEMON_OUTPUT Warn "%1, lane %2: %3"
        "What a daemon wrote to its standard error; and how it has ended, or why it cannot be started: once a minute. Its end is logged as information where somebody has told it to end by SIGTERM. There is a copy of the daemon on each lane; a copy that takes the place of another has a new number."
    LEFT Info "%1: %2 events wait for their turn, %3 of them in memory alone, and %4 are being handled"
        "The library is unloaded while there is work: Kea stops or takes a new configuration, and the library cannot tell which. After a reload all of it goes on. If Kea stops, what is being handled is finished without it (not in a container that ends with Kea: see operation.md, Containers), what waits in the spool goes on at the next start, and what is in memory alone is lost."
    SPOOL_OPENED Info "%1: the spool %2 has %3 MiB of events from before"
        "Events that had not been handled when Kea ended are handled now, before new ones of the same clients and leases."
    SPOOL_OFF Warn "%1: events are in memory alone, and lost if Kea ends: %2"
        "The spool cannot be used; the text says why, and what helps. Mend that, name another directory with the parameter `spool`, or set it to `false`. See operation.md, The spool."
    SPOOL_FULL Warn "%1: an event is not in the spool, but in memory alone: %2"
        "The disk is full or does not answer, or `spool-limit` is reached. Events go on to be handled; what is in memory is lost if Kea ends. See with `kea-runscript spool` what waits, mend or quicken the script, make room on the disk, or raise `spool-limit` and restart Kea. Logged once, until there is room again; `runscript.unspooled` counts all."
    SPOOL_NOT_SYNCED Warn "%1: the spool cannot be written through to the disk: %2"
        "See the parameter `spool-sync`. Events are in the spool all the same, and only a crash of the whole machine can cost them. Logged once a minute."
    SPOOL_DAMAGED Warn "%1: %2 in the spool is left out: %3"
        "A disk, another version of this library, or somebody has written what is no event of ours. All that is whole is handled; what is not is lost. Leave the file alone: it goes when its other events have been handled. `1795884525+4096` means byte 4096 of `1795884525.v1`. A file of another version stays: go back to that version, or stop Kea and remove the file."
    GIVEN_UP Error "%1 at %2: put aside: %3"
        "An event whose handling killed the runner, the daemon or the connection several times is not tried again, and kept in the spool: `kea-runscript spool DIR --given-up` shows it, and Kea's command `runscript-retry` has it handled again. Logged once a minute for each script and hook point; `runscript.given-up` counts all."
    DEFERRED Info "%1 at %2: try %4 in %3 s"
        "The handler wants to have an event again later (exit status 75, or `again` in its answer). Events of the same clients and leases wait for it. Logged once a minute for each script and hook point; `runscript.deferred` counts all."
    TOO_OLD Warn "%1 at %2: an event was older than spool-max-age, and is dropped"
        "It had waited in the spool for longer than the parameter allows. Logged once a minute for each script and hook point; `runscript.dropped` counts all."
    REPEATED Warn "%1 came %2 more times, which were not logged"
        "What repeats is logged once a minute, with its count, at its own level."
    SHIM_FAILED Error "%1: %2"
        "Kea's own code threw an exception while the library read a packet for a hook point; the script is told what could be read. Please report it. Unless the text names the lease database, or %1 is `replay`, `lease event` or `lease command`: then that database has failed. A replay goes on when the database answers again. Logged once a minute."
    REPLAYED Info "%1: all leases have been told of"
        "A replay of all leases is over, `replay-end` among its events. See operation.md, Replay."
    PANIC Error "a defect of this library at %1: %2; the event is given up"
        "Please report it."
}

/// All rows, for Kea's dictionary.
pub fn message_texts() -> Vec<MessageText> {
    ALL.iter().map(|row| MessageText { id: row.name().into(), text: row.text.into() }).collect()
}
