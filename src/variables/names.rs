//! The names that variables may have: those that `write_variables` writes, by the same tables, and no others.

use std::sync::LazyLock;

use super::rows::{self, Row};
use super::{COMMON_PREFIX, TRUNCATED, isc, options, prefix};
use crate::bridge::ffi::Lease;
use crate::hook_points::{Group, HOOK_POINTS};

/// Numbers that count: relays of a packet, leases of a list. A packet of 64 KiB has no more.
const MOST: u32 = u16::MAX as u32;

/// What follows `OPTION_<code>`, in this order: a word, the most that the number behind it may be, and how often both may
/// come.
const BEHIND_AN_OPTION: [(&str, u32, usize); 2] =
    [("_ENTERPRISE_", u32::MAX, 1), ("_SUB_", u16::MAX as u32, options::DEPTHS - 1)];

/// The groups that hook points have.
static GROUPS: LazyLock<Vec<Group>> = LazyLock::new(|| {
    let mut groups: Vec<Group> = Vec::new();
    for group in HOOK_POINTS.iter().flat_map(|point| point.groups) {
        if !groups.contains(group) {
            groups.push(*group);
        }
    }
    groups
});

/// Whether this is the name of a variable that an event may have.
pub fn is_name(name: &str) -> bool {
    kind(name).is_some()
}

/// Whether this is a variable of a hook point's groups, of dialect `runscript`.
pub fn is_of_group(name: &str) -> bool {
    GROUPS.iter().any(|&group| name.strip_prefix(prefix(group)).and_then(|rest| kind_in(group, rest)).is_some())
}

/// What the variable of this name holds, in the rows' words; `None` if there is none.
pub fn kind(name: &str) -> Option<&'static str> {
    let common = |rest| match rest {
        TRUNCATED => Some("text"),
        _ => named(rows::OCCASION, rest).or_else(|| named(rows::TRY, rest)),
    };
    let of_group = |&group| name.strip_prefix(prefix(group)).and_then(|rest| kind_in(group, rest));
    let ours = name.strip_prefix(COMMON_PREFIX).and_then(common).or_else(|| GROUPS.iter().find_map(of_group));
    ours.or_else(|| kind_of_isc(name))
}

/// The same of dialect `isc`.
fn kind_of_isc(name: &str) -> Option<&'static str> {
    let of_group = |&group| {
        let rest = name.strip_prefix(isc::prefix(group)?)?;
        match group {
            Group::Query4 => named(isc::PACKET4, rest),
            Group::Query6 => named(isc::PACKET6, rest),
            Group::Subnet4 | Group::Subnet6 => named(isc::SUBNET, rest),
            Group::Lease4 | Group::Lease6 | Group::OldLease6 => named(isc::LEASE, rest),
            Group::RemoveLease => named(isc::REMOVE_LEASE, rest),
            Group::Leases4 | Group::Leases6 | Group::DeletedLeases4 | Group::DeletedLeases6 => listed(rest, isc::LEASE),
            _ => None,
        }
    };
    let others = || {
        let of = |prefix| name.strip_prefix(prefix);
        let looked_up_by = of(isc::LOOKED_UP_BY_PREFIX).and_then(|rest| named(isc::LOOKED_UP_BY, rest));
        let ia = || of(isc::IA_PREFIX).and_then(|rest| named(isc::IA, rest));
        let new = || of(isc::NEW_LEASE_PREFIX).and_then(|rest| named(isc::LEASE, rest));
        looked_up_by.or_else(ia).or_else(new).or_else(|| named(isc::ADDRESS, name))
    };
    GROUPS.iter().find_map(of_group).or_else(others)
}

/// The same of a group's variable whose name goes on so behind the group's prefix.
fn kind_in(group: Group, rest: &str) -> Option<&'static str> {
    match group {
        Group::Query4 | Group::Response4 => named(rows::PACKET4, rest).or_else(|| option(rest)),
        Group::Query6 | Group::Response6 => {
            named(rows::PACKET6, rest).or_else(|| option(rest)).or_else(|| of_relay(rest))
        }
        Group::Subnet4 | Group::Subnet6 => named(rows::SUBNET, rest),
        Group::Lease4 | Group::Lease6 | Group::OldLease4 | Group::OldLease6 => named(rows::LEASE, rest),
        Group::Leases4 | Group::Leases6 | Group::DeletedLeases4 | Group::DeletedLeases6 | Group::OtherLeases6 => {
            listed(rest, rows::LEASE)
        }
        Group::OfferLifetime => named(rows::OFFER_LIFETIME, rest),
        Group::FakeAllocation => named(rows::FAKE_ALLOCATION, rest),
        Group::RemoveLease => named(rows::REMOVE_LEASE, rest),
        Group::Ddns => named(rows::DDNS, rest),
        Group::HostIdentifier => named(rows::HOST_IDENTIFIER, rest),
        Group::Changed4 => named(rows::CHANGED, rest),
        Group::Changed6 => named(rows::CHANGED, rest).or_else(|| named(rows::CHANGED6, rest)),
    }
}

fn named<T>(rows: &[Row<T>], name: &str) -> Option<&'static str> {
    rows.iter().find(|row| row.name == name).map(|row| row.kind)
}

/// Of a list of leases.
fn listed(rest: &str, rows: &[Row<Lease>]) -> Option<&'static str> {
    match rest {
        "SIZE" => Some("number"),
        _ => numbered(rest, "AT", MOST).and_then(|rest| behind(rest, rows)),
    }
}

/// `_<name of a row>`.
fn behind<T>(rest: &str, rows: &[Row<T>]) -> Option<&'static str> {
    named(rows, rest.strip_prefix('_')?)
}

fn of_relay(name: &str) -> Option<&'static str> {
    let rest = numbered(name, "RELAY", MOST)?;
    behind(rest, rows::RELAY).or_else(|| option(rest.strip_prefix('_')?))
}

fn option(name: &str) -> Option<&'static str> {
    let mut rest = numbered(name, "OPTION_", u16::MAX.into())?;
    for (word, most, times) in BEHIND_AN_OPTION {
        for _ in 0..times {
            rest = numbered(rest, word, most).unwrap_or(rest);
        }
    }
    rest.is_empty().then_some("hex")
}

/// The rest of `text` behind `word` and a number up to `most`, written as we write numbers.
fn numbered<'a>(text: &'a str, word: &str, most: u32) -> Option<&'a str> {
    let text = text.strip_prefix(word)?;
    let (number, rest) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    let is_ours = number == "0" || !number.starts_with('0');
    (is_ours && number.parse::<u32>().is_ok_and(|number| number <= most)).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::super::Style;
    use super::super::tests::{Shim, everything, written};
    use super::*;
    use crate::dialect::Dialect;

    const OURS: Style = Style { dialect: Dialect::Runscript, debug: true };
    const ISCS: Style = Style { dialect: Dialect::Isc, debug: true };

    #[test]
    fn every_name_that_is_written_is_one() {
        for point in HOOK_POINTS {
            let mut shim = Shim::default();
            let variables = written(point.name, everything(&mut shim), OURS);
            let names: Vec<&str> = variables.iter().map(|(name, _)| name).collect();
            for name in &names {
                assert!(is_name(name), "{}: {name}", point.name);
            }
            for (name, _) in written(point.name, everything(&mut shim), ISCS).iter() {
                assert!(is_name(name), "{}: {name}", point.name);
            }
            // None of the hook point's groups was missing.
            for group in point.groups {
                assert!(
                    names.iter().any(|name| name
                        .strip_prefix(prefix(*group))
                        .is_some_and(|rest| kind_in(*group, rest).is_some()))
                );
            }
        }
    }

    #[test]
    fn every_number_that_is_written_is_one() {
        for code in 0..=u16::MAX {
            assert!(
                is_name(&format!("KEA_QUERY4_OPTION_{code}"))
                    && is_name(&format!("KEA_RESPONSE6_OPTION_17_SUB_{code}"))
            );
        }
        for name in [
            "KEA_QUERY6_OPTION_17_SUB_1_SUB_2_SUB_3",
            "KEA_QUERY6_RELAY31_OPTION_37_SUB_65535",
            "KEA_QUERY4_OPTION_125_ENTERPRISE_4294967295_SUB_1",
            "KEA_LEASES6_AT65535_ADDRESS",
            "KEA_TRUNCATED",
        ] {
            assert!(is_name(name), "{name}");
        }
    }

    #[test]
    fn nothing_else_is_one() {
        let others = [
            "",
            "LD_PRELOAD",
            "PATH",
            "BASH_ENV",
            "IFS",
            "-c",
            "KEA_",
            "KEA_RUNSCRIPT",
            "KEA_QUERY4",
            "KEA_QUERY4_",
            "KEA_QUERY4_TYPES",
            "XKEA_QUERY4_TYPE",
            " KEA_QUERY4_TYPE",
            "KEA_QUERY4_TYPE ",
            "kea_query4_type",
            "KEA_QUERY4_type",
            "KEA_QUERY4_TYPE=x",
            "KEA_QUERY4_TYPE\0",
            "KEA_QUERY4_TYPE\n",
            "KEA_QUERY5_TYPE",
            "KEA_SUBNET4_TYPE",
            "KEA_QUERY4_ＴＹＰＥ",
            "KEA_QUERY4_OPTION_٣",
            "KEA_QUERY4_OPTION_",
            "KEA_QUERY4_OPTION_065",
            "KEA_QUERY4_OPTION_65536",
            "KEA_QUERY4_OPTION_+1",
            "KEA_QUERY4_OPTION_-1",
            "KEA_QUERY4_OPTION_1_",
            "KEA_QUERY4_OPTION_1_SUB_",
            "KEA_QUERY4_OPTION_1_SUB_65536",
            "KEA_QUERY4_OPTION_99999999999999999999",
            "KEA_QUERY4_SUB_1",
            "KEA_QUERY4_OPTION_1_SUB_1_SUB_1_SUB_1_SUB_1",
            "KEA_QUERY4_OPTION_1_ENTERPRISE_4294967296_SUB_1",
            "KEA_QUERY4_OPTION_1_SUB_1_ENTERPRISE_1",
            "KEA_QUERY4_RELAY0_HOPS",
            "KEA_QUERY6_RELAY_HOPS",
            "KEA_QUERY6_RELAY0HOPS",
            "KEA_QUERY6_RELAY00_HOPS",
            "KEA_QUERY6_RELAY65536_HOPS",
            "KEA_QUERY6_RELAY0_TYPE",
            "KEA_QUERY6_RELAY0_",
            "KEA_LEASES4_AT_ADDRESS",
            "KEA_LEASES4_AT65536_ADDRESS",
            "KEA_LEASES4_AT4294967296_ADDRESS",
            "KEA_LEASES4_AT01_ADDRESS",
            "KEA_LEASES4_AT-1_ADDRESS",
            "KEA_LEASES4_SIZE0",
            "KEA_LEASES4_ADDRESS",
            "KEA_LEASE4_AT0_ADDRESS",
            "QUERY4_",
            "QUERY4_OPTION_81",
            "QUERY4_OPTION_82_SUB_OPTION_3",
            "RESPONSE4_TYPE",
            "LEASES4_AT65536_ADDRESS",
            "PKT4_TYPE",
            "ADDRESS",
            "REMOVE_LEASE_",
        ];
        for name in others {
            assert!(!is_name(name), "{name:?}");
        }
    }

    #[test]
    fn a_name_with_one_character_more_less_or_other_is_none() {
        let mut shim = Shim::default();
        let (ours, iscs) = (everything(&mut shim), everything(&mut Shim::default()));
        let (ours, iscs) =
            (written("leases6_committed", ours, Style::default()), written("addr6_register", iscs, ISCS));
        for (name, _) in ours.iter().chain(iscs.iter()) {
            for at in (0..name.len()).filter(|at| !name.as_bytes()[*at].is_ascii_digit()) {
                let (before, after) = name.split_at(at);
                for other in ["\0", "=", "-", "é", "x", " "] {
                    assert!(
                        !is_name(&format!("{before}{other}{after}"))
                            && !is_name(&format!("{before}{other}{}", &after[1..]))
                    );
                }
            }
        }
    }
}
