use super::*;
use crate::bridge::ABSENT;
use crate::bridge::ffi::Span;

fn packet4(options: &[u8], file: &[u8], sname: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; dhcp4::FILE.end];
    packet[dhcp4::FILE][..file.len()].copy_from_slice(file);
    packet[dhcp4::SNAME][..sname.len()].copy_from_slice(sname);
    [&packet[..], &dhcp4::COOKIE, options].concat()
}

fn pairs<'a>(items: &[Item<'a>]) -> Vec<(u16, &'a [u8])> {
    items.iter().map(|item| (item.code, item.data)).collect()
}

/// Kea's options, as the shim lays them out.
#[derive(Default)]
struct Held {
    bytes: Vec<u8>,
    options: Vec<OptionFact>,
}

impl Held {
    fn of(options: &[(u16, &[u8])]) -> Held {
        let mut held = Held::default();
        for (code, bytes) in options {
            let data = Span { start: held.bytes.len() as u32, len: bytes.len() as u32 };
            held.options.push(OptionFact { code: *code, depth: 0, data });
            held.bytes.extend_from_slice(bytes);
        }
        held
    }

    fn again4(&self, packet: &[u8]) -> Vec<u8> {
        read_again4(packet, &self.bytes, &self.options)
    }
}

#[test]
fn padding_is_skipped_and_the_end_ends() {
    let packet = packet4(&[0, 53, 1, 1, 0, 0, 12, 0, 60, 2, 7, 8, 255, 77, 1, 9], &[], &[]);
    assert_eq!(pairs(read4(&packet).unwrap().read()), [(12, &[][..]), (53, &[1]), (60, &[7, 8])]);
}

#[test]
fn what_is_cut_off_is_none() {
    for end in [&[60][..], &[60, 2], &[60, 2, 7]] {
        let packet = packet4(&[&[53, 1, 1], end].concat(), &[], &[]);
        assert_eq!(pairs(read4(&packet).unwrap().read()), [(53, &[1][..])]);
    }
}

#[test]
fn no_dhcp_no_options() {
    assert!(read4(&[]).is_none());
    assert!(read4(&[0; 239]).is_none());
    assert!(read4(&[0; 300]).is_none());
}

#[test]
fn other_fields_hold_options_if_the_packet_says_so() {
    for (bits, expected) in [(0, &[][..]), (1, &[6][..]), (2, &[7]), (3, &[6, 7])] {
        let packet = packet4(&[52, 1, bits, 255], &[60, 1, 6, 255, 60, 1, 0], &[60, 1, 7]);
        let layer = read4(&packet).unwrap();
        let found: Vec<u8> = layer.overload().iter().flat_map(|item| item.data).copied().collect();
        assert_eq!(found, expected);
    }
}

fn relay(options: &[u8], inside: &[u8]) -> Vec<u8> {
    let length = (inside.len() as u16).to_be_bytes();
    [&[dhcp6::RELAY_FORW; 1][..], &[0; 33], options, &[0, 9], &length, inside].concat()
}

#[test]
fn each_relay_has_options_of_its_own() {
    let message = [&[1, 0, 0, 7][..], &[0, 1, 0, 1, 0xaa]].concat();
    let packet = relay(&[0, 18, 0, 1, 1], &relay(&[0, 18, 0, 1, 2], &message));
    let layers: Vec<_> = read6(&packet).collect();
    let found: Vec<_> = layers.iter().map(|layer| pairs(layer.read())).collect();
    assert_eq!(found, [[(18, &[1][..])], [(18, &[2])], [(1, &[0xaa])]]);
}

#[test]
fn relays_without_end_come_to_one() {
    let packet = (0..100).fold(vec![1, 0, 0, 7], |inside, _| relay(&[], &inside));
    assert_eq!(read6(&packet).count(), dhcp6::LAYERS);
}

#[test]
fn what_kea_holds_as_it_came_is_not_read_again() {
    let packet = packet4(&[53, 1, 1, 60, 1, 7, 60, 1, 8, 81, 4, 0, 0, 0, b'A'], &[], &[]);
    let held = Held::of(&[(53, &[1]), (60, &[7, 8]), (81, &[0, 0, 0, b'a']), (82, &[1])]);
    assert_eq!(held.again4(&packet), b"");
}

#[test]
fn what_kea_holds_otherwise_is_read_again_as_it_came() {
    let packet = packet4(&[53, 1, 1, 60, 1, 7, 43, 1, 5, 60, 1, 8, 77, 0], &[], &[]);
    for held in [&[(53, &[1][..]), (60, &[7])][..], &[(43, &[][..]), (53, &[1]), (60, &[7, 9])]] {
        let again = Held::of(held).again4(&packet);
        assert_eq!(pairs(read4(&again).unwrap().read()), [(43, &[5][..]), (60, &[7]), (60, &[8])]);
    }
}

#[test]
fn several_options_of_dhcp6_are_not_joined() {
    let message = [&[1, 0, 0, 7][..], &[0, 16, 0, 1, 1], &[0, 16, 0, 1, 2]].concat();
    let as_it_came = Held::of(&[(16, &[1]), (16, &[2])]);
    assert_eq!(read_again6(&message, 0, &as_it_came.bytes, &as_it_came.options), b"");
    let joined = Held::of(&[(16, &[1, 2])]);
    let again = read_again6(&message, 0, &joined.bytes, &joined.options);
    assert_eq!(again[4..], message[4..]);
}

#[test]
fn a_layer_that_is_not_there_has_nothing_to_read_again() {
    let held = Held::of(&[(16, &[1])]);
    assert_eq!(read_again6(&[1, 0, 0, 7], 1, &held.bytes, &held.options), b"");
    let absent = Span { start: ABSENT, len: 0 };
    let options = [OptionFact { code: 1, depth: 0, data: absent }];
    assert_eq!(read_again6(&[1, 0, 0, 7], 0, &[], &options), b"");
}

#[test]
fn a_change_is_what_kea_holds_and_would_not_read() {
    let packet = packet4(&[], &[], &[]);
    let layer = read4(&packet).unwrap();
    let item = |data| vec![Item { code: 43, data, at: 0 }];
    let (came, lost, changed): (Vec<Item>, _, _) = (item(&[5]), item(&[]), item(&[9]));
    assert!(layer.is_as_it_came(&came, &came, &[]));
    assert!(layer.is_as_it_came(&came, &lost, &lost));
    assert!(!layer.is_as_it_came(&came, &changed, &lost));
    assert!(!layer.is_as_it_came(&[], &changed, &[]), "another has added it");
    assert!(!layer.is_as_it_came(&came, &[], &came), "another has taken it out");
}

#[test]
fn sub_options_have_their_enterprise() {
    let flat = |is_dhcp4, value: &'static [u8]| -> Vec<(u32, u16, &[u8])> {
        let bare = |(number, items): (u32, Vec<Item<'static>>)| {
            items.into_iter().map(move |item| (number, item.code, item.data))
        };
        enterprises(is_dhcp4, value).into_iter().flat_map(bare).collect()
    };
    let two = &[0, 0, 0, 9, 4, 1, 2, 0xab, 0xcd, 0, 0, 0, 10, 3, 1, 1, 0xcc];
    assert_eq!(flat(true, two), [(9, 1, &[0xab, 0xcd][..]), (10, 1, &[0xcc])]);
    assert_eq!(flat(false, &[0, 0, 0, 9, 0, 1, 0, 1, 0xab, 0, 2, 0, 9]), [(9, 1, &[0xab][..])]);
    let none = enterprises(true, &[0, 0, 0, 9, 0, 0, 0, 0, 10, 0]);
    assert_eq!(none, [(9, vec![]), (10, vec![])]);
    for cut_off in 0..two.len() {
        let _ = (enterprises(true, &two[..cut_off]), enterprises(false, &two[..cut_off]));
    }
}
