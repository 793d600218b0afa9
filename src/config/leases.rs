//! Parameters of lease events.

use super::Kea;
use super::points::Point;
use super::read::{Refusal, Section};
use crate::hook_points::{Group, HOOK_POINTS, HookPoint};
use crate::leases;

pub fn hears_of_leases(points: &[Option<Point>]) -> bool {
    HOOK_POINTS.iter().zip(points).any(|(row, how)| row.is_of_leases() && how.is_some())
}

pub fn replay(section: &Section, points: &[Option<Point>], kea: Kea) -> Result<bool, Refusal> {
    let hears = hears_of_leases(points);
    let wanted = section.bool("replay")?.unwrap_or(hears);
    if wanted && !hears {
        return Err(section.refuse("replay", &add_lease_events("replayed", kea)));
    }
    Ok(wanted)
}

pub fn coalesce(section: &Section, points: &[Option<Point>], kea: Kea) -> Result<bool, Refusal> {
    let wanted = section.bool("coalesce")?.unwrap_or(false);
    if wanted && !hears_of_leases(points) {
        return Err(section.refuse("coalesce", &add_lease_events("coalesced", kea)));
    }
    let mut lease_events = HOOK_POINTS.iter().zip(points).filter(|(row, _)| row.is_of_leases());
    if wanted && lease_events.any(|(_, how)| how.is_some_and(|how| how.wait.waits())) {
        let remedy = "Kea waits for each lease event: leave \"wait\" out there, or this";
        return Err(section.refuse("coalesce", remedy));
    }
    Ok(wanted)
}

fn add_lease_events(what: &str, kea: Kea) -> String {
    let name = leases::hook_point(kea.server).map_or("none", |index| HOOK_POINTS[index].name);
    format!("only lease events are {what}: add {name} to \"hook-points\"")
}

pub fn other_leases(section: &Section, points: &[Option<Point>]) -> Result<bool, Refusal> {
    let wanted = section.bool("other-leases")?.unwrap_or(false);
    let has_them = |row: &HookPoint| row.groups.contains(&Group::OtherLeases6);
    if wanted && !HOOK_POINTS.iter().zip(points).any(|(row, how)| has_them(row) && how.is_some()) {
        return Err(section.refuse(
            "other-leases",
            "only lease6_changed has them, in kea-dhcp6: add that to \"hook-points\", or leave this out",
        ));
    }
    Ok(wanted)
}
