//! A packet and what Kea holds of it: a byte each for the family, the layer and the number of options that Kea holds; those,
//! each a byte for its code, one for its length, and its data; the packet, of DHCPv4 without what comes before the options but
//! for the fields that may hold some.
#![no_main]

use arbitrary::{Result, Unstructured};
use kea_hook_runscript::bridge::ffi::OptionFact;
use kea_hook_runscript::fuzzing::{Packet, enterprises, held_otherwise, layers, put};
use libfuzzer_sys::fuzz_target;

const COOKIE: [u8; 4] = [0x63, 0x82, 0x53, 0x63];
/// The fields for the server's name and the boot file, and what stands before them.
const BEFORE: usize = 44;
const FIELDS: usize = 192;

fuzz_target!(|data: &[u8]| {
    let _ = run(Unstructured::new(data));
});

fn run(mut data: Unstructured) -> Result<()> {
    let [how, layer, count]: [u8; 3] = data.arbitrary()?;
    let is_dhcp4 = how & 1 == 0;
    let (mut bytes, mut options) = (Vec::new(), Vec::new());
    for _ in 0..count % 16 {
        let [code, length]: [u8; 2] = data.arbitrary()?;
        let data = put(&mut bytes, data.bytes(usize::from(length))?);
        options.push(OptionFact { code: code.into(), depth: 0, data });
    }
    let rest = data.take_rest();
    enterprises(is_dhcp4, rest);
    let packet = match how & 3 {
        0 => dhcp4(rest),
        _ => rest.to_vec(),
    };
    let packet = Packet { is_dhcp4, bytes: &packet };
    layers(packet);
    held_otherwise(packet, (layer % 36).into(), &bytes, &options);
    Ok(())
}

fn dhcp4(rest: &[u8]) -> Vec<u8> {
    let (fields, options) = rest.split_at(rest.len().min(FIELDS));
    let mut packet = vec![0; BEFORE + FIELDS];
    packet[BEFORE..][..fields.len()].copy_from_slice(fields);
    [&packet[..], &COOKIE, options].concat()
}
