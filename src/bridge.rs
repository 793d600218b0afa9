//! The one file that both languages read: what the shim tells us (facts), what we answer (a verdict).
//!
//! Every fact is plain old data. Bytes, texts and lists live in a few flat arrays that the shim reuses from
//! event to event, and a [`Span`] says which part of one a fact is: the whole event crosses with a handful of
//! memory copies and no allocation in C++.

/// The number that stands for a fact that does not exist, which is not the same as empty: the `start` of an absent
/// [`ffi::Span`], too. facts.h has its twin.
pub const ABSENT: u32 = u32::MAX;

// Clippy 1.85 takes the lifetimes of shared structs for needless; cxx wants them.
#[allow(clippy::needless_lifetimes)]
#[cxx::bridge(namespace = "runscript")]
pub mod ffi {
    /// Part of one of the arrays of [`Facts`]; which array, the field's comment says (`bytes` where it is silent).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Span {
        start: u32,
        len: u32,
    }

    /// One option, as its data goes over the wire (without code and length).
    /// Sub-options follow their option, one deeper.
    #[derive(Clone, Copy, Debug)]
    struct OptionFact {
        code: u16,
        depth: u8,
        data: Span,
    }

    /// A hardware address; `bytes` is absent where Kea knows none.
    #[derive(Clone, Copy, Debug)]
    struct HwAddr {
        bytes: Span,
        /// RFC 1700's hardware type (`HWAddr::htype_`).
        htype: u16,
        /// How Kea came to know it (`HWAddr::HWADDR_SOURCE_*`).
        source: u32,
    }

    /// What a DHCPv4 packet says (`Pkt4`). Addresses are in host order.
    #[derive(Clone, Copy, Debug)]
    struct Packet4 {
        /// Kea's name of the message type: `DHCPDISCOVER`, ...
        name: Span,
        interface: Span,
        ifindex: u32,
        hwaddr: HwAddr,
        ciaddr: u32,
        yiaddr: u32,
        siaddr: u32,
        giaddr: u32,
        relayed: bool,
        hops: u8,
        secs: u16,
        flags: u16,
        transaction_id: u32,
        /// 4 bytes; of DHCPv4 over DHCPv6 16.
        local_address: Span,
        local_port: u16,
        /// The same.
        remote_address: Span,
        remote_port: u16,
        /// Of the server's interface.
        local_hwaddr: HwAddr,
        /// Of the sender, as the frame had it.
        remote_hwaddr: HwAddr,
        /// Names of client classes, of `names`.
        classes: Span,
        /// Option 60 in Kea's words (`Option::toString`).
        vendor_class: Span,
        /// Data of option 82 and of its sub-options 1 and 2, as Kea finds them.
        rai: Span,
        circuit_id: Span,
        remote_id: Span,
        /// As Kea has them now, of `options`.
        options: Span,
        /// The packet's bytes as they came; absent of a response.
        wire: Span,
        /// What Kea makes of [`read_again4`]'s packet, of `options`.
        again: Span,
    }

    /// One relay that a DHCPv6 packet passed, its options without the relayed message.
    #[derive(Clone, Copy, Debug)]
    struct Relay {
        hops: u8,
        link_address: [u8; 16],
        peer_address: [u8; 16],
        /// As Kea has them now, of `options`.
        options: Span,
        /// What Kea makes of [`read_again6`]'s packet, of `options`.
        again: Span,
    }

    /// What a DHCPv6 packet says (`Pkt6`).
    #[derive(Clone, Copy, Debug)]
    struct Packet6 {
        /// Kea's name of the message type: `SOLICIT`, ...
        name: Span,
        interface: Span,
        ifindex: u32,
        hwaddr: HwAddr,
        transaction_id: u32,
        local_address: [u8; 16],
        local_port: u16,
        remote_address: [u8; 16],
        remote_port: u16,
        /// Of the sender, as the frame had it.
        remote_hwaddr: HwAddr,
        is_tcp: bool,
        /// Whether Kea takes its client identifier for a DUID (`Pkt6::getClientId`).
        has_duid: bool,
        /// Names of client classes, of `names`.
        classes: Span,
        /// Kea's own text of the packet (`Pkt6::toText`); absent unless `debug` is on.
        debug: Span,
        /// As Kea has them now, of `options`.
        options: Span,
        /// The packet's bytes as they came, its relays' layers first; absent of a response.
        wire: Span,
        /// What Kea makes of [`read_again6`]'s packet, of `options`.
        again: Span,
        /// Of `relays`, outermost (nearest to the server) first.
        relays: Span,
    }

    /// A lease of either family. A DHCPv4 address fills the first four bytes of `address`.
    #[derive(Clone, Copy, Debug)]
    struct Lease {
        /// `Lease::Type`: 0 IA_NA, 1 IA_TA, 2 IA_PD, 3 V4.
        kind: u8,
        address: [u8; 16],
        /// Of a delegated prefix; else 128 (DHCPv6) or 0 (DHCPv4).
        prefix_len: u8,
        hwaddr: HwAddr,
        /// DHCPv4: client identifier. DHCPv6: DUID.
        client: Span,
        hostname: Span,
        /// Client's last transmission, seconds since the epoch.
        cltt: i64,
        valid_lft: u32,
        preferred_lft: u32,
        iaid: u32,
        subnet_id: u32,
        /// [`ABSENT`] where this Kea gives pools no ids.
        pool_id: u32,
        /// `Lease::state_`.
        state: u32,
        expired: bool,
        fqdn_fwd: bool,
        fqdn_rev: bool,
        /// JSON text; absent where there is none.
        user_context: Span,
        /// Kea's own text of the lease (`Lease::toText`); absent unless `debug` is on.
        debug: Span,
    }

    /// The subnet that Kea has chosen; `prefix` is absent where it found none.
    #[derive(Clone, Copy, Debug)]
    struct Subnet {
        /// The prefix's address, 4 or 16 bytes.
        prefix: Span,
        prefix_len: u8,
        id: u32,
        /// Of a lease's subnet, as are all below: absent at Kea's own hook points.
        shared_network: Span,
        /// JSON text.
        user_context: Span,
        /// `ddns-qualifying-suffix`.
        ddns_suffix: Span,
        /// Data of the options that clients get there, unless a pool, a class or a reservation says otherwise: 15 and 6 of
        /// DHCPv4, 24 and 23 of DHCPv6.
        domain_name: Span,
        dns_servers: Span,
    }

    /// By which `lease4_renew` has looked the lease up.
    #[derive(Clone, Copy, Debug)]
    struct LookedUpBy {
        /// Absent where the client has sent none, or Kea does not go by it (`match-client-id`).
        client_id: Span,
        hwaddr: HwAddr,
    }

    /// The identity association of `lease6_renew` and `lease6_rebind` (RFC 8415, 21.4 and 21.21), as Kea answers it.
    #[derive(Clone, Copy, Debug)]
    struct Ia {
        /// The option's code: 3 IA_NA, 25 IA_PD.
        code: u16,
        iaid: u32,
        t1: u32,
        t2: u32,
    }

    /// What `ddns4_update` and `ddns6_update` are about.
    #[derive(Clone, Copy, Debug)]
    struct Ddns {
        hostname: Span,
        fwd_update: bool,
        rev_update: bool,
    }

    /// An identifier of the client for host reservations, as another hook library has set it.
    #[derive(Clone, Copy, Debug)]
    struct HostIdentifier {
        /// `Host::IdentifierType`.
        kind: u32,
        value: Span,
    }

    /// All that Kea knows at a hook point. A list of at most one item is an argument that some hook points lack.
    struct Facts<'a> {
        bytes: &'a [u8],
        names: &'a [Span],
        options: &'a [OptionFact],
        relays: &'a [Relay],
        query4: &'a [Packet4],
        response4: &'a [Packet4],
        query6: &'a [Packet6],
        response6: &'a [Packet6],
        subnet: &'a [Subnet],
        /// The one lease that the hook point is about.
        lease: &'a [Lease],
        /// The one that it replaces, at `lease4_offer` and `addr6_register`.
        old_lease: &'a [Lease],
        /// Leases of `leases4_committed`, `leases6_committed`, `lease4_offer`.
        committed: &'a [Lease],
        deleted: &'a [Lease],
        /// Of a lease event: the client's other leases.
        others: &'a [Lease],
        looked_up_by: &'a [LookedUpBy],
        ia: &'a [Ia],
        ddns: &'a [Ddns],
        host_identifier: &'a [HostIdentifier],
        /// For how long Kea keeps an offered address for the client, in seconds.
        offer_lifetime: &'a [u32],
        fake_allocation: bool,
        remove_lease: bool,
        /// Another library has told Kea to skip what it is about to do.
        is_skipped: bool,
        /// Of a lease event: there is a host reservation for the lease.
        is_reserved: bool,
    }

    /// What Kea shall do next (`CalloutHandle::CalloutNextStep`), the mildest first.
    #[derive(Debug, PartialOrd, Ord)]
    enum Step {
        Continue,
        Skip,
        Drop,
    }

    /// What a script's answer may change; answers.rs has a row for each, changes.cc a function.
    #[derive(Debug)]
    enum Key {
        ClientClasses,
        QueryOptionData,
        SubnetId,
        OptionData,
        NextServer,
        ServerHostname,
        BootFileName,
        Hostname,
        ValidLft,
        PreferredLft,
        IpAddress,
        Reservation,
        FlexId,
    }

    /// One thing that Kea shall change: one class, one option.
    #[derive(Clone, Debug)]
    struct Change {
        key: Key,
        /// The value, of a key that takes a number.
        number: u32,
        /// The value, of any other: text; of an option or a reservation its map, as JSON text, none for no reservation; of
        /// `flex-id` the bytes themselves.
        data: Vec<u8>,
        /// Which script has asked for it.
        script: u32,
        /// The value in the script's own words, for the log.
        said: String,
        /// It is of Kea's answer, and not to be made before that is sent.
        when_sent: bool,
        /// By what the answer is found that is kept and wants this, should Kea refuse it; 0 if none is kept.
        kept: u64,
    }

    /// What Kea shall do after an event. An empty list costs no allocation.
    #[derive(Clone, Debug)]
    struct Verdict {
        step: Step,
        /// In the order in which they are to be applied; empty unless `step` is `Continue`.
        changes: Vec<Change>,
        /// Not 0: the packet stays parked with this ticket. The verdict itself comes by [`Server::resume`], and may have
        /// come.
        ticket: u64,
    }

    /// How Kea comes to tell of a lease.
    #[derive(Clone, Copy, Debug)]
    enum Source {
        /// In a list of what a packet has changed: leases that are there, and leases that are not.
        Committed,
        Deleted,
        /// Only in the answer.
        Reused,
        /// Not at all: the client had it before the packet.
        Vanished,
        Expired,
        /// A command has added or changed it.
        Commanded,
        /// A command has deleted it.
        Removed,
        /// Nothing has happened to it.
        Replayed,
    }

    /// Which leases are read for a replay.
    #[derive(Debug)]
    enum Pages {
        /// None: there is no replay.
        None,
        /// None yet: scripts are not through with the last ones.
        Later,
        All,
        Subnet,
        Address,
        HwAddress,
        /// By its DUID; in DHCPv4 by its client identifier.
        Client,
    }

    /// A part of these leases, which the shim shall tell of.
    struct Page {
        pages: Pages,
        subnet_id: u32,
        /// Of an address or a client.
        bytes: Vec<u8>,
        /// Those behind this address. A DHCPv4 address fills the first four bytes.
        after: [u8; 16],
        most: u32,
    }

    /// What Kea asks for with a packet that goes on after it was parked.
    #[derive(Debug)]
    enum Resumed {
        Nothing,
        /// The subnet: in the packet's context.
        Subnet,
        /// Whether the offered address is in use: as an argument.
        AddressInUse,
    }

    /// A hook point, as hook_points.rs has it, and what scripts want there.
    #[derive(Debug)]
    struct HookPoint {
        /// What stands for it here: its index among hook_points.rs' rows.
        index: u32,
        name: String,
        is_dhcp6: bool,
        /// Kea sends its answer from here.
        sends: bool,
        /// Kea shall call us here; elsewhere our function is deregistered and costs nothing.
        is_wanted: bool,
        /// A script is called here. Else there may be changes to make that one has asked for before.
        has_events: bool,
        /// Kea can park packets here, and take them up again.
        can_park: bool,
        /// A script has its packets parked.
        parks: bool,
        resumed: Resumed,
        /// The chosen subnet is an argument, and may be changed.
        chooses_subnet: bool,
        /// A client can be reserved something here, or what a script may reserve later needs to be known here.
        reserves: bool,
        /// Kea is about to write a lease, which is to say whether a reservation has given it.
        marks_leases: bool,
    }

    #[derive(Debug)]
    enum Severity {
        Debug,
        Info,
        Warn,
        Error,
    }

    /// A line for Kea's log: an id of messages.rs and what goes into its text, in order.
    struct Message<'a> {
        severity: Severity,
        /// NUL-ended, lives as long as the library.
        id: &'static str,
        args: &'a [String],
    }

    /// A row of messages.rs for Kea's dictionary of messages.
    struct MessageText {
        id: String,
        text: String,
    }

    /// What `load` needs to know of the server.
    struct Server {
        /// `kea-dhcp4` or `kea-dhcp6`.
        name: String,
        /// As in `2.2.0`.
        version: String,
        /// Its name of a DHCPv6 packet that has no DUID, with transaction id 0 (`Pkt6::makeLabel`).
        label: String,
        /// All hook points that it knows, other servers' and other libraries' among them.
        hook_points: Vec<String>,
        /// Its directory for scripts; empty where it has none.
        scripts_directory: String,
        /// Whether they may be nowhere else.
        scripts_only_there: bool,
        /// Where it keeps its own data.
        data_directory: String,
        /// The library's parameters as JSON text; empty where there are none.
        parameters: String,
        /// Address of a `void (*)(const Message&) noexcept`: Kea's logger, callable from any thread.
        log: usize,
        /// Address of a `bool (*)() noexcept`, callable from any thread: whether the log shows what is for debugging.
        shows_debug: usize,
        /// Address of a `void (*)(Verdict&) noexcept`, callable from any thread: the verdict of a parked packet, which
        /// may be moved out of.
        resume: usize,
    }

    /// What `load` has decided.
    struct Loaded {
        /// False: the load is refused; the reason is in the log.
        ok: bool,
        /// All of them, by index; empty of a load that is refused.
        hook_points: Vec<HookPoint>,
        /// Whether the shim shall fill the `debug` facts.
        debug: bool,
        /// Whether packets may be parked.
        parks: bool,
        /// Whether scripts want lease events.
        lease_events: bool,
        /// Whether they want to know of the client's other leases in them.
        other_leases: bool,
        /// Whether it matters when Kea has taken a configuration.
        configuration: bool,
        /// How many reservations scripts may make; 0 if none may.
        reservation_limit: usize,
    }

    /// Whom a command means: at most one of these is something.
    #[derive(Clone, Default)]
    struct ForgottenClient {
        /// Wrong arguments name nobody.
        is_named: bool,
        is_any: bool,
        hwaddr: Vec<u8>,
        /// Its client identifier, in DHCPv6 its DUID.
        id: Vec<u8>,
        /// So many of its answers were kept.
        answers: usize,
    }

    /// The answer to a command of Kea's.
    struct CommandAnswer {
        /// Kea's `CONTROL_RESULT_*`.
        result: i32,
        text: String,
    }

    extern "Rust" {
        /// Every row of messages.rs. Called before `load`, while the library's static objects are made.
        fn message_texts() -> Vec<MessageText>;

        /// What a text that is none of ours is in the log.
        fn log_text(bytes: &[u8]) -> String;

        /// Starts afresh from the parameters.
        fn load(server: &Server) -> Loaded;

        /// Stops every thread; events not yet answered go on in the runner. Kea `ends`, or loads us anew.
        fn unload(ends: bool);

        /// Hands an event to the scripts that want it; returns within the configured time-out. `ticket`: not 0 if the
        /// packet can be parked; its number, which is never used again.
        fn event(hook_point: usize, facts: &Facts, ticket: u64) -> Verdict;

        /// Hands a lease event to the scripts that want it, if these facts of a lease make one.
        fn lease_event(source: Source, facts: &Facts);

        /// The next page of a replay.
        fn replay_page() -> Page;

        /// It has been told of, up to this address, and may have been the last.
        fn replay_told(last: [u8; 16], is_last: bool);

        /// Carries out the command `runscript-replay`; its arguments are JSON text, empty if there are none.
        fn replay(arguments: &str) -> CommandAnswer;

        /// All leases are to be replayed: some may have changed, of which nothing has told.
        fn replay_all();

        /// Kea has a new configuration. Called when all libraries are loaded, and the new leases' database may not be.
        fn configured();

        /// What a lease shall keep under the key `runscript` of its user context. Of what there is not, no bytes are given;
        /// `link` and `peer` are the addresses of the relay nearest to the client.
        fn lease_origin(interface: &[u8], next_hop: &[u8], link: &[u8], peer: &[u8]) -> String;

        /// Kea refuses a change, for this reason.
        fn refused(hook_point: usize, change: &Change, reason: &str);

        /// Kea has no definition of the class that a client has been put into.
        fn unknown_class(hook_point: usize, change: &Change);

        /// A packet of those options of a query (its bytes: `wire`) that Kea holds otherwise than they came. What Kea
        /// makes of it tells whether somebody has changed them. Empty if there are none.
        fn read_again4(wire: &[u8], bytes: &[u8], options: &[OptionFact]) -> Vec<u8>;

        /// The same of one layer of a DHCPv6 query: 0 is the outermost relay's, the last the client's.
        fn read_again6(wire: &[u8], layer: usize, bytes: &[u8], options: &[OptionFact]) -> Vec<u8>;

        /// Kea's main loop turns; called on its thread, once.
        fn turning();

        /// How long a callout kept Kea's thread, for `runscript-status`.
        fn callout_took(microseconds: u64);

        /// The answer to the command `runscript-status`, as JSON text. There are so many reservations now.
        fn status(reservations: usize) -> String;

        /// Carries out the command `runscript-retry`; its arguments are JSON text, empty if there are none.
        fn retry(arguments: &str) -> CommandAnswer;

        /// Carries out the command `runscript-forget`, but for the reservations; its arguments are JSON text, empty if
        /// there are none.
        fn forget_answers(arguments: &str) -> ForgottenClient;

        /// The answer to that command, once so many reservations are forgotten, too.
        fn forgotten(client: &ForgottenClient, reservations: usize) -> CommandAnswer;

        /// Current values of the `runscript.*` statistics, in the order of `statistic_names`.
        fn statistic_values() -> Vec<i64>;

        fn statistic_names() -> Vec<String>;
    }
}

use crate::hook::{
    callout_took, configured, event, forget_answers, forgotten, lease_event, lease_origin, load, log_text, refused,
    replay, replay_all, replay_page, replay_told, retry, statistic_names, statistic_values, status, turning,
    unknown_class, unload,
};
use crate::messages::message_texts;
use crate::wire::{read_again4, read_again6};
