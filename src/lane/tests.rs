use super::*;
use std::io::{Read, Write};

fn pair() -> (Lane, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (Lane::new(1, ours), theirs)
}

fn x(line: &mut String) {
    line.push_str("x\n");
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

#[test]
fn a_long_line_goes_out_and_an_answer_comes_back() {
    let (mut lane, theirs) = pair();
    let handler = std::thread::spawn(move || {
        let mut lines = io::BufRead::split(io::BufReader::new(theirs.try_clone().unwrap()), b'\n');
        let length = lines.next().unwrap().unwrap().len();
        writeln!(&theirs, "{length}").unwrap();
    });
    let mut line = "x".repeat(3_000_000);
    line.push('\n');
    assert_eq!(lane.exchange(|out| *out = line, soon()).unwrap(), b"3000000");
    handler.join().unwrap();
}

#[test]
fn a_silent_handler_is_not_waited_for_beyond_the_deadline() {
    let (mut lane, _theirs) = pair();
    let deadline = Instant::now() + Duration::from_millis(30);
    assert!(matches!(lane.exchange(x, deadline), Err(Failed::TimedOut)));
}

#[test]
fn a_handler_that_is_gone_is_noticed() {
    let (mut lane, theirs) = pair();
    drop(theirs);
    assert!(matches!(lane.exchange(x, soon()), Err(Failed::Gone { unread: true, .. })));
}

#[test]
fn a_handler_that_goes_with_the_line_has_read_it() {
    let (mut lane, theirs) = pair();
    lane.start(x);
    assert!(matches!(lane.advance(), Ok(None)));
    assert_eq!((&theirs).read(&mut [0; 8]).unwrap(), 2);
    drop(theirs);
    assert!(matches!(lane.advance(), Err(Failed::Gone { unread: false, .. })));
}

#[test]
fn a_handler_that_goes_before_it_reads_the_line_has_not_read_it() {
    let (mut lane, theirs) = pair();
    lane.start(x);
    assert!(matches!(lane.advance(), Ok(None)));
    drop(theirs);
    assert!(matches!(lane.advance(), Err(Failed::Gone { unread: true, .. })));
}

#[test]
fn what_is_shut_down_before_it_is_closed_has_not_been_read_either() {
    let (mut lane, theirs) = pair();
    lane.start(x);
    assert!(matches!(lane.advance(), Ok(None)));
    theirs.shutdown(Shutdown::Both).unwrap();
    assert!(matches!(lane.advance(), Err(Failed::Gone { unread: true, .. })));
}

#[test]
fn several_lines_at_once_are_several_answers() {
    let (mut lane, mut theirs) = pair();
    theirs.write_all(b"one\ntwo\nthr").unwrap();
    assert_eq!(lane.receive(soon()).unwrap(), b"one");
    assert_eq!(lane.receive(soon()).unwrap(), b"two");
    theirs.write_all(b"ee\n").unwrap();
    assert_eq!(lane.receive(soon()).unwrap(), b"three");
}

#[test]
fn an_answer_has_a_largest_size() {
    for (size, fits) in [(ANSWER_BYTES, true), (ANSWER_BYTES + 1, false)] {
        let (mut lane, theirs) = pair();
        let handler = std::thread::spawn(move || (&theirs).write_all(&[vec![b'x'; size], vec![b'\n']].concat()));
        let answer = lane.receive(soon());
        assert_eq!(answer.is_ok_and(|line| line.len() == size), fits);
        drop(lane);
        let _ = handler.join().unwrap();
    }
}

#[test]
fn an_endless_answer_is_given_up() {
    let (mut lane, theirs) = pair();
    let flood = std::thread::spawn(move || while (&theirs).write_all(&[b'x'; 4096]).is_ok() {});
    assert!(matches!(lane.exchange(x, soon()), Err(Failed::TooLong(ANSWER_BYTES))));
    drop(lane);
    flood.join().unwrap();
}
