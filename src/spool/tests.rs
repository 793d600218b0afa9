//! The spool without Kea: what was appended is there again, whatever happens to the files.

mod reader;

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::unistd::mkdtemp;

use super::*;

const LIMIT: u64 = 1 << 30;

/// A directory for a test, away when it ends.
struct Bench(PathBuf);

impl Bench {
    fn new() -> Bench {
        Bench(mkdtemp(&std::env::temp_dir().join("kea-hook-runscript-spool-XXXXXX")).unwrap())
    }

    fn spool(&self) -> PathBuf {
        self.0.join("spool")
    }

    fn open(&self) -> Opened {
        Spool::open(&self.spool(), LIMIT).unwrap()
    }

    fn segments(&self) -> Vec<PathBuf> {
        let (numbers, _) = directory::segments(&self.spool()).unwrap();
        numbers.into_iter().map(|number| directory::segment(&self.spool(), number)).collect()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn append(spool: &Spool, id: Seq, text: &str) -> Place {
    spool.writer().unwrap().append(id, text).unwrap()
}

/// All that is not over, from the beginning, and how many places are damaged.
fn read_all(opened: &Opened) -> (Vec<(Place, Seq, String)>, usize) {
    let (mut events, mut damaged) = (vec![], 0);
    let Some(mut at) = opened.first else { return (events, 0) };
    while at != opened.spool.writer().unwrap().tail() {
        let (next, here) =
            opened.spool.read(at, |place, record| events.push((place, record.id, record.text.into()))).unwrap();
        (at, damaged) = (next, damaged + here);
    }
    (events, damaged)
}

fn ids(opened: &Opened) -> Vec<Seq> {
    read_all(opened).0.into_iter().map(|(_, id, _)| id).collect()
}

#[test]
fn what_is_not_over_is_there_after_a_kill() {
    let place = Bench::new();
    let opened = place.open();
    assert!(opened.first.is_none() && opened.last_id == 0);
    let places: Vec<_> = (1..=5).map(|id| append(&opened.spool, id, &format!("text {id}"))).collect();
    opened.spool.finish(places[1], 2, State::Done).unwrap();
    opened.spool.mark(places[2], 3, State::Sent(2)).unwrap();
    let id = opened.spool.id();
    drop(opened);
    let opened = place.open();
    assert_eq!((opened.spool.id(), opened.last_id), (id, 5));
    let (events, damaged) = read_all(&opened);
    assert_eq!((events.iter().map(|event| event.1).collect::<Vec<_>>(), damaged), (vec![1, 3, 4, 5], 0));
    assert_eq!(events[1].2, "text 3");
    assert_eq!(opened.spool.state(events[1].0, 3).unwrap(), State::Sent(2));
    let mut text = String::new();
    opened.spool.text(events[3].0, 5, &mut text).unwrap();
    assert_eq!(text, "text 5");
}

#[test]
fn segments_with_nothing_pending_are_deleted() {
    let place = Bench::new();
    let opened = place.open();
    let text = "x".repeat(SEGMENT / 4 - 100);
    let places: Vec<_> = (1..=9).map(|id| append(&opened.spool, id, &text)).collect();
    assert_eq!(place.segments().len(), 3);
    places.iter().zip(1..=8).for_each(|(place, id)| opened.spool.finish(*place, id, State::Done).unwrap());
    assert_eq!(place.segments().len(), 1);
    drop(opened);
    let opened = place.open();
    assert_eq!(ids(&opened), [9]);
    opened.spool.finish(opened.first.unwrap(), 9, State::Done).unwrap();
    drop(opened);
    assert!(place.segments().is_empty());
}

#[test]
fn the_limit_is_one() {
    let place = Bench::new();
    let spool = Spool::open(&place.spool(), 2 * SEGMENT as u64).unwrap().spool;
    let text = "x".repeat(SEGMENT / 4);
    let mut places: Vec<_> = (1..=6).map(|id| append(&spool, id, &text)).collect();
    let refused = spool.writer().unwrap().append(7, &text);
    assert!(matches!(refused, Err(Unspooled::Full)), "{refused:?}");
    places.drain(..3).zip(1..).for_each(|(place, id)| spool.finish(place, id, State::Done).unwrap());
    append(&spool, 7, &text);
    assert!(matches!(spool.writer().unwrap().append(8, &"x".repeat(SEGMENT)), Err(Unspooled::TooLong)));
}

#[test]
fn a_second_one_in_the_directory_is_refused() {
    let place = Bench::new();
    let _first = place.open();
    let refused = Spool::open(&place.spool(), LIMIT).err().unwrap();
    assert!(refused.contains("another server uses it"), "{refused}");
}

#[test]
fn a_directory_has_to_be_ours_alone() {
    let place = Bench::new();
    let refused = |path: &Path| Spool::open(path, LIMIT).err().unwrap();
    fs::create_dir(place.spool()).unwrap();
    symlink(place.spool(), place.0.join("link")).unwrap();
    assert!(refused(&place.0.join("link")).contains("a symbolic link is none either"));
    fs::set_permissions(place.spool(), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(refused(&place.spool()).contains("chmod it to 0700"));
    fs::set_permissions(place.spool(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(place.0.join("victim"), "precious").unwrap();
    symlink(place.0.join("victim"), place.spool().join("lock")).unwrap();
    assert!(refused(&place.spool()).contains("symbolic link"));
    assert!(refused(&place.0.join("no/such/one")).contains("make its parent"));
    assert_eq!(fs::read(place.0.join("victim")).unwrap(), b"precious");
}

#[test]
fn what_is_no_segment_of_ours_stays() {
    let place = Bench::new();
    drop(place.open());
    for (name, text) in [("0000000005.v1", ""), ("0000000006.v2", "future"), ("id", "short")] {
        fs::write(place.spool().join(name), text).unwrap();
    }
    fs::write(place.0.join("victim"), "precious").unwrap();
    symlink(place.0.join("victim"), place.spool().join("0000000007.v1")).unwrap();
    let opened = place.open();
    assert_eq!(opened.others, ["0000000006.v2"]);
    assert_eq!(fs::read(place.spool().join("id")).unwrap().len(), 16);
    assert_eq!(read_all(&opened), (vec![], 1), "the link is damage");
    assert!(place.spool().join("0000000006.v2").exists() && !place.spool().join("0000000005.v1").exists());
    assert_eq!(fs::read(place.0.join("victim")).unwrap(), b"precious");
}

#[test]
fn the_last_number_is_refused() {
    let place = Bench::new();
    drop(place.open());
    fs::write(place.spool().join("4294967295.v1"), "").unwrap();
    assert!(Spool::open(&place.spool(), LIMIT).err().unwrap().contains("the greatest number there is"));
}

#[test]
fn an_earlier_library_is_at_work_as_long_as_a_runner_holds_its_lock() {
    let place = Bench::new();
    let first = place.open();
    let held = first.spool.at_work().try_clone().unwrap();
    append(&first.spool, 1, "text");
    drop(first);
    let second = place.open();
    assert!(second.spool.others_at_work());
    drop(held);
    assert!(!second.spool.others_at_work());
}

#[test]
fn a_runner_marks_by_place_and_by_id() {
    let place = Bench::new();
    let opened = place.open();
    let places: Vec<_> = (1..=3).map(|id| append(&opened.spool, id, "text")).collect();
    let marks = Marks::new(place.spool());
    marks.mark(places[1], 2, State::Done).unwrap();
    assert_eq!(opened.spool.state(places[1], 2).unwrap(), State::Done);
    assert!(marks.mark(places[1], 3, State::Done).is_err(), "another event is there");
    assert_eq!(marks.find(3).unwrap(), None, "no handler has had it");
    marks.mark(places[2], 3, State::Sent(1)).unwrap();
    assert_eq!((marks.find(3).unwrap(), marks.find(4).unwrap()), (Some(places[2]), None));
}

#[test]
fn what_is_given_up_is_put_aside_and_can_be_taken_back() {
    let place = Bench::new();
    let opened = place.open();
    let places: Vec<_> = (1..=3).map(|id| append(&opened.spool, id, &format!("text {id}"))).collect();
    opened.spool.give_up(places[0], 1).unwrap();
    opened.spool.give_up(places[2], 3).unwrap();
    drop(opened);
    let opened = place.open();
    assert_eq!(ids(&opened), [2]);
    assert_eq!(taken(&opened.spool, usize::MAX), (vec![(1, "text 1".into()), (3, "text 3".into())], true));
    assert_eq!(taken(&opened.spool, usize::MAX), (vec![], true));
    assert!(!place.spool().join(given_up::NAME).exists());
}

/// Takes back so many of the events that are put aside; whether that was all.
fn taken(spool: &Spool, most: usize) -> (Vec<(Seq, String)>, bool) {
    let mut events = vec![];
    let taken = spool.take_given_up(|id, text| {
        let is_room = events.len() < most;
        is_room.then(|| events.push((id, text.into()))).ok_or(Unspooled::Full)
    });
    assert_eq!(taken.events, events.len());
    (events, taken.refused.is_none())
}

#[test]
fn what_finds_no_room_stays_aside() {
    let place = Bench::new();
    let opened = place.open();
    let text = "x".repeat(SLICE / 2);
    for id in 1..=5 {
        let place = append(&opened.spool, id, &text);
        opened.spool.give_up(place, id).unwrap();
    }
    let ids = |(events, is_all): (Vec<(Seq, String)>, bool)| (events.iter().map(|event| event.0).collect(), is_all);
    assert_eq!(ids(taken(&opened.spool, 0)), (vec![], false));
    assert_eq!(ids(taken(&opened.spool, 2)), (vec![1, 2], false));
    let place = append(&opened.spool, 6, &text);
    opened.spool.give_up(place, 6).unwrap();
    assert_eq!(ids(taken(&opened.spool, 9)), (vec![3, 4, 5, 6], true));
    assert_eq!(ids(taken(&opened.spool, 9)), (vec![], true));
}

#[test]
fn what_was_taken_back_is_marked_where_it_is_now() {
    let place = Bench::new();
    let opened = place.open();
    let first = append(&opened.spool, 1, "text 1");
    append(&opened.spool, 2, "text 2");
    opened.spool.give_up(first, 1).unwrap();
    let mut again = None;
    let append = |id, text: &str| opened.spool.writer()?.append(id, text).map(|place| again = Some(place));
    assert_eq!(opened.spool.take_given_up(append).events, 1);
    let again = again.unwrap();
    assert_eq!(opened.spool.state(again, 1).unwrap(), State::Pending);
    opened.spool.mark(again, 1, State::Sent(1)).unwrap();
    assert_eq!(Marks::new(place.spool()).find(1).unwrap(), Some(again));
    drop(opened);
    let opened = place.open();
    assert_eq!((ids(&opened), opened.last_id), (vec![2, 1], 2));
}

/// Any byte changed, any tail cut off, any part zeroed: all whole records are found, and none is invented.
#[test]
fn damage_costs_what_it_touches() {
    let place = Bench::new();
    let opened = place.open();
    let mut seed = 88172645463325252u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed as usize % below
    };
    let texts: Vec<String> =
        (0..200).map(|_| char::from(b'a' + random(26) as u8).to_string().repeat(1 + random(4000))).collect();
    let places: Vec<_> = texts.iter().zip(1..).map(|(text, id)| append(&opened.spool, id, text)).collect();
    let segment = place.segments().pop().unwrap();
    let whole = fs::read(&segment).unwrap();
    for _ in 0..1000 {
        let mut bytes = whole.clone();
        let from = random(bytes.len());
        let to = match random(3) {
            0 => {
                bytes.truncate(from);
                whole.len()
            }
            1 => {
                let to = (from + 1 + random(9000)).min(bytes.len());
                bytes[from..to].fill(0);
                to
            }
            _ => {
                bytes[from] ^= 1 << random(8);
                from + 1
            }
        };
        let other = segment.with_file_name("damaged");
        fs::write(&other, &bytes).unwrap();
        let mut found = HashMap::new();
        let file = directory::open(&other).unwrap();
        let mut at = 0;
        while at < bytes.len() {
            (at, _) =
                segments::look(&file, at, bytes.len(), &mut |at, record| _ = found.insert(at, record.text.to_owned()))
                    .unwrap();
        }
        for (text, place) in texts.iter().zip(&places) {
            let end = place.at() + record::HEADER + text.len();
            match found.remove(&place.at()) {
                Some(there) => assert_eq!(there, *text),
                None => assert!(end > from && place.at() < to, "{place} is whole"),
            }
        }
        assert!(found.is_empty());
    }
}
