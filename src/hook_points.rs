//! Kea's hook points: one row each. To add one: a name in exports.map, a callout, a row here.

#[cfg(test)]
mod tests;

use crate::bridge::ffi::{Key, Resumed, Step};
use crate::verdict::Next;

const CONTINUE: Step = Step::Continue;
const SKIP: Step = Step::Skip;
const DROP: Step = Step::Drop;

/// The server whose hook point it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    Dhcp4,
    Dhcp6,
    /// Either of them.
    Any,
}

impl Server {
    pub fn name(self) -> &'static str {
        match self {
            Server::Dhcp4 => "kea-dhcp4",
            Server::Dhcp6 => "kea-dhcp6",
            Server::Any => "any server",
        }
    }
}

impl HookPoint {
    const fn since(self, version: &'static str) -> HookPoint {
        HookPoint { since: Some(version), ..self }
    }

    /// From this version on, development versions included, Kea can park packets here, and take them up again with
    /// what scripts have changed.
    const fn parks(self, version: &'static str, resumed: Resumed) -> HookPoint {
        HookPoint { parks: Some(version), resumed, ..self }
    }

    /// Kea's answer is there and about to be sent: scripts' wishes for it are made here.
    const fn sends(self, keys: &'static [Key]) -> HookPoint {
        HookPoint { sends: true, ..self.of_packet().honours(keys) }
    }

    /// Events here are of a packet alone, which its client sends again.
    const fn of_packet(self) -> HookPoint {
        HookPoint { of_packet: true, ..self }
    }

    /// Kea knows nothing of it: we make its events.
    const fn ours(self) -> HookPoint {
        HookPoint { is_ours: true, ..self }
    }

    /// Lease events are made of what Kea says here.
    const fn tells_of_leases(self) -> HookPoint {
        HookPoint { tells_of_leases: true, ..self }
    }

    /// libdhcp_run_script is called here.
    const fn of_isc(self) -> HookPoint {
        HookPoint { of_isc: true, ..self }
    }

    const fn honours(self, keys: &'static [Key]) -> HookPoint {
        HookPoint { keys, ..self }
    }

    /// Whether this server has it.
    pub fn is_of(&self, server: Server) -> bool {
        self.server == server || self.server == Server::Any
    }

    /// Kea's own life is told of here: no packet, no lease.
    pub fn is_of_kea(&self) -> bool {
        self.server == Server::Any
    }

    /// Whether its events are of leases.
    pub fn is_of_leases(&self) -> bool {
        self.groups.iter().any(|group| matches!(group, Group::Changed4 | Group::Changed6))
    }

    /// What a verdict means to Kea here.
    pub fn step(&self, next: Next) -> Step {
        match next {
            Next::Continue => Step::Continue,
            Next::Skip => self.skip,
            Next::Drop => self.drop,
        }
    }
}

/// A set of variables that a hook point has; variables.rs has their rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Query4,
    Response4,
    Query6,
    Response6,
    Subnet4,
    Subnet6,
    Lease4,
    Lease6,
    Leases4,
    Leases6,
    DeletedLeases4,
    DeletedLeases6,
    OldLease4,
    OldLease6,
    OfferLifetime,
    FakeAllocation,
    RemoveLease,
    Ddns,
    HostIdentifier,
    Changed4,
    Changed6,
    OtherLeases6,
}

/// A hook point, as Kea's Developer's Guide describes it ("DHCPv4 Hooks", "DHCPv6 Hooks").
#[derive(Debug)]
pub struct HookPoint {
    pub name: &'static str,
    pub server: Server,
    /// Whether scripts are called here unless `hook-points` says otherwise: the nineteen of kea-hook-runscript 1.4.0.
    pub default: bool,
    pub groups: &'static [Group],
    /// What Kea is told where a script, or `on-failure`, says skip: where Kea knows no skip, or means by it that
    /// the library has done Kea's own work, something that has the meaning.
    pub skip: Step,
    /// The same for drop.
    pub drop: Step,
    /// What a script's answer may change here.
    pub keys: &'static [Key],
    /// When Kea calls it and what skip and drop do there.
    pub doc: &'static str,
    /// The first stable version of Kea that has it; `None` if all do that we know.
    pub since: Option<&'static str>,
    /// The first version of Kea that can park packets here; `None` if none can.
    pub parks: Option<&'static str>,
    pub resumed: Resumed,
    /// Whether what scripts have wanted of Kea's answer, here or earlier, is done here.
    pub sends: bool,
    /// Whether its events are of a packet or an offer: dropped before those of leases, where there is no room for all.
    pub of_packet: bool,
    /// Whether ISC's libdhcp_run_script of Kea 3.0 has it.
    pub of_isc: bool,
    /// Whether it is none of Kea's.
    pub is_ours: bool,
    /// Whether lease events are made of what Kea says here.
    pub tells_of_leases: bool,
}

const fn point(
    name: &'static str,
    server: Server,
    default: bool,
    groups: &'static [Group],
    [skip, drop]: [Step; 2],
    doc: &'static str,
) -> HookPoint {
    HookPoint {
        name,
        server,
        default,
        groups,
        skip,
        drop,
        keys: &[],
        doc,
        since: None,
        parks: None,
        resumed: Resumed::Nothing,
        sends: false,
        of_packet: false,
        of_isc: false,
        is_ours: false,
        tells_of_leases: false,
    }
}

use Group::*;
use Server::*;

const CLASSES: &[Key] = &[Key::ClientClasses];
const RECEIVED: &[Key] = &[Key::ClientClasses, Key::QueryOptionData];
const SUBNET: &[Key] = &[Key::ClientClasses, Key::SubnetId, Key::Reservation];
const IDENTIFIER: &[Key] = &[Key::Reservation, Key::FlexId];
const SELECTED4: &[Key] = &[Key::ClientClasses, Key::ValidLft, Key::IpAddress];
const SELECTED6: &[Key] = &[Key::ClientClasses, Key::ValidLft, Key::PreferredLft, Key::IpAddress];
const RENEWED4: &[Key] = &[Key::ClientClasses, Key::ValidLft];
const RENEWED6: &[Key] = &[Key::ClientClasses, Key::ValidLft, Key::PreferredLft];
const SENT4: &[Key] = &[Key::OptionData, Key::NextServer, Key::ServerHostname, Key::BootFileName];

/// Those of Kea's own life.
pub const LOAD: &str = "load";
pub const CONFIGURED: &str = "configured";
pub const UNLOAD: &str = "unload";

/// All hook points, in the order in which a packet meets them.
#[rustfmt::skip]
pub const HOOK_POINTS: &[HookPoint] = &[
    point("buffer4_receive", Dhcp4, false, &[Query4], [CONTINUE, DROP],
        "A packet has arrived and is not parsed yet. The variables come from a copy that is parsed for them; of a packet that cannot be parsed only what comes before the error is known, and `..._TYPE` is empty. drop: the packet is dropped.").of_packet().honours(CLASSES),
    point("pkt4_receive", Dhcp4, true, &[Query4], [DROP, DROP],
        "A packet has been parsed. skip, drop: the packet is dropped.").of_packet().honours(RECEIVED),
    point("subnet4_select", Dhcp4, true, &[Query4, Subnet4], [SKIP, DROP],
        "Kea has chosen a subnet, or found none (empty values). skip: no subnet; drop: the packet is dropped.").of_packet().honours(SUBNET).parks("2.5.7", Resumed::Subnet).tells_of_leases(),
    point("host4_identifier", Dhcp4, false, &[Query4, HostIdentifier], [SKIP, SKIP],
        "Kea asks for a client's `flex-id` (only if `host-reservation-identifiers` names it). skip, drop: there is none, and no reservation by this answer.").of_packet().honours(IDENTIFIER),
    point("ddns4_update", Dhcp4, false, &[Query4, Response4, Subnet4, Ddns], [CONTINUE, CONTINUE],
        "Kea has made up the client's name and whether to update DNS; comes before lease4_select. Kea knows neither skip nor drop here.").of_packet().honours(&[Key::Hostname]),
    point("lease4_select", Dhcp4, true, &[Query4, Subnet4, FakeAllocation, OfferLifetime, Lease4], [SKIP, SKIP],
        "Kea has picked an address to offer (`KEA_FAKE_ALLOCATION` is 1) or to lease (0). skip, drop: the client does not get it. `KEA_OFFER_LIFETIME` from Kea 2.4 on.").honours(SELECTED4).tells_of_leases(),
    point("lease4_renew", Dhcp4, true, &[Query4, Subnet4, Lease4], [SKIP, SKIP],
        "A client that has a lease asks for it again, also by DHCPDISCOVER. skip, drop: the lease is not extended.").of_isc().honours(RENEWED4).tells_of_leases(),
    point("lease4_release", Dhcp4, true, &[Query4, Lease4], [SKIP, DROP],
        "A client releases its lease. skip, drop: the lease is kept.").of_isc().tells_of_leases(),
    point("lease4_decline", Dhcp4, true, &[Query4, Lease4], [SKIP, DROP],
        "A client says that its address is in use by another. skip, drop: the lease is not declined.").of_isc().tells_of_leases(),
    point("leases4_committed", Dhcp4, false, &[Query4, Leases4, DeletedLeases4, Response4], [CONTINUE, DROP],
        "All that a packet changes in the lease database has been done; both lists are empty if that is nothing. A declined lease is in the list, with its state; expiry is no packet: see `lease4_expire`. drop: no answer is sent; the leases stay as they are. `KEA_RESPONSE4_*` from Kea 3.0 on, unless there is no answer.").of_isc().honours(SENT4).parks("2.2", Resumed::Nothing).tells_of_leases(),
    point("lease4_offer", Dhcp4, false, &[Query4, Leases4, OldLease4, OfferLifetime, Response4], [CONTINUE, DROP],
        "An offer is ready; the list has the offered lease. drop: it is not sent. `KEA_RESPONSE4_*` from Kea 3.0 on.").since("2.6").of_packet().honours(SENT4).parks("2.5.2", Resumed::AddressInUse),
    point("lease4_server_decline", Dhcp4, false, &[Query4, Lease4], [CONTINUE, CONTINUE],
        "Another hook library, such as `ping_check`, has found the offered address in use, and Kea has declined it. Kea knows neither skip nor drop here.").since("2.6"),
    point("pkt4_send", Dhcp4, true, &[Response4, Query4, Subnet4], [CONTINUE, DROP],
        "The answer is ready. drop: it is not sent. `KEA_SUBNET4*` from Kea 2.6 on.").sends(SENT4).tells_of_leases(),
    point("buffer4_send", Dhcp4, false, &[Response4], [DROP, DROP],
        "The answer has been put into wire format. skip, drop: it is not sent.").of_packet(),
    point("lease4_expire", Dhcp4, true, &[Lease4, RemoveLease], [SKIP, CONTINUE],
        "A lease has expired. skip: the lease is not reclaimed now, and the hook point comes again at the next cycle.").of_isc().tells_of_leases(),
    point("lease4_recover", Dhcp4, true, &[Lease4], [SKIP, CONTINUE],
        "A declined address is about to be used again. skip: it stays declined.").of_isc(),
    point("lease4_changed", Dhcp4, false, &[Changed4, Lease4, OldLease4, Subnet4, Query4], [CONTINUE, CONTINUE],
        "What has become of one lease: by a packet, at its end, or by a command. Kea waits only if `wait` says so, and only where a client waits for Kea. See [operation.md](operation.md#leases).").ours(),

    point("buffer6_receive", Dhcp6, false, &[Query6], [CONTINUE, DROP],
        "A packet has arrived and is not parsed yet. The variables come from a copy that is parsed for them; of a packet that cannot be parsed only what comes before the error is known, and `..._TYPE` is empty. drop: the packet is dropped.").of_packet().honours(CLASSES),
    point("pkt6_receive", Dhcp6, true, &[Query6], [DROP, DROP],
        "A packet has been parsed. skip, drop: the packet is dropped.").of_packet().honours(RECEIVED),
    point("subnet6_select", Dhcp6, true, &[Query6, Subnet6], [SKIP, DROP],
        "Kea has chosen a subnet, or found none (empty values). skip: no subnet; drop: the packet is dropped.").of_packet().honours(SUBNET).parks("2.5.7", Resumed::Subnet).tells_of_leases(),
    point("host6_identifier", Dhcp6, false, &[Query6, HostIdentifier], [SKIP, SKIP],
        "Kea asks for a client's `flex-id` (only if `host-reservation-identifiers` names it). skip, drop: there is none, and no reservation by this answer.").of_packet().honours(IDENTIFIER),
    point("ddns6_update", Dhcp6, false, &[Query6, Response6, Subnet6, Ddns], [CONTINUE, CONTINUE],
        "Kea has made up the client's name and whether to update DNS. Kea knows neither skip nor drop here.").of_packet().honours(&[Key::Hostname]),
    point("lease6_select", Dhcp6, true, &[Query6, Subnet6, FakeAllocation, Lease6], [SKIP, SKIP],
        "Kea has picked an address or prefix to offer (`KEA_FAKE_ALLOCATION` is 1) or to lease (0). skip, drop: the client does not get it.").honours(SELECTED6).tells_of_leases(),
    point("lease6_renew", Dhcp6, true, &[Query6, Lease6], [SKIP, SKIP],
        "A client renews; once per lease. skip, drop: this lease is not extended.").of_isc().honours(RENEWED6).tells_of_leases(),
    point("lease6_rebind", Dhcp6, true, &[Query6, Lease6], [SKIP, SKIP],
        "A client rebinds; once per lease. skip, drop: this lease is not extended.").of_isc().honours(RENEWED6).tells_of_leases(),
    point("lease6_release", Dhcp6, true, &[Query6, Lease6], [SKIP, DROP],
        "A client releases; once per lease. skip, drop: the lease is kept.").of_isc(),
    point("lease6_decline", Dhcp6, true, &[Query6, Lease6], [SKIP, DROP],
        "A client says that an address is in use by another. skip: this lease is not declined; drop: the packet is dropped.").of_isc(),
    point("addr6_register", Dhcp6, false, &[Query6, Response6, Lease6, OldLease6], [SKIP, DROP],
        "A client registers an address that it has given itself (RFC 9686). skip: it is answered, but no lease is made; drop: the packet is dropped.").since("3.0").of_isc().tells_of_leases(),
    point("leases6_committed", Dhcp6, false, &[Query6, Leases6, DeletedLeases6, Response6], [CONTINUE, DROP],
        "All that a packet changes in the lease database has been done; both lists are empty if that is nothing. A declined lease is in the list, with its state; expiry is no packet: see `lease6_expire`. drop: no answer is sent; the leases stay as they are. `KEA_RESPONSE6_*` from Kea 3.0 on, unless there is no answer.").of_isc().honours(&[Key::OptionData]).parks("2.2", Resumed::Nothing).tells_of_leases(),
    point("pkt6_send", Dhcp6, true, &[Query6, Response6, Subnet6], [CONTINUE, DROP],
        "The answer is ready. drop: it is not sent. `KEA_SUBNET6*` from Kea 2.6 on.").sends(&[Key::OptionData]).tells_of_leases(),
    point("buffer6_send", Dhcp6, false, &[Response6], [DROP, DROP],
        "The answer has been put into wire format. skip, drop: it is not sent.").of_packet(),
    point("lease6_expire", Dhcp6, true, &[Lease6, RemoveLease], [SKIP, CONTINUE],
        "A lease has expired. skip: the lease is not reclaimed now, and the hook point comes again at the next cycle.").of_isc().tells_of_leases(),
    point("lease6_recover", Dhcp6, true, &[Lease6], [SKIP, CONTINUE],
        "A declined address is about to be used again. skip: it stays declined.").of_isc(),
    point("lease6_changed", Dhcp6, false, &[Changed6, Lease6, OldLease6, OtherLeases6, Subnet6, Query6], [CONTINUE, CONTINUE],
        "What has become of one lease: by a packet, at its end, or by a command. Kea waits only if `wait` says so, and only where a client waits for Kea. See [operation.md](operation.md#leases).").ours(),

    point(LOAD, Any, false, &[], [CONTINUE, CONTINUE],
        "Kea has started, and begins to serve. Not waited for.").ours(),
    point(CONFIGURED, Any, false, &[], [CONTINUE, CONTINUE],
        "Kea has taken a new configuration, or the same again. Not at its start. Not waited for.").ours(),
    point(UNLOAD, Any, false, &[], [CONTINUE, CONTINUE],
        "Kea ends, and waits for the program, one second at most, whatever `wait` says. The program is stopped then. Not when Kea is killed.").ours(),
];

impl HookPoint {
    /// Whether a packet can be dropped here and nothing is lost but the packet, which its client sends again.
    pub fn drops_packets(&self) -> bool {
        self.of_packet && self.drop == DROP
    }

    /// Whether Kea is about to write a lease of a client that asks for one.
    pub fn gives_lease(&self) -> bool {
        self.keys.contains(&Key::ValidLft)
    }

    /// Whether an answer can be kept for the next event here that is like it: it is asked for, and for a packet.
    pub fn keeps_answers(&self) -> bool {
        self.groups.iter().any(|group| matches!(group, Group::Query4 | Group::Query6)) && !self.is_of_leases()
    }

    /// Whether a change of this key has to wait until Kea's answer is sent.
    pub fn comes_too_early(&self, key: Key) -> bool {
        !self.sends && HOOK_POINTS.iter().any(|row| row.sends && row.server == self.server && row.keys.contains(&key))
    }
}

/// The row of this name, as an index of [`HOOK_POINTS`].
pub fn find(name: &str) -> Option<usize> {
    HOOK_POINTS.iter().position(|point| point.name == name)
}

pub fn hook_point_names() -> Vec<String> {
    HOOK_POINTS.iter().map(|point| point.name.to_string()).collect()
}
