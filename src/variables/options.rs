//! Every option and sub-option in hex: a variable for each code, however often it comes.

use std::borrow::Cow;

use super::Collector;
use super::value::Of;
use crate::bridge::ffi::{OptionFact, Span};
use crate::text::{hex, hex_digits, number};
use crate::wire::{Item, Layer, enterprises, take};

/// As deep as the shim takes options apart.
pub const DEPTHS: usize = 4;

/// The options of a packet or of a relay.
pub struct Options<'a> {
    /// As they came; none of a response.
    pub wire: Option<&'a Layer<'a>>,
    /// As Kea has them now, and what Kea makes of those that it holds otherwise than they came.
    pub now: Span,
    pub again: Span,
    /// Whose sub-options are those of an enterprise.
    pub vendor: u16,
}

/// DHCPv4's vendor-identifying vendor-specific information (RFC 3925), DHCPv6's vendor options (RFC 8415, 21.17).
pub const VENDOR4: u16 = 125;
pub const VENDOR6: u16 = 17;

/// Adds `<prefix>OPTION_<code>` for each code, and behind each its sub-options. One that comes several times is one
/// variable: of a DHCPv4 query the whole of its parts (RFC 3396), else the values in the packet's order with a space
/// between.
pub fn add(out: &mut Collector, of: Of, options: Options) {
    let Options { wire, now, again, vendor } = options;
    let facts = of.facts.options(now);
    let (now, again) = (of.facts.items(now), of.facts.items(again));
    let (mut now, mut again) = (&now[..], &again[..]);
    let (mut read, mut overload) = wire.map_or((&[][..], &[][..]), |wire| (wire.read(), wire.overload()));
    while let Some(code) = [now, read, overload].iter().filter_map(|list| list.first()).map(|item| item.code).min() {
        let (held, read_again) = (take(&mut now, code), take(&mut again, code));
        let (came, overloaded) = (take(&mut read, code), take(&mut overload, code));
        let values = match wire.filter(|wire| wire.is_as_it_came(came, held, read_again)) {
            None => Values::Several(held),
            Some(wire) if wire.joins() => Values::Parts(came, overloaded),
            Some(_) => Values::Several(came),
        };
        if values.is_empty() {
            continue;
        }
        out.add_named(|text| name(None, &[Some(code)], text), true, |text| values.hex(text));
        let keas: Vec<Sub> = held.iter().flat_map(|option| keas_subs(of, option, facts)).collect();
        match code == vendor {
            true => add_enterprises(out, code, &values.whole(), keas),
            false => add_subs(out, false, keas.into_iter().map(|sub| Sub { enterprise: None, ..sub }).collect()),
        }
    }
}

/// What an option's variable holds.
enum Values<'l, 'a> {
    Several(&'l [Item<'a>]),
    /// Of one value.
    Parts(&'l [Item<'a>], &'l [Item<'a>]),
}

impl<'a> Values<'_, 'a> {
    fn is_empty(&self) -> bool {
        match self {
            Values::Several(items) => items.is_empty(),
            Values::Parts(some, others) => some.is_empty() && others.is_empty(),
        }
    }

    fn hex(&self, text: &mut String) -> bool {
        match self {
            Values::Several(items) => each_in_hex(items.iter().map(|item| item.data), text),
            Values::Parts(some, others) => hex_of_parts(some.iter().chain(*others).map(|item| item.data), text),
        }
    }

    fn whole(&self) -> Vec<Cow<'a, [u8]>> {
        match self {
            Values::Several(items) | Values::Parts(items @ [_], []) => {
                items.iter().map(|item| Cow::Borrowed(item.data)).collect()
            }
            Values::Parts(some, others) => {
                vec![Cow::Owned(some.iter().chain(*others).flat_map(|item| item.data).copied().collect())]
            }
        }
    }
}

fn hex_of_parts<'d>(parts: impl Iterator<Item = &'d [u8]>, text: &mut String) -> bool {
    hex(&[], text);
    parts.for_each(|part| hex_digits(part, text));
    true
}

fn each_in_hex<'d>(values: impl Iterator<Item = &'d [u8]>, text: &mut String) -> bool {
    for (i, data) in values.enumerate() {
        if i > 0 {
            text.push(' ');
        }
        hex(data, text);
    }
    true
}

/// The codes from a packet's own option down to this one.
type Path = [Option<u16>; DEPTHS];

/// A sub-option.
struct Sub<'a> {
    /// Whose it is, if the option begins with that.
    enterprise: Option<u32>,
    path: Path,
    data: &'a [u8],
}

/// Kea's sub-options of an option: the facts behind it that are deeper.
fn keas_subs<'a>(of: Of<'a>, option: &Item<'a>, facts: &'a [OptionFact]) -> impl Iterator<Item = Sub<'a>> {
    let enterprise = option.data.first_chunk().map(|number| u32::from_be_bytes(*number));
    let mut path = [None; DEPTHS];
    path[0] = Some(option.code);
    let deeper = facts[option.at + 1..].iter().take_while(|fact| fact.depth > 0);
    deeper.filter_map(move |fact| {
        let depth = usize::from(fact.depth).min(DEPTHS - 1);
        path[depth..].fill(None);
        path[depth] = Some(fact.code);
        Some(Sub { enterprise, path, data: of.facts.bytes(fact.data)? })
    })
}

/// Adds those that stand in the values of a vendor option, and what Kea has found inside them.
fn add_enterprises<'a>(out: &mut Collector, code: u16, values: &'a [Cow<[u8]>], keas: Vec<Sub<'a>>) {
    let all: Vec<_> = values.iter().flat_map(|value| enterprises(code == VENDOR4, value)).collect();
    let several = all.iter().any(|(number, _)| *number != all[0].0);
    let sub = |enterprise, item: Item<'a>| Sub {
        enterprise: Some(enterprise),
        path: [Some(code), Some(item.code), None, None],
        data: item.data,
    };
    let stand = all.iter().flat_map(|(number, items)| items.iter().map(|item| sub(*number, *item)));
    add_subs(out, several, stand.chain(keas.into_iter().filter(|sub| sub.path[2].is_some())).collect());
}

/// The shorter name, without the enterprise, is there besides unless the option is of `several`.
fn add_subs(out: &mut Collector, several: bool, mut subs: Vec<Sub>) {
    // Kea keeps them by code: next to nothing has to be moved.
    subs.sort_by_key(|sub| (sub.enterprise, sub.path));
    for same in subs.chunk_by(|one, other| (one.enterprise, one.path) == (other.enterprise, other.path)) {
        let Sub { enterprise, path, .. } = same[0];
        let names = [None, enterprise].into_iter().skip(usize::from(several));
        for enterprise in names.take(if enterprise.is_some() { 2 } else { 1 }) {
            out.add_named(
                |text| name(enterprise, &path, text),
                true,
                |text| each_in_hex(same.iter().map(|sub| sub.data), text),
            );
        }
    }
}

fn name(enterprise: Option<u32>, path: &[Option<u16>], out: &mut String) {
    for (depth, code) in path.iter().flatten().enumerate() {
        out.push_str(if depth == 0 { "OPTION_" } else { "_SUB_" });
        number(*code, out);
        if let Some(enterprise) = enterprise.filter(|_| depth == 0) {
            out.push_str("_ENTERPRISE_");
            number(enterprise, out);
        }
    }
}
