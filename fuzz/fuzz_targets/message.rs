//! A message on the runner's control socket: a byte for how many descriptors come with it, and its bytes.
#![no_main]

use kea_hook_runscript::fuzzing::message;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let [descriptors, bytes @ ..] = data {
        message(bytes, usize::from(descriptors % 8));
    }
});
