//! Parameters of lease events.

use super::points::Point;
use super::read::{Refusal, Section};
use crate::hook_points::{Group, HOOK_POINTS, HookPoint};

pub fn hears_of_leases(points: &[Option<Point>]) -> bool {
    HOOK_POINTS.iter().zip(points).any(|(row, how)| row.is_of_leases() && how.is_some())
}

pub fn replay(section: &Section, points: &[Option<Point>]) -> Result<bool, Refusal> {
    let hears = hears_of_leases(points);
    let wanted = section.bool("replay")?.unwrap_or(hears);
    if wanted && !hears {
        let remedy = "only lease events are replayed: add lease4_changed or lease6_changed to \"hook-points\"";
        return Err(section.refuse("replay", remedy));
    }
    Ok(wanted)
}

pub fn coalesce(section: &Section, points: &[Option<Point>]) -> Result<bool, Refusal> {
    let wanted = section.bool("coalesce")?.unwrap_or(false);
    if wanted && !hears_of_leases(points) {
        let remedy = "only lease events are coalesced: add lease4_changed or lease6_changed to \"hook-points\"";
        return Err(section.refuse("coalesce", remedy));
    }
    let mut lease_events = HOOK_POINTS.iter().zip(points).filter(|(row, _)| row.is_of_leases());
    if wanted && lease_events.any(|(_, how)| how.is_some_and(|how| how.wait.waits())) {
        let remedy = "Kea waits for each lease event: leave \"wait\" out there, or this";
        return Err(section.refuse("coalesce", remedy));
    }
    Ok(wanted)
}

pub fn other_leases(section: &Section, points: &[Option<Point>]) -> Result<bool, Refusal> {
    let wanted = section.bool("other-leases")?.unwrap_or(false);
    let has_them = |row: &HookPoint| row.groups.contains(&Group::OtherLeases6);
    if wanted && !HOOK_POINTS.iter().zip(points).any(|(row, how)| has_them(row) && how.is_some()) {
        return Err(section.refuse("other-leases", "only lease6_changed has them: add that to \"hook-points\""));
    }
    Ok(wanted)
}
