//! Writes variables into a line, within the kernel's limits, and remembers what did not fit.

use std::fmt::{Display, Write};

use crate::text;

/// The kernel's limit for one `NAME=value` with its NUL (MAX_ARG_STRLEN).
const STRING_LIMIT: usize = 128 * 1024;
/// What all variables together may take: well below the kernel's limit for arguments and environment
/// (a quarter of the stack's, 2 MiB by default), which `args` and `env` share.
const TOTAL_LIMIT: usize = 1024 * 1024;
/// What the kernel keeps besides a string: its pointer.
const PER_STRING: usize = 8;
/// `KEA_TRUNCATED` may itself take this much besides.
const TRUNCATED_LIMIT: usize = 64 * 1024;

/// Where variables go, one after the other, as the members of a JSON object: straight into the line, for a line has some
/// hundred, and Kea's thread may be waiting.
pub struct Collector<'a> {
    out: &'a mut String,
    /// What stands before the next names: a comma, a quote, and what they begin with, in which nothing has to be escaped.
    prefix: String,
    is_first: bool,
    total: usize,
    left_out: Vec<String>,
    /// All others are left out, and nothing is said of them.
    only: Option<&'a [String]>,
}

impl<'a> Collector<'a> {
    pub fn new(out: &'a mut String) -> Self {
        Collector { out, prefix: ",\"".into(), is_first: true, total: 0, left_out: Vec::new(), only: None }
    }

    /// The same behind members that are there.
    pub fn behind(out: &'a mut String) -> Self {
        Collector { is_first: false, ..Collector::new(out) }
    }

    /// Takes those of these names alone.
    pub fn only(self, names: &'a [String]) -> Self {
        Collector { only: Some(names), ..self }
    }

    /// What the next names begin with.
    pub fn begin(&mut self, prefix: impl Display) {
        self.prefix.clear();
        let _ = write!(self.prefix, ",\"{prefix}");
    }

    /// Adds a variable whose value `write` appends; none if that returns false.
    pub fn add(&mut self, name: &str, is_plain: bool, write: impl FnOnce(&mut String) -> bool) {
        self.add_named(|out| out.push_str(name), is_plain, write);
    }

    /// The same; `name` appends the rest of the name. In a value that is plain, nothing has to be escaped.
    pub fn add_named(
        &mut self,
        name: impl FnOnce(&mut String),
        is_plain: bool,
        write: impl FnOnce(&mut String) -> bool,
    ) {
        let start = self.out.len();
        self.out.push_str(&self.prefix[usize::from(self.is_first)..]);
        let name_at = start + 2 - usize::from(self.is_first);
        name(self.out);
        let name_end = self.out.len();
        if self.only.is_some_and(|names| !names.iter().any(|name| *name == self.out[name_at..])) {
            return self.out.truncate(start);
        }
        self.out.push_str("\":\"");
        let value_at = self.out.len();
        if !write(self.out) {
            return self.out.truncate(start);
        }
        let size = name_end - name_at + 1 + self.out.len() - value_at + 1 + PER_STRING;
        if size > STRING_LIMIT + PER_STRING || self.total + size > TOTAL_LIMIT {
            self.left_out.push(self.out[name_at..name_end].into());
            return self.out.truncate(start);
        }
        self.total += size;
        self.is_first = false;
        match is_plain {
            true => debug_assert!(text::is_inside_json(&self.out[value_at..]), "{}", &self.out[start..]),
            false => text::escape_json(self.out, value_at),
        }
        self.out.push('"');
    }

    /// Ends with the names of what did not fit, in `KEA_TRUNCATED`, separated by spaces.
    pub fn finish(mut self) {
        if self.left_out.is_empty() {
            return;
        }
        let mut names = self.left_out.join(" ");
        if names.len() > TRUNCATED_LIMIT {
            let end = names[..TRUNCATED_LIMIT].rfind(' ').unwrap_or(0);
            names.truncate(end);
            names.push_str(" ...");
        }
        self.total = 0;
        self.begin("KEA_TRUNCATED");
        self.add("", false, |out| {
            out.push_str(&names);
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Variables;

    fn collected(fill: impl FnOnce(&mut Collector)) -> Variables {
        let mut text = String::from("{");
        let mut out = Collector::new(&mut text);
        fill(&mut out);
        out.finish();
        text.push('}');
        serde_json::from_str(&text).unwrap()
    }

    fn add(out: &mut Collector, name: &str, value: &str) {
        out.add(name, false, |text| {
            text.push_str(value);
            true
        });
    }

    #[test]
    fn every_character_comes_back() {
        let value: String = ('\0'..'\u{100}').chain("\\\"größe 日本".chars()).collect();
        let variables = collected(|out| {
            add(out, "KEA_A", &value);
            add(out, "KEA_B", "plain");
        });
        assert!(variables.iter().eq([("KEA_A", &*value), ("KEA_B", "plain")]));
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
