//! What a handler says: a byte for the hook point, one for how it was asked, and its line. A script may have printed it, too.
#![no_main]

use kea_hook_runscript::fuzzing::{Asked, answer, printed, watch_log};
use kea_hook_runscript::hook_points::HOOK_POINTS;
use kea_hook_runscript::verdict::Next;
use libfuzzer_sys::fuzz_target;

const NEXT: [Next; 4] = [Next::Continue, Next::Skip, Next::Drop, Next::Drop];
/// The exit statuses of scripts that mean something, and one that does not.
const STATUS: [i32; 4] = [0, 10, 20, 1];

fuzz_target!(init: watch_log(), |data: &[u8]| {
    let [point, how, said @ ..] = data else { return };
    let choice = usize::from(how >> 2 & 3);
    let asked = Asked {
        point: usize::from(*point) % HOOK_POINTS.len(),
        wait: how & 1 == 0,
        answers: how & 2 == 0,
        on_failure: NEXT[choice],
    };
    answer(asked, said);
    printed(STATUS[choice], said);
});
