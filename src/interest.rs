//! What Kea's hook points are to us: what scripts want there, and what the shim has to do there for them.

use crate::bridge::ffi::Interest;
use crate::config::{Config, Kea, Point, Wait};
use crate::handler::Handler;
use crate::hook_points::{HOOK_POINTS, HookPoint};
use crate::verdict::Next;

/// By index of [`HOOK_POINTS`].
pub fn interests(handlers: &[Handler], kea: Kea) -> Vec<Interest> {
    (0..HOOK_POINTS.len()).map(|point| interest(point, handlers, kea)).collect()
}

/// What the scripts want of a hook point.
fn interest(point: usize, handlers: &[Handler], kea: Kea) -> Interest {
    let mut selected = handlers.iter().filter_map(|handler| handler.config().points[point]).peekable();
    let events = selected.peek().is_some();
    let can_park = kea.parks(&HOOK_POINTS[point]);
    let waits = can_park && selected.clone().any(|how| how.wait.waits());
    Interest { events, waits, parks: can_park && selected.any(|how| how.wait == Wait::Park) }
}

/// Hook points that at least one script wants, and those where the shim has to finish what one says elsewhere.
pub fn wanted(interests: &[Interest], handlers: &[Handler]) -> Vec<String> {
    let late = |row: &HookPoint| handlers.iter().any(|handler| finishes_at(row, handler.config()));
    let rows = HOOK_POINTS.iter().zip(interests).filter(|(row, interest)| interest.events || late(row));
    rows.map(|(row, _)| row.name.into()).collect()
}

/// Kea's answer is changed where it is sent. There, too, it is dropped for a packet that another library has parked, and
/// let go on at once.
fn finishes_at(row: &HookPoint, config: &Config) -> bool {
    let is_sent = row.name == "pkt4_send" || row.name == "pkt6_send";
    let decides = config.answers || config.on_failure == Next::Drop;
    let mut points = HOOK_POINTS.iter().zip(&config.points).filter(|(early, _)| early.server == row.server);
    let waits = |how: &Option<Point>| how.is_some_and(|how| how.wait.waits());
    is_sent && decides && points.any(|(early, how)| early.parks.is_some() && waits(how))
}
