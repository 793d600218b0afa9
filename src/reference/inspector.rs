//! tests/programs/variables.h: what a variable of each name holds, for the tests' inspector (inspect.c).

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::dialect::Dialect;
use crate::hook_points::HOOK_POINTS;
use crate::variables::Style;
use crate::variables::names::kind;
use crate::variables::tests::{Shim, everything, written};

/// Words behind which a name has a number that counts, written `#` here.
const NUMBERED: [&str; 5] = ["AT", "RELAY", "OPTION_", "_SUB_", "_ENTERPRISE_"];

pub fn header() -> String {
    let mut kinds = BTreeMap::new();
    for point in HOOK_POINTS {
        for dialect in Dialect::ALL {
            // A lease of either family has names of its own.
            let one = everything(&mut Shim::default());
            let mut other = everything(&mut Shim::default());
            (other.lease, other.old_lease) = (one.old_lease, one.lease);
            for facts in [one, other] {
                for (name, _) in written(point.name, facts, Style { dialect, debug: true }).iter() {
                    kinds.insert(pattern(name), kind(name).unwrap());
                }
            }
        }
    }
    let mut text = String::from(
        "/* Made from the tables in src/variables by `make docs`: names of variables, in order, and what they hold. */\n\
         static const struct variable {\n    const char *name, *kind;\n} VARIABLES[] = {\n",
    );
    for (name, kind) in kinds {
        let _ = writeln!(text, "    {{\"{name}\", \"{kind}\"}},");
    }
    text + "};\n"
}

fn pattern(name: &str) -> String {
    let mut pattern = String::new();
    for c in name.chars() {
        match c.is_ascii_digit() && NUMBERED.iter().any(|word| pattern.ends_with(word)) {
            true => pattern.push('#'),
            false if c.is_ascii_digit() && pattern.ends_with('#') => {}
            false => pattern.push(c),
        }
    }
    pattern
}
