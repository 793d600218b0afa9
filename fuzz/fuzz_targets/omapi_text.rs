//! dhcpd's language: statements of an OMAPI client, and the file of keys.
#![no_main]

use kea_omapi::fuzzing::text;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| text(data));
