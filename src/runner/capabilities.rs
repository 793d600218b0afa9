//! What Kea may do for its own work is not for programs. The kernel lets a process look into another of its user's, its
//! memory and its environment, if it has all capabilities that the other is permitted (ptrace(2)): with fewer than Kea, none
//! of what we start can take Kea over.
//!
//! We give them up ourselves, before any thread is there: programs inherit what we have, and we need none. The bounding set
//! is left as it is, so that a program may start one that gets capabilities by its file (ping, sudo). Root has all that is in
//! there by every start anyway: where Kea runs as root, nothing of this protects it. There we keep our own, for a start that
//! brings capabilities makes the kernel forget that the program shall die with us (PR_SET_PDEATHSIG(2const)).

use std::io;

use caps::errors::CapsError;
use caps::{CapSet, Capability};
use nix::unistd::Uid;

use crate::config::capabilities::KEAS_OWN;

/// What a program gets by its start.
const HANDED_ON: [CapSet; 2] = [CapSet::Ambient, CapSet::Inheritable];
/// What we have ourselves; no capability can be in effect that is not permitted.
const OUR_OWN: [CapSet; 2] = [CapSet::Effective, CapSet::Permitted];

/// Gives up what is Kea's own, but for these.
pub fn give_up(kept: &[Capability]) -> io::Result<()> {
    let is_root = Uid::effective().is_root() || Uid::current().is_root();
    let given_up = || -> Result<(), CapsError> {
        for capability in KEAS_OWN.into_iter().filter(|capability| !kept.contains(capability)) {
            for set in HANDED_ON.into_iter().chain(OUR_OWN.into_iter().filter(|_| !is_root)) {
                if caps::has_cap(None, set, capability)? {
                    caps::drop(None, set, capability)?;
                }
            }
        }
        Ok(())
    };
    given_up().map_err(|error| io::Error::other(format!("cannot give up Kea's own capabilities: {error}")))
}
