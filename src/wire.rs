//! The options of a query as they came over the wire.
//!
//! Kea's objects do not always give them back: Kea loses the second enterprise of an option 125, what is no sub-option in
//! option 43, the case of a name. Scripts are told the bytes that came, unless Kea or another library has changed the
//! option since. To tell a loss from a change, the shim has Kea read the options in question again: what Kea holds
//! although it reads the same bytes otherwise has been changed.

use crate::bridge::ffi::OptionFact;
use crate::facts::part;
use crate::guard::guarded;

/// An option of a packet, or one part of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Item<'a> {
    pub code: u16,
    pub data: &'a [u8],
    /// The smaller, the earlier in the packet.
    pub at: usize,
}

/// The options of a DHCPv4 packet, of a client's DHCPv6 message, or of one relay's.
#[derive(Debug)]
pub struct Layer<'a> {
    family: Family,
    /// Those that Kea reads, by code.
    read: Vec<Item<'a>>,
    /// DHCPv4's in the fields for the server's name and the boot file, by code. Kea does not read them.
    overload: Vec<Item<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Family {
    Dhcp4,
    Dhcp6,
}

impl Family {
    /// The client's name (RFC 4702, RFC 4704), of which Kea makes small letters. Nearly every client would be read again
    /// for that.
    fn fqdn(self) -> u16 {
        match self {
            Family::Dhcp4 => 81,
            Family::Dhcp6 => 39,
        }
    }
}

/// A DHCPv4 packet (RFC 2131, section 2).
mod dhcp4 {
    use std::ops::Range;

    pub const SNAME: Range<usize> = 44..108;
    pub const FILE: Range<usize> = 108..236;
    pub const HEADER: usize = 240;
    pub const COOKIE: [u8; 4] = [0x63, 0x82, 0x53, 0x63];
    pub const PAD: u8 = 0;
    pub const END: u8 = 255;
    /// Which of the two fields hold options, as bits (RFC 2132, section 9.3).
    pub const OVERLOAD: u16 = 52;
    pub const IN_FILE: u8 = 1;
    pub const IN_SNAME: u8 = 2;
}

/// A DHCPv6 message, and one around it (RFC 8415, sections 8 and 9).
mod dhcp6 {
    pub const HEADER: usize = 4;
    pub const RELAY_HEADER: usize = 34;
    pub const RELAY_FORW: u8 = 12;
    pub const RELAY_REPL: u8 = 13;
    pub const RELAY_MSG: u16 = 9;
    /// Kea takes no more relays than 33 (`HOP_COUNT_LIMIT`).
    pub const LAYERS: usize = 34;
}

/// A DHCPv4 packet's options; none of what is no such packet.
pub fn read4(packet: &[u8]) -> Option<Layer<'_>> {
    let options = packet.get(dhcp4::HEADER..).filter(|_| packet[dhcp4::FILE.end..].starts_with(&dhcp4::COOKIE))?;
    let read = split4(options);
    let bits = read.iter().find(|item| item.code == dhcp4::OVERLOAD).and_then(|item| item.data.first());
    let says = |bit| bits.is_some_and(|bits| bits & bit != 0);
    // In this order (RFC 3396, section 5).
    let fields = [(dhcp4::IN_FILE, dhcp4::FILE), (dhcp4::IN_SNAME, dhcp4::SNAME)];
    let overload = fields.into_iter().filter(|(bit, _)| says(*bit)).flat_map(|(_, field)| split4(&packet[field]));
    Some(Layer { family: Family::Dhcp4, overload: overload.collect(), read }.by_code())
}

/// The options of a DHCPv6 message and of what relays have put around it, the outermost first.
pub fn read6(packet: &[u8]) -> impl Iterator<Item = Layer<'_>> {
    let mut inside = Some(packet);
    let layers = std::iter::from_fn(move || {
        let message = inside.take()?;
        let is_relays = matches!(message.first(), Some(&dhcp6::RELAY_FORW | &dhcp6::RELAY_REPL));
        let header = if is_relays { dhcp6::RELAY_HEADER } else { dhcp6::HEADER };
        let mut read = split(message.get(header..).unwrap_or_default(), Width::Two);
        if is_relays {
            inside = read.iter().rfind(|item| item.code == dhcp6::RELAY_MSG).map(|item| item.data);
            read.retain(|item| item.code != dhcp6::RELAY_MSG);
        }
        Some(Layer { family: Family::Dhcp6, read, overload: Vec::new() })
    });
    layers.take(dhcp6::LAYERS).map(Layer::by_code)
}

/// The packet's own options as Kea holds them, by code; `at` is their index in `options`.
pub fn held<'a>(bytes: &'a [u8], options: &[OptionFact]) -> Vec<Item<'a>> {
    let own = options.iter().enumerate().filter(|(_, option)| option.depth == 0);
    let item = |(at, option): (usize, &OptionFact)| {
        let data = part(bytes, option.data).unwrap_or_default();
        Item { code: option.code, data, at }
    };
    let mut items = Vec::with_capacity(USUAL);
    items.extend(own.map(item));
    sort(&mut items);
    items
}

/// Splits off the items of this code, which are the first if there are any.
pub fn take<'l, 'a>(rest: &mut &'l [Item<'a>], code: u16) -> &'l [Item<'a>] {
    let end = rest.iter().position(|item| item.code != code).unwrap_or(rest.len());
    let (taken, left) = rest.split_at(end);
    *rest = left;
    taken
}

/// Few packets have more options.
const USUAL: usize = 32;

/// How many bytes a code has, and a length.
#[derive(Clone, Copy)]
enum Width {
    One,
    Two,
}

impl Width {
    fn number(self, bytes: &[u8]) -> Option<(u16, &[u8])> {
        match (self, bytes) {
            (Width::One, [number, rest @ ..]) => Some((u16::from(*number), rest)),
            (Width::Two, [high, low, rest @ ..]) => Some((u16::from_be_bytes([*high, *low]), rest)),
            _ => None,
        }
    }

    fn write(self, number: usize, out: &mut Vec<u8>) {
        match self {
            Width::One => out.push(number as u8),
            Width::Two => out.extend((number as u16).to_be_bytes()),
        }
    }
}

/// Options one after the other: code, length, data. What follows one that is cut off is none.
fn split(bytes: &[u8], width: Width) -> Vec<Item<'_>> {
    let (mut items, mut rest) = (Vec::with_capacity(USUAL), bytes);
    while let Some((code, data, behind)) = first(rest, width) {
        items.push(Item { code, data, at: items.len() });
        rest = behind;
    }
    items
}

fn first(bytes: &[u8], width: Width) -> Option<(u16, &[u8], &[u8])> {
    let (code, rest) = width.number(bytes)?;
    let (length, rest) = width.number(rest)?;
    let (data, behind) = rest.split_at_checked(usize::from(length))?;
    Some((code, data, behind))
}

/// The same with DHCPv4's padding and end, neither of which has a length.
fn split4(bytes: &[u8]) -> Vec<Item<'_>> {
    let mut items = Vec::with_capacity(USUAL);
    items.extend(each4(bytes));
    items
}

fn each4(bytes: &[u8]) -> impl Iterator<Item = Item<'_>> {
    let mut rest = bytes;
    let next = move |at| {
        while let [dhcp4::PAD, behind @ ..] = rest {
            rest = behind;
        }
        let (code, data, behind) = first(rest, Width::One).filter(|(code, ..)| *code != u16::from(dhcp4::END))?;
        rest = behind;
        Some(Item { code, data, at })
    };
    (0..).map_while(next)
}

/// All that came as an option in a DHCPv4 packet, whether Kea reads it or not, in its order, without putting it aside.
pub fn came4(packet: &[u8]) -> impl Iterator<Item = Item<'_>> {
    let is_one = packet.get(dhcp4::FILE.end..).is_some_and(|rest| rest.starts_with(&dhcp4::COOKIE));
    let parts = is_one.then(|| [&packet[dhcp4::HEADER..], &packet[dhcp4::FILE], &packet[dhcp4::SNAME]]);
    let overloads = is_one && each4(&packet[dhcp4::HEADER..]).any(|item| item.code == dhcp4::OVERLOAD);
    parts.into_iter().flatten().take(if overloads { 3 } else { 1 }).flat_map(each4)
}

/// The enterprises of a vendor option, each with its sub-options: of DHCPv4's several may follow each other, each with a
/// length (RFC 3925, section 4).
pub fn enterprises(is_dhcp4: bool, value: &[u8]) -> Vec<(u32, Vec<Item<'_>>)> {
    let (mut found, mut rest) = (Vec::new(), value);
    while let Some((number, behind)) = rest.split_first_chunk() {
        let (inside, width);
        (inside, rest, width) = match is_dhcp4 {
            false => (behind, &[][..], Width::Two),
            true => match behind.split_first() {
                Some((&length, behind)) => {
                    let (inside, behind) = behind.split_at(usize::from(length).min(behind.len()));
                    (inside, behind, Width::One)
                }
                None => break,
            },
        };
        found.push((u32::from_be_bytes(*number), split(inside, width)));
    }
    found
}

fn sort(items: &mut [Item]) {
    items.sort_by_key(|item| item.code);
}

impl<'a> Layer<'a> {
    fn by_code(mut self) -> Self {
        sort(&mut self.read);
        sort(&mut self.overload);
        self
    }

    /// The options that Kea reads, by code.
    pub fn read(&self) -> &[Item<'a>] {
        &self.read
    }

    /// Those that Kea does not read, by code.
    pub fn overload(&self) -> &[Item<'a>] {
        &self.overload
    }

    /// Whether the items of a code are one option: DHCPv4's are its parts (RFC 3396), DHCPv6's are several.
    pub fn joins(&self) -> bool {
        self.family == Family::Dhcp4
    }

    /// Whether an option is as it came: what came of it, what Kea holds, and what Kea makes of [`Self::again`]'s packet.
    pub fn is_as_it_came(&self, came: &[Item], held: &[Item], again: &[Item]) -> bool {
        self.same(came, held) || self.same(again, held)
    }

    fn same(&self, some: &[Item], others: &[Item]) -> bool {
        match (some, others) {
            ([one], [other]) if one.code == self.family.fqdn() => one.data.eq_ignore_ascii_case(other.data),
            ([one], [other]) => one.data == other.data,
            _ if self.joins() => some.iter().flat_map(|item| item.data).eq(others.iter().flat_map(|item| item.data)),
            _ => some.iter().map(|item| item.data).eq(others.iter().map(|item| item.data)),
        }
    }

    /// A packet of the options that Kea holds otherwise than they came; empty if there are none.
    fn again(&self, held: &[Item]) -> Vec<u8> {
        let (mut came, mut held, mut unlike) = (&self.read[..], held, Vec::new());
        while let Some(&Item { code, .. }) = came.first() {
            let added = held.iter().position(|item| item.code >= code).unwrap_or(held.len());
            held = &held[added..];
            let (came, held) = (take(&mut came, code), take(&mut held, code));
            if !self.same(came, held) {
                unlike.extend_from_slice(came);
            }
        }
        if unlike.is_empty() { Vec::new() } else { self.packet(unlike) }
    }

    fn packet(&self, mut options: Vec<Item>) -> Vec<u8> {
        options.sort_by_key(|item| item.at);
        let (mut packet, width) = match self.family {
            Family::Dhcp4 => ([&[0; dhcp4::FILE.end][..], &dhcp4::COOKIE].concat(), Width::One),
            Family::Dhcp6 => (vec![0; dhcp6::HEADER], Width::Two),
        };
        for Item { code, data, .. } in options {
            width.write(code.into(), &mut packet);
            width.write(data.len(), &mut packet);
            packet.extend_from_slice(data);
        }
        packet
    }
}

/// See [`crate::bridge`].
pub fn read_again4(wire: &[u8], bytes: &[u8], options: &[OptionFact]) -> Vec<u8> {
    guarded("read_again4", Vec::new(), || read4(wire).map_or(Vec::new(), |layer| layer.again(&held(bytes, options))))
}

/// See [`crate::bridge`].
pub fn read_again6(wire: &[u8], layer: usize, bytes: &[u8], options: &[OptionFact]) -> Vec<u8> {
    guarded("read_again6", Vec::new(), || {
        read6(wire).nth(layer).map_or(Vec::new(), |layer| layer.again(&held(bytes, options)))
    })
}

#[cfg(test)]
mod tests;
