//! A spool in the eyes of somebody else.

use std::os::unix::fs::chown;

use super::*;

/// What somebody sees: the ids with how far each event is, and what is said of files.
fn seen(directory: &Path, which: Which) -> (Vec<(Seq, State)>, Vec<String>) {
    let (mut events, mut said) = (vec![], vec![]);
    let mut complain = |path: &Path, why: &str| said.push(format!("{} {why}", name(path)));
    let mut take = |_: &str, record: Record| {
        events.push((record.id, record.state));
        Ok(())
    };
    Reader::open(directory).unwrap().each(which, &mut take, &mut complain).unwrap();
    (events, said)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().into()
}

fn discard(directory: &Path, which: Which) -> Result<usize, String> {
    let mut complain = |path: &Path, why: &str| panic!("{} {why}", path.display());
    Reader::open(directory).unwrap().discard(which, &mut complain)
}

/// Every file with its bytes.
fn files(directory: &Path) -> HashMap<String, Vec<u8>> {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| (name(&path), fs::read(&path).unwrap())).collect()
}

#[test]
fn somebody_else_reads_it_while_it_is_used() {
    let place = Bench::new();
    let opened = place.open();
    let text = "x".repeat(SEGMENT / 3);
    let places: Vec<_> = (1..=7).map(|id| append(&opened.spool, id, &text)).collect();
    opened.spool.finish(places[1], 2, State::Done).unwrap();
    opened.spool.mark(places[2], 3, State::Sent(2)).unwrap();
    opened.spool.give_up(places[4], 5).unwrap();
    let before = files(&place.spool());
    let states =
        [(1, State::Pending), (3, State::Sent(2)), (4, State::Pending), (6, State::Pending), (7, State::Pending)];
    assert_eq!(seen(&place.spool(), Which::Pending), (states.into(), vec![]));
    assert_eq!(seen(&place.spool(), Which::GivenUp), (vec![(5, State::Pending)], vec![]));
    assert_eq!(files(&place.spool()), before);
    let reader = Reader::open(&place.spool()).unwrap();
    assert_eq!((reader.id(), reader.is_spool().unwrap()), (Ok(opened.spool.id()), true));
    assert_eq!(taken(&opened.spool, 9).0.len(), 1);
    assert_eq!(seen(&place.spool(), Which::GivenUp), (vec![], vec![]));
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_is_read() {
    let place = Bench::new();
    let opened = place.open();
    (1..=3).for_each(|id| _ = append(&opened.spool, id, "text"));
    let segment = place.segments().pop().unwrap();
    drop(opened);
    let mut bytes = fs::read(&segment).unwrap();
    bytes[64 + 25] ^= 1;
    bytes.extend_from_slice(b"\xffEv\x01 torn");
    fs::write(&segment, bytes).unwrap();
    for name in ["0000000006.v2", "given-up.v2", "unknown"] {
        fs::write(place.spool().join(name), "future").unwrap();
    }
    fs::create_dir(place.spool().join("0000000007.v1")).unwrap();
    symlink(&segment, place.spool().join("0000000008.v1")).unwrap();
    let mut said = vec![
        "0000000006.v2 another version has written it: it is left out".into(),
        "0000000007.v1 it is no file".into(),
        "0000000008.v1 it is a symbolic link, and left out".into(),
    ];
    if nix::unistd::Uid::effective().is_root() {
        let foreign = place.spool().join("0000000009.v1");
        fs::copy(&segment, &foreign).unwrap();
        chown(&foreign, Some(1), None).unwrap();
        said.push("0000000009.v1 it belongs to another user than the directory that it is in, and is left out".into());
    }
    said.push(format!("{} damaged records are left out: 2", name(&segment)));
    assert_eq!(seen(&place.spool(), Which::Pending), (vec![(1, State::Pending), (3, State::Pending)], said));
    let said = vec!["given-up.v2 another version has written it: it is left out".into()];
    assert_eq!(seen(&place.spool(), Which::GivenUp), (vec![], said));
}

#[test]
fn a_directory_of_several_leads_to_no_stranger() {
    let place = Bench::new();
    drop(place.open());
    fs::write(place.0.join("file"), "").unwrap();
    symlink(place.spool(), place.0.join("link")).unwrap();
    let mut said = vec![];
    let reader = Reader::open(&place.0).unwrap();
    assert!(!reader.is_spool().unwrap());
    let found = reader.directories(&mut |path: &Path, _: &str| said.push(name(path))).unwrap();
    assert_eq!(found.iter().map(|reader| name(reader.path())).collect::<Vec<_>>(), ["spool"]);
    assert_eq!(said, ["link"]);
    for other in ["link", "file", "nowhere"] {
        assert!(Reader::open(&place.0.join(other)).is_err(), "{other}");
    }
}

#[test]
fn it_is_discarded_when_nobody_uses_it() {
    let place = Bench::new();
    let opened = place.open();
    let places: Vec<_> = (1..=4).map(|id| append(&opened.spool, id, "text")).collect();
    opened.spool.give_up(places[0], 1).unwrap();
    opened.spool.finish(places[1], 2, State::Done).unwrap();
    let held = opened.spool.at_work().try_clone().unwrap();
    let refused = |which, reason| {
        let before = files(&place.spool());
        let said = discard(&place.spool(), which).unwrap_err();
        assert!(said.contains(reason), "{said}");
        assert_eq!(files(&place.spool()), before);
    };
    [Which::Pending, Which::GivenUp].into_iter().for_each(|which| refused(which, "a server uses it"));
    drop(opened);
    [Which::Pending, Which::GivenUp].into_iter().for_each(|which| refused(which, "a runner is still at work"));
    drop(held);
    assert_eq!(discard(&place.spool(), Which::Pending), Ok(2));
    assert_eq!(seen(&place.spool(), Which::GivenUp).0.len(), 1);
    assert_eq!(discard(&place.spool(), Which::GivenUp), Ok(1));
    let opened = place.open();
    assert_eq!((ids(&opened), taken(&opened.spool, 9).0), (vec![], vec![]));
    drop(opened);
    fs::remove_file(place.spool().join("lock")).unwrap();
    refused(Which::Pending, "its file \"lock\"");
}

/// What a kill would leave at each moment is what somebody else sees then.
#[test]
fn a_kill_while_events_are_taken_back_loses_none() {
    let place = Bench::new();
    let opened = place.open();
    let places: Vec<_> = (1..=3).map(|id| append(&opened.spool, id, "text")).collect();
    places.iter().zip(1..).for_each(|(place, id)| opened.spool.give_up(*place, id).unwrap());
    let left = || {
        let ids = |which| seen(&place.spool(), which).0.into_iter().map(|event| event.0);
        (ids(Which::Pending).collect::<Vec<_>>(), ids(Which::GivenUp).collect::<Vec<_>>())
    };
    let mut moments = vec![];
    let taken = opened.spool.take_given_up(|id, text| {
        moments.push(left());
        append(&opened.spool, id, text);
        moments.push(left());
        Ok(())
    });
    moments.push(left());
    assert_eq!((taken.events, moments.len()), (3, 7));
    for (pending, aside) in &moments {
        assert!((1..=3).all(|id| pending.contains(&id) || aside.contains(&id)), "{moments:?}");
    }
    assert_eq!(moments[6], (vec![1, 2, 3], vec![]));
}
