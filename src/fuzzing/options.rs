//! The options of a packet: see [`crate::wire`].

use std::ops::Range;

use super::{assert_parts, put};
use crate::bridge::ffi::OptionFact;
use crate::wire::{self, Item, Layer, read_again4, read_again6, read4, read6};

/// The fields of a DHCPv4 packet for the server's name and the boot file, and how many bytes it has before its options.
const FIELDS: Range<usize> = 44..236;
const HEADER4: usize = 240;
const HEADER6: usize = 4;

/// A packet as it came.
#[derive(Clone, Copy)]
pub struct Packet<'a> {
    pub is_dhcp4: bool,
    pub bytes: &'a [u8],
}

impl<'a> Packet<'a> {
    /// How many bytes an option has before its data.
    fn before(self) -> usize {
        if self.is_dhcp4 { 2 } else { 4 }
    }

    fn header(self) -> usize {
        if self.is_dhcp4 { HEADER4 } else { HEADER6 }
    }

    fn layers(self) -> Vec<Layer<'a>> {
        match self.is_dhcp4 {
            true => read4(self.bytes).into_iter().collect(),
            false => read6(self.bytes).collect(),
        }
    }

    fn read_again(self, layer: usize, bytes: &[u8], options: &[OptionFact]) -> Vec<u8> {
        match self.is_dhcp4 {
            true => read_again4(self.bytes, bytes, options),
            false => read_again6(self.bytes, layer, bytes, options),
        }
    }
}

/// Each option is a part of its packet, and no two overlap. Of what Kea holds as it came, nothing is read again.
pub fn layers(packet: Packet) {
    let layers = packet.layers();
    assert!(if packet.is_dhcp4 { layers.len() <= 1 } else { (1..=34).contains(&layers.len()) });
    for (n, layer) in layers.iter().enumerate() {
        assert!(layer.read().is_sorted_by_key(|item| item.code));
        let in_order = in_order(layer.read());
        assert_parts(packet.bytes, in_order.iter().map(|item| item.data), packet.before());
        if packet.is_dhcp4 {
            assert_options4(packet.bytes, layer);
        } else {
            assert!(layer.overload().is_empty());
        }
        let mut bytes = Vec::new();
        let held = |item: &Item| OptionFact { code: item.code, depth: 0, data: put(&mut bytes, item.data) };
        let options: Vec<_> = layer.read().iter().map(held).collect();
        assert_eq!(packet.read_again(n, &bytes, &options), b"");
    }
}

fn assert_options4(packet: &[u8], layer: &Layer) {
    assert!(layer.read().iter().chain(layer.overload()).all(|item| (1..=254).contains(&item.code)));
    assert!(layer.overload().is_empty() || layer.read().iter().any(|item| item.code == 52));
    let fields = packet[FIELDS].as_ptr_range();
    assert!(layer.overload().iter().all(|item| (fields.start..=fields.end).contains(&item.data.as_ptr())));
    let bytes: usize = layer.overload().iter().map(|item| 2 + item.data.len()).sum();
    assert!(bytes <= FIELDS.len());
}

fn in_order<'a>(items: &[Item<'a>]) -> Vec<Item<'a>> {
    let mut items = items.to_vec();
    items.sort_by_key(|item| item.at);
    assert!(items.windows(2).all(|pair| pair[0].at < pair[1].at));
    items
}

/// Of a packet whose options Kea holds so, is read again: of each code all that has come, or nothing.
pub fn held_otherwise(packet: Packet, layer: usize, bytes: &[u8], options: &[OptionFact]) {
    let again = packet.read_again(layer, bytes, options);
    if again.is_empty() {
        return;
    }
    let again = Packet { bytes: &again, ..packet };
    let (came, found) = (packet.layers(), again.layers());
    let (came, found) = (&came[if packet.is_dhcp4 { 0 } else { layer }], &found[0]);
    assert!(found.overload().is_empty() && !found.read().is_empty());
    let read: usize = found.read().iter().map(|item| packet.before() + item.data.len()).sum();
    assert_eq!(read, again.bytes.len() - packet.header(), "it is read to its end");
    let (mut rest, mut all) = (found.read(), came.read());
    while let Some(code) = all.first().map(|item| item.code) {
        let (taken, expected) = (wire::take(&mut rest, code), wire::take(&mut all, code));
        let same = taken.iter().map(|item| item.data).eq(expected.iter().map(|item| item.data));
        assert!(taken.is_empty() || same, "option {code}");
    }
    assert!(rest.is_empty(), "not of the packet: {rest:?}");
}

/// The sub-options of a vendor option: each is a part of it, behind an enterprise, and no two overlap.
pub fn enterprises(is_dhcp4: bool, value: &[u8]) {
    let found = wire::enterprises(is_dhcp4, value);
    let (before, enterprise) = if is_dhcp4 { (2, 5) } else { (4, 4) };
    if found.iter().any(|(_, subs)| !subs.is_empty()) {
        assert_parts(&value[enterprise..], found.iter().flat_map(|(_, subs)| subs).map(|sub| sub.data), before);
    }
}
