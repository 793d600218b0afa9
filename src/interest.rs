//! What Kea's hook points are to us: what scripts want there, and what the shim has to do there for them.

use crate::bridge::ffi::{self, Key};
use crate::config::{Config, Kea, Point, Wait};
use crate::dispatch::Script;
use crate::hook_points::{HOOK_POINTS, HookPoint, Server};
use crate::verdict::Next;

/// By index of [`HOOK_POINTS`].
pub fn interests(scripts: &[Script], kea: Kea) -> Vec<ffi::HookPoint> {
    HOOK_POINTS.iter().enumerate().map(|(index, row)| interest(index, row, scripts, kea)).collect()
}

fn interest(index: usize, row: &HookPoint, scripts: &[Script], kea: Kea) -> ffi::HookPoint {
    let mut selected = scripts.iter().filter_map(|script| script.config().points[index]).peekable();
    let has_events = selected.peek().is_some();
    let can_park = kea.parks(row);
    let reserving = scripts.iter().any(|script| script.config().reservation_limit > 0);
    ffi::HookPoint {
        index: index as u32,
        name: row.name.into(),
        is_dhcp6: row.server == Server::Dhcp6,
        sends: row.sends,
        is_wanted: has_events || scripts.iter().any(|script| is_needed_at(row, script.config())),
        has_events,
        can_park,
        parks: can_park && selected.any(|how| how.wait == Wait::Park),
        resumed: row.resumed,
        chooses_subnet: row.keys.contains(&Key::SubnetId),
        reserves: reserving && row.keys.contains(&Key::Reservation),
        marks_leases: reserving && row.gives_lease(),
    }
}

/// Whether the script needs what we do there, without being called.
fn is_needed_at(row: &HookPoint, config: &Config) -> bool {
    finishes_at(row, config)
        || (row.tells_of_leases && config.hears_of_leases())
        || (follows_reservations_at(row) && config.reservation_limit > 0)
}

/// What is reserved depends on the subnet, and is told by the lease.
fn follows_reservations_at(row: &HookPoint) -> bool {
    row.keys.contains(&Key::SubnetId) || row.gives_lease()
}

/// Kea's answer is changed where it is sent. There, too, it is dropped for a packet that another library has parked, and
/// let go on at once.
fn finishes_at(row: &HookPoint, config: &Config) -> bool {
    let decides = config.answers || config.on_failure == Next::Drop;
    let mut points = HOOK_POINTS.iter().zip(&config.points).filter(|(early, _)| early.server == row.server);
    let waits = |how: &Option<Point>| how.is_some_and(|how| how.wait.waits());
    row.sends && decides && points.any(|(early, how)| early.parks.is_some() && waits(how))
}
