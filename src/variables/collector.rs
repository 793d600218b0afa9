//! Writes variables, within the kernel's limits, and remembers what did not fit.

use std::fmt::{Display, Write};

use serde::ser::SerializeMap;

/// The kernel's limit for one `NAME=value` with its NUL (MAX_ARG_STRLEN).
const STRING_LIMIT: usize = 128 * 1024;
/// What all variables together may take: well below the kernel's limit for arguments and environment
/// (a quarter of the stack's, 2 MiB by default), which `args` and `env` share.
const TOTAL_LIMIT: usize = 1024 * 1024;
/// What the kernel keeps besides a string: its pointer.
const PER_STRING: usize = 8;
/// `KEA_TRUNCATED` may itself take this much besides.
const TRUNCATED_LIMIT: usize = 64 * 1024;

/// Most names and values fit in as many bytes.
const USUAL: usize = 128;

/// Where variables go, one after the other.
pub struct Collector<'a, M: SerializeMap> {
    map: &'a mut M,
    /// The prefix, and the rest of the last name.
    name: String,
    prefix: usize,
    value: String,
    total: usize,
    left_out: Vec<String>,
    error: Option<M::Error>,
}

impl<'a, M: SerializeMap> Collector<'a, M> {
    pub fn new(map: &'a mut M) -> Self {
        let (name, value) = (String::with_capacity(USUAL), String::with_capacity(USUAL));
        Collector { map, name, prefix: 0, value, total: 0, left_out: Vec::new(), error: None }
    }

    /// What the next names begin with.
    pub fn begin(&mut self, prefix: impl Display) {
        self.name.clear();
        let _ = write!(self.name, "{prefix}");
        self.prefix = self.name.len();
    }

    /// Adds a variable whose value `write` appends to nothing; none if that returns false.
    pub fn add(&mut self, name: &str, write: impl FnOnce(&mut String) -> bool) {
        self.add_named(|out| out.push_str(name), write);
    }

    /// The same; `name` appends the name to the prefix.
    pub fn add_named(&mut self, name: impl FnOnce(&mut String), write: impl FnOnce(&mut String) -> bool) {
        self.name.truncate(self.prefix);
        self.value.clear();
        if !write(&mut self.value) {
            return;
        }
        name(&mut self.name);
        let size = self.name.len() + 1 + self.value.len() + 1 + PER_STRING;
        if size > STRING_LIMIT + PER_STRING || self.total + size > TOTAL_LIMIT {
            self.left_out.push(self.name.clone());
            return;
        }
        self.total += size;
        self.put();
    }

    fn put(&mut self) {
        if self.error.is_none() {
            self.error = self.map.serialize_entry(&self.name, &self.value).err();
        }
    }

    /// Ends with the names of what did not fit, in `KEA_TRUNCATED`, separated by spaces.
    pub fn finish(mut self) -> Result<(), M::Error> {
        if !self.left_out.is_empty() {
            self.value = self.left_out.join(" ");
            if self.value.len() > TRUNCATED_LIMIT {
                let end = self.value[..TRUNCATED_LIMIT].rfind(' ').unwrap_or(0);
                self.value.truncate(end);
                self.value.push_str(" ...");
            }
            self.name = "KEA_TRUNCATED".into();
            self.put();
        }
        self.error.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use serde::Serializer;

    use super::*;
    use crate::event::Variables;

    fn collected(
        fill: impl FnOnce(&mut Collector<serde_json::ser::Compound<&mut Vec<u8>, serde_json::ser::CompactFormatter>>),
    ) -> Variables {
        let mut text = Vec::new();
        let mut json = serde_json::Serializer::new(&mut text);
        let mut map = json.serialize_map(None).unwrap();
        let mut out = Collector::new(&mut map);
        fill(&mut out);
        out.finish().unwrap();
        map.end().unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    fn add<M: SerializeMap>(out: &mut Collector<M>, name: &str, value: &str) {
        out.add(name, |text| {
            text.push_str(value);
            true
        });
    }

    #[test]
    fn what_the_kernel_would_refuse_is_left_out_and_named() {
        let variables = collected(|out| {
            add(out, "FITS", &"x".repeat(STRING_LIMIT - "FITS=".len() - 1));
            add(out, "TOO_LONG", &"x".repeat(STRING_LIMIT));
            add(out, "SHORT", "y");
        });
        let names: Vec<_> = variables.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["FITS", "SHORT", "KEA_TRUNCATED"]);
        assert_eq!(variables.iter().last(), Some(("KEA_TRUNCATED", "TOO_LONG")));
    }

    #[test]
    fn many_small_ones_stay_within_the_whole() {
        let variables = collected(|out| {
            out.begin("KEA_QUERY6_OPTION_");
            for n in 0..100_000 {
                add(out, &n.to_string(), "0x");
            }
        });
        let size: usize = variables.iter().map(|(name, value)| name.len() + value.len() + 2 + PER_STRING).sum();
        assert!(size < TOTAL_LIMIT + TRUNCATED_LIMIT + 64, "{size}");
        let (name, left_out) = variables.iter().last().unwrap();
        assert_eq!(name, "KEA_TRUNCATED");
        assert!(left_out.ends_with(" ...") && left_out.len() < TRUNCATED_LIMIT + 8);
    }
}
