//! Packets that wait in Kea's parking lot for scripts: their tickets.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use crate::bridge::ffi::Verdict;
use crate::crowd::Place;
use crate::guard::guarded;
use crate::merged::Merged;

/// A packet that waits.
struct Ticket {
    so_far: Merged,
    /// Scripts that have yet to answer.
    awaited: usize,
    /// Among the packets of its client that wait.
    _place: Option<Place>,
}

#[derive(Default)]
struct Tickets {
    open: HashMap<u64, Ticket>,
    /// The shim's function that takes the verdicts.
    resume: usize,
}

static TICKETS: LazyLock<Mutex<Tickets>> = LazyLock::new(Mutex::default);

fn tickets() -> MutexGuard<'static, Tickets> {
    TICKETS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets verdicts go to Kea: `resume` is the address of a `void (*)(Verdict&) noexcept`.
pub fn use_kea(resume: usize) {
    tickets().resume = resume;
}

/// The verdict on the packet of this ticket takes the answers of so many scripts more.
pub fn open(number: u64, so_far: Merged, awaited: usize, place: Option<Place>) {
    tickets().open.insert(number, Ticket { so_far, awaited, _place: place });
}

/// A script has answered. After the last one the packet goes on.
pub fn answered(number: u64, script: usize, verdict: Verdict) {
    guarded("parking", (), || {
        let mut tickets = tickets();
        let Some(ticket) = tickets.open.get_mut(&number) else { return };
        ticket.so_far.add(script, verdict);
        ticket.awaited -= 1;
        if ticket.awaited > 0 {
            return;
        }
        let Some(ticket) = tickets.open.remove(&number) else { return };
        let resume = tickets.resume;
        drop(tickets);
        call(resume, &mut ticket.so_far.verdict(number));
    });
}

/// Late answers find no ticket then.
pub fn forget_all() {
    let open = std::mem::take(&mut tickets().open);
    drop(open);
}

#[allow(unsafe_code)]
fn call(address: usize, verdict: &mut Verdict) {
    if address == 0 {
        return;
    }
    // SAFETY: a non-zero address is only ever stored by `use_kea`, from the `Server.resume` of a `load`: the shim's
    // function of this very signature, which stays mapped because the library is linked with -z nodelete.
    // It is noexcept, may be called from any thread, and leaves a valid verdict behind.
    let kea = unsafe { std::mem::transmute::<usize, extern "C" fn(&mut Verdict)>(address) };
    kea(verdict);
}
