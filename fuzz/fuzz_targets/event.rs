//! The line of an event, as the runner reads it.
#![no_main]

use kea_hook_runscript::fuzzing::event;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| event(line));
