//! Every option and sub-option in hex: a variable for each code, however often it comes.

use super::Collector;
use super::value::Of;
use crate::bridge::ffi::Span;
use crate::text::{hex, number};

/// As deep as the shim takes options apart.
const DEPTHS: usize = 4;

/// The codes from a packet's own option down to this one, and where in the packet it stands.
type Position = ([Option<u16>; DEPTHS], usize);

/// Adds `<prefix>OPTION_<code>` and `<prefix>OPTION_<code>_SUB_<code>` for `options`. A code that comes several
/// times is one variable, the values in the packet's order with a space between.
pub fn add(out: &mut Collector, of: Of, options: Span) {
    let options = of.facts.options(options);
    let mut positions: Vec<Position> = Vec::with_capacity(options.len());
    let mut path = [None; DEPTHS];
    for (at, option) in options.iter().enumerate() {
        let depth = usize::from(option.depth).min(DEPTHS - 1);
        path[depth..].fill(None);
        path[depth] = Some(option.code);
        positions.push((path, at));
    }
    // Kea keeps them by code: next to nothing has to be moved.
    positions.sort();
    for same in positions.chunk_by(|(one, _), (other, _)| one == other) {
        let (path, _) = same[0];
        out.add_named(
            |text| name(&path, text),
            |text| {
                let found = same.iter().filter_map(|(_, at)| of.facts.bytes(options[*at].data));
                let mut count = 0;
                for data in found {
                    if count > 0 {
                        text.push(' ');
                    }
                    hex(data, text);
                    count += 1;
                }
                count > 0
            },
        );
    }
}

fn name(path: &[Option<u16>], out: &mut String) {
    for (depth, code) in path.iter().flatten().enumerate() {
        out.push_str(if depth == 0 { "OPTION_" } else { "_SUB_" });
        number(*code, out);
    }
}
