//! Collects variables within the kernel's limits, and remembers what did not fit.

use crate::event::Variables;

/// The kernel's limit for one `NAME=value` with its NUL (MAX_ARG_STRLEN).
const STRING_LIMIT: usize = 128 * 1024;
/// What all variables together may take: well below the kernel's limit for arguments and environment
/// (a quarter of the stack's, 2 MiB by default), which `args` and `env` share.
const TOTAL_LIMIT: usize = 1024 * 1024;
/// What the kernel keeps besides a string: its pointer.
const PER_STRING: usize = 8;
/// `KEA_TRUNCATED` may itself take this much besides.
const TRUNCATED_LIMIT: usize = 64 * 1024;

/// An event seldom has more.
const USUAL: usize = 96;

pub struct Collector {
    variables: Vec<(String, String)>,
    total: usize,
    left_out: Vec<String>,
}

impl Default for Collector {
    fn default() -> Self {
        Collector { variables: Vec::with_capacity(USUAL), total: 0, left_out: Vec::new() }
    }
}

impl Collector {
    pub fn push(&mut self, name: impl Into<String>, value: String) {
        let name = name.into();
        let size = name.len() + 1 + value.len() + 1;
        if size > STRING_LIMIT || self.total + size + PER_STRING > TOTAL_LIMIT {
            self.left_out.push(name);
            return;
        }
        self.total += size + PER_STRING;
        self.variables.push((name, value));
    }

    /// All that fitted; the names of what did not are in `KEA_TRUNCATED`, separated by spaces.
    pub fn finish(mut self) -> Variables {
        if !self.left_out.is_empty() {
            let mut names = self.left_out.join(" ");
            if names.len() > TRUNCATED_LIMIT {
                let end = names[..TRUNCATED_LIMIT].rfind(' ').unwrap_or(0);
                names.truncate(end);
                names.push_str(" ...");
            }
            self.variables.push(("KEA_TRUNCATED".into(), names));
        }
        Variables(self.variables)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_would_refuse_is_left_out_and_named() {
        let mut out = Collector::default();
        out.push("FITS", "x".repeat(STRING_LIMIT - "FITS=".len() - 1));
        out.push("TOO_LONG", "x".repeat(STRING_LIMIT));
        out.push("SHORT", "y".into());
        let Variables(variables) = out.finish();
        let names: Vec<_> = variables.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["FITS", "SHORT", "KEA_TRUNCATED"]);
        assert_eq!(variables[2].1, "TOO_LONG");
    }

    #[test]
    fn many_small_ones_stay_within_the_whole() {
        let mut out = Collector::default();
        for n in 0..100_000 {
            out.push(format!("KEA_QUERY6_OPTION_{n}"), "0x".into());
        }
        let Variables(variables) = out.finish();
        let size: usize = variables.iter().map(|(name, value)| name.len() + value.len() + 2 + PER_STRING).sum();
        assert!(size < TOTAL_LIMIT + TRUNCATED_LIMIT + 64, "{size}");
        let (name, left_out) = variables.last().unwrap();
        assert_eq!(name, "KEA_TRUNCATED");
        assert!(left_out.ends_with(" ...") && left_out.len() < TRUNCATED_LIMIT + 8);
    }
}
