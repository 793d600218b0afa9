//! What Kea may do for its own work is not for programs. The kernel lets a process look into another of its user's, its
//! memory and its environment, if it has all capabilities that the other is permitted (ptrace(2)): with fewer than Kea, none
//! of what we start can take Kea over.
//!
//! We give them up ourselves, before any thread is there: programs inherit what we have, and we need none. The bounding set
//! is left as it is, so that a program may start one that gets capabilities by its file (ping, sudo). Root has all that is in
//! there by every start anyway: where Kea runs as root, nothing of this protects it.

use std::io;

use caps::errors::CapsError;
use caps::{CapSet, Capability};

/// What the units of Debian and of ISC give to Kea.
const KEAS_OWN: [Capability; 2] = [Capability::CAP_NET_BIND_SERVICE, Capability::CAP_NET_RAW];

/// In this order: no set may lose what the one before it still needs.
const SETS: [CapSet; 4] = [CapSet::Ambient, CapSet::Inheritable, CapSet::Effective, CapSet::Permitted];

/// Gives up what is Kea's own, but for these.
pub fn give_up(kept: &[Capability]) -> io::Result<()> {
    let given_up = || -> Result<(), CapsError> {
        for capability in KEAS_OWN.into_iter().filter(|capability| !kept.contains(capability)) {
            for set in SETS {
                if caps::has_cap(None, set, capability)? {
                    caps::drop(None, set, capability)?;
                }
            }
        }
        Ok(())
    };
    given_up().map_err(|error| io::Error::other(format!("cannot give up Kea's own capabilities: {error}")))
}
