//! What an OMAPI client sends: a byte for how long its headers are, and frames.
#![no_main]

use kea_omapi::fuzzing::frames;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| frames(data));
