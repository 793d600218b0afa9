//! Replay: all leases, or some, once more as lease events, for scripts that cannot know of them: Kea has started, a
//! high-availability partner has handed its leases over, or somebody asks for it.
//!
//! Kea's main thread reads the lease database a page at a time, and waits with the next one until the script is through
//! with most of the last. `replay-begin` is over before the first lease is told of, and `replay-end` comes when all are over:
//! what the script has not heard of in between is gone.

mod command;

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::bridge::ffi::{Page, Pages};
use crate::dispatch::{Identity, Script};
use crate::leases::Action;
use crate::log::log;
use crate::messages;

pub use command::command;

/// Leases of a page. The main thread serves no packet meanwhile.
const PAGE: u32 = 200;

/// Which leases are replayed, to whom, and how far that is.
#[derive(Clone, Debug, PartialEq)]
struct Replay {
    to: Identity,
    which: Which,
    step: Step,
}

#[derive(Clone, Debug, PartialEq)]
struct Which {
    pages: Pages,
    subnet_id: u32,
    /// Of an address or a client.
    bytes: Vec<u8>,
}

impl Which {
    const ALL: Which = Which { pages: Pages::All, subnet_id: 0, bytes: Vec::new() };
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    /// Nothing has been said.
    New,
    /// `replay-begin` has been.
    Begun,
    /// All leases up to this address have been.
    Told([u8; 16]),
    /// All leases have been.
    Ending,
    /// `replay-end` has been.
    Ended,
}

/// Of all scripts; of one script's, the first is going on.
static REPLAYS: Mutex<Replays> = Mutex::new(Replays { list: Vec::new(), reading: None, knowing: Vec::new() });

struct Replays {
    list: Vec<Replay>,
    /// For whom a page is being read.
    reading: Option<Identity>,
    /// Scripts to which all has been replayed since Kea has started, or is about to be.
    knowing: Vec<Identity>,
}

fn replays() -> MutexGuard<'static, Replays> {
    REPLAYS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Replays {
    /// One that has not begun is enough.
    fn add(&mut self, to: Identity, which: Which) {
        let replay = Replay { to, which, step: Step::New };
        if !self.list.contains(&replay) {
            self.list.push(replay);
        }
    }
}

impl Replay {
    /// Goes on as far as the script lets it; what is to be read for that, if anything.
    fn go_on(&mut self, script: &Script, point: usize) -> Option<Page> {
        let (is_idle, is_of_all) = (script.replaying() == 0, self.which == Which::ALL);
        self.step = match self.step {
            // What was told before must not come after what is told now.
            Step::New if script.has_unread() => Step::New,
            // What a script does not hear of in a part of all is not gone.
            Step::New if !is_of_all => Step::Told([0; 16]),
            Step::New => {
                script.replay_bound(point, Action::ReplayBegin);
                Step::Begun
            }
            Step::Begun if is_idle => Step::Told([0; 16]),
            Step::Ending if is_idle && is_of_all => {
                log(messages::REPLAYED, &[script.name()]);
                script.replay_bound(point, Action::ReplayEnd);
                Step::Ended
            }
            Step::Ending if is_idle => Step::Ended,
            step => step,
        };
        let (Step::Told(after), room) = (self.step, script.room_for_replayed()) else { return None };
        let Which { pages, subnet_id, bytes } = self.which.clone();
        (room > 0).then(|| Page { pages, subnet_id, bytes, after, most: PAGE.min(room as u32) })
    }
}

/// All leases are to be replayed to those scripts that want that.
pub fn to_all(scripts: &[Script]) {
    let mut replays = replays();
    wanting(scripts).for_each(|one| replays.add(one, Which::ALL));
}

/// The same to those that there were not before.
pub fn to_new(scripts: &[Script]) {
    let mut replays = replays();
    let wanting: Vec<_> = wanting(scripts).collect();
    for one in &wanting {
        if !replays.knowing.contains(one) {
            replays.add(one.clone(), Which::ALL);
        }
    }
    replays.knowing = wanting;
}

fn wanting(scripts: &[Script]) -> impl Iterator<Item = Identity> {
    scripts.iter().filter(|script| script.config().replay).map(|script| Identity::of(script.config()))
}

/// The next page that Kea's main thread shall read; none for now, or for good.
pub fn next_page(scripts: &[Script], point: usize) -> Page {
    let mut replays = replays();
    let hears = |replay: &Replay, script: &&Script| {
        script.config().hears_of_leases() && Identity::of(script.config()) == replay.to
    };
    replays.list.retain(|replay| replay.step != Step::Ended && scripts.iter().any(|script| hears(replay, &script)));
    replays.reading = None;
    for script in scripts {
        let Some(replay) = replays.list.iter_mut().find(|replay| hears(replay, &script)) else { continue };
        if let Some(page) = replay.go_on(script, point) {
            replays.reading = Some(Identity::of(script.config()));
            return page;
        }
    }
    nothing(if replays.list.is_empty() { Pages::None } else { Pages::Later })
}

pub fn nothing(pages: Pages) -> Page {
    Page { pages, subnet_id: 0, bytes: Vec::new(), after: [0; 16], most: 0 }
}

/// A page has been told of, up to this address; or it was the last.
pub fn told(last: [u8; 16], is_last: bool) {
    let mut replays = replays();
    let Some(reading) = replays.reading.take() else { return };
    if let Some(replay) = replays.list.iter_mut().find(|replay| replay.to == reading) {
        replay.step = if is_last { Step::Ending } else { Step::Told(last) };
    }
}

/// Whether the page that is being read is for this script.
pub fn is_for(script: &Script) -> bool {
    replays().reading == Some(Identity::of(script.config()))
}

/// Kea loads us anew: what was going on begins again.
pub fn begin_again() {
    for replay in &mut replays().list {
        if replay.step != Step::Ended {
            replay.step = Step::New;
        }
    }
}
