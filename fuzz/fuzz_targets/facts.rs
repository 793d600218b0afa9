//! What Kea knows at a hook point: any facts, in the arrays that the shim lays out and beyond them.
#![no_main]

use arbitrary::{Result, Unstructured};
use kea_hook_runscript::bridge::{ABSENT, ffi};
use kea_hook_runscript::fuzzing::line;
use kea_hook_runscript::hook_points::HOOK_POINTS;
use libfuzzer_sys::fuzz_target;

/// What stands before the options of a DHCPv4 packet.
const BEFORE: usize = 236;
const COOKIE: [u8; 4] = [0x63, 0x82, 0x53, 0x63];

const SOURCES: [ffi::Source; 8] = [
    ffi::Source::Committed,
    ffi::Source::Deleted,
    ffi::Source::Reused,
    ffi::Source::Vanished,
    ffi::Source::Expired,
    ffi::Source::Commanded,
    ffi::Source::Removed,
    ffi::Source::Replayed,
];

fuzz_target!(|data: &[u8]| {
    let _ = run(&mut Unstructured::new(data));
});

fn run(data: &mut Unstructured) -> Result<()> {
    let (point, debug, is_iscs) = (data.choose_index(HOOK_POINTS.len())?, data.arbitrary()?, data.arbitrary()?);
    let source = *data.choose(&SOURCES)?;
    // Most of the bytes, as the rest of what is made here takes little.
    let length = data.arbitrary::<u16>()? as usize * data.len() / (1 << 16);
    let rest = data.bytes(length)?;
    let bytes = if data.arbitrary()? { [&[0; BEFORE][..], &COOKIE, rest].concat() } else { rest.to_vec() };
    let facts = ffi::Facts {
        query4: &optional(data)?,
        query6: &optional(data)?,
        options: &options(data)?,
        names: &list(data)?,
        relays: &list(data)?,
        lease: &optional(data)?,
        committed: &list(data)?,
        deleted: &list(data)?,
        others: &list(data)?,
        old_lease: &optional(data)?,
        response4: &optional(data)?,
        response6: &optional(data)?,
        subnet: &optional(data)?,
        looked_up_by: &optional(data)?,
        ia: &optional(data)?,
        ddns: &optional(data)?,
        host_identifier: &optional(data)?,
        offer_lifetime: &optional(data)?,
        fake_allocation: data.arbitrary()?,
        remove_lease: data.arbitrary()?,
        is_skipped: data.arbitrary()?,
        is_reserved: data.arbitrary()?,
        bytes: &bytes,
    };
    line(point, source, &facts, debug, is_iscs);
    Ok(())
}

/// A fact, out of the bytes that the fuzzer makes.
trait Fact: Sized {
    fn make(data: &mut Unstructured) -> Result<Self>;
}

fn optional<T: Fact>(data: &mut Unstructured) -> Result<Vec<T>> {
    if data.ratio(3, 4)? { Ok(vec![T::make(data)?]) } else { Ok(vec![]) }
}

fn list<T: Fact>(data: &mut Unstructured) -> Result<Vec<T>> {
    let mut all = Vec::new();
    while !data.is_empty() && data.ratio(3, 4)? {
        all.push(T::make(data)?);
    }
    Ok(all)
}

/// As deep below each other as the shim lays them out.
fn options(data: &mut Unstructured) -> Result<Vec<ffi::OptionFact>> {
    const DEEPEST: u8 = 3;
    let mut all: Vec<ffi::OptionFact> = list(data)?;
    let mut deepest = 0;
    for option in &mut all {
        option.depth = option.depth.min(deepest);
        deepest = DEEPEST.min(option.depth + 1);
    }
    Ok(all)
}

/// Within the arrays, more often than not.
impl Fact for ffi::Span {
    fn make(data: &mut Unstructured) -> Result<Self> {
        let (start, len) = match data.int_in_range(0..=15)? {
            0 => (ABSENT, data.arbitrary()?),
            1 => (data.arbitrary()?, data.arbitrary()?),
            2 => (0, data.arbitrary::<u16>()?.into()),
            _ => (data.arbitrary::<u8>()?.into(), data.int_in_range(0..=40)?),
        };
        Ok(ffi::Span { start, len })
    }
}

macro_rules! plain {
    ($($type:ty)*) => {
        $(impl Fact for $type {
            fn make(data: &mut Unstructured) -> Result<Self> {
                data.arbitrary()
            }
        })*
    };
}

plain!(bool u8 u16 u32 i64 [u8; 16]);

macro_rules! facts {
    ($($name:ident: $($field:ident)*;)*) => {
        $(impl Fact for ffi::$name {
            fn make(data: &mut Unstructured) -> Result<Self> {
                Ok(ffi::$name { $($field: Fact::make(data)?),* })
            }
        })*
    };
}

facts! {
    OptionFact: code depth data;
    HwAddr: bytes htype source;
    Packet4: wire options again name interface ifindex hwaddr ciaddr yiaddr siaddr giaddr relayed hops secs flags transaction_id
        local_address local_port remote_address remote_port local_hwaddr remote_hwaddr classes vendor_class rai circuit_id remote_id;
    Relay: hops link_address peer_address options again;
    Packet6: wire options again relays name interface ifindex hwaddr transaction_id local_address local_port
        remote_address remote_port remote_hwaddr is_tcp has_duid classes debug;
    Lease: kind address prefix_len hwaddr client hostname cltt valid_lft preferred_lft iaid subnet_id pool_id state
        expired fqdn_fwd fqdn_rev user_context debug;
    Subnet: prefix prefix_len id shared_network user_context ddns_suffix domain_name dns_servers;
    LookedUpBy: client_id hwaddr;
    Ia: code iaid t1 t2;
    Ddns: hostname fwd_update rev_update;
    HostIdentifier: kind value;
}
