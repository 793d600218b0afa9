//! Every option and sub-option in hex: a variable for each code, however often it comes.

use std::collections::HashMap;
use std::fmt::Write;

use super::Collector;
use super::value::Of;
use crate::bridge::ffi::Span;
use crate::text::hex;

/// Adds `<prefix>OPTION_<code>` and `<prefix>OPTION_<code>_SUB_<code>` for `options`. A code that comes several
/// times is one variable, the values in the packet's order with a space between.
pub fn add(out: &mut Collector, prefix: &str, of: Of, options: Span) {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut found: Vec<(String, String)> = Vec::new();
    let mut path: Vec<u16> = Vec::new();
    for option in of.facts.options(options) {
        path.truncate(usize::from(option.depth));
        path.push(option.code);
        let Some(data) = of.facts.bytes(option.data) else { continue };
        let place = *places.entry(name(prefix, &path)).or_insert_with_key(|name| {
            found.push((name.clone(), String::with_capacity(2 + 2 * data.len())));
            found.len() - 1
        });
        let value = &mut found[place].1;
        if !value.is_empty() {
            value.push(' ');
        }
        hex(data, value);
    }
    for (name, value) in found {
        out.push(name, value);
    }
}

fn name(prefix: &str, path: &[u16]) -> String {
    let mut name = String::with_capacity(prefix.len() + 24);
    name.push_str(prefix);
    for (depth, code) in path.iter().enumerate() {
        let _ = write!(name, "{}{code}", if depth == 0 { "OPTION_" } else { "_SUB_" });
    }
    name
}
