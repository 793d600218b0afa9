//! What an OMAPI client sends: startup and frames.
#![no_main]

use kea_omapi::fuzzing::frames;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| frames(data));
