//! The parameter `keep-capabilities`.

use caps::Capability;

use super::read::{Refusal, Section};

const KEY: &str = "keep-capabilities";

pub fn kept(section: &Section) -> Result<Vec<Capability>, Refusal> {
    section.strings(KEY)?.iter().map(|name| capability(section, name)).collect()
}

fn capability(section: &Section, name: &str) -> Result<Capability, Refusal> {
    let upper = name.to_ascii_uppercase();
    let full = if upper.starts_with("CAP_") { upper } else { format!("CAP_{upper}") };
    full.parse().map_err(|_| {
        let mut all: Vec<_> = caps::all().iter().map(Capability::to_string).collect();
        all.sort();
        section.refuse_value(KEY, name, &format!("is no capability; there are: {}", all.join(", ")))
    })
}
