//! The parameter `keep-capabilities`.

use caps::Capability;

use super::read::{Refusal, Section};

/// What the units of Debian and of ISC give to Kea, for its own work.
pub const KEAS_OWN: [Capability; 2] = [Capability::CAP_NET_BIND_SERVICE, Capability::CAP_NET_RAW];

const KEY: &str = "keep-capabilities";

pub fn kept(section: &Section) -> Result<Vec<Capability>, Refusal> {
    section.strings(KEY)?.iter().map(|name| capability(section, name)).collect()
}

fn capability(section: &Section, name: &str) -> Result<Capability, Refusal> {
    let upper = name.to_ascii_uppercase();
    let full = if upper.starts_with("CAP_") { upper } else { format!("CAP_{upper}") };
    full.parse().ok().filter(|capability| KEAS_OWN.contains(capability)).ok_or_else(|| {
        let own: Vec<_> = KEAS_OWN.iter().map(Capability::to_string).collect();
        let remedy = format!(
            "is none of those that programs are not given: {}; any other a program has if Kea's service has it \
             (AmbientCapabilities=)",
            own.join(", ")
        );
        section.refuse_value(KEY, name, &remedy)
    })
}
