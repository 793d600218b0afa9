//! Daemons that are at work when the library ends: what they answer is marked, and they end in time.

use std::thread;

use super::marks::Spooled;
use super::*;

const SOON: Duration = Duration::from_millis(300);
const LATE: Duration = Duration::from_secs(600);

/// Reads lines; `answer` is run for each, with the number in `$seq`. A copy of the lines goes to `script.told`.
fn daemon(answer: &str) -> Bench {
    Bench::shell(&format!(
        "echo $$ > \"$0.pid\"\nwhile read -r line; do echo \"$line\" >> \"$0.told\"; \
         seq=${{line#*\\\"seq\\\":}}; seq=${{seq%%,*}}; {answer}\ndone\ntouch \"$0.end\""
    ))
}

const ANSWER: &str = "echo \"{\\\"seq\\\":$seq}\";";
/// Until the library is gone.
const WAIT: &str = "while [ ! -e \"$0.go\" ]; do sleep 0.01; done;";

/// What has become of events 1 to 9, which were written to a daemon before the library went away.
struct Left {
    bench: Bench,
    spooled: Spooled,
    took: Duration,
}

impl Left {
    fn is_there(&self, name: &str) -> bool {
        self.bench.directory.join(format!("script.{name}")).exists()
    }

    fn told(&self) -> usize {
        fs::read_to_string(self.bench.directory.join("script.told")).unwrap_or_default().lines().count()
    }
}

fn leave(bench: Bench, patience: Duration) -> Left {
    leave_with(bench, patience, |_, _| {})
}

fn leave_with(bench: Bench, patience: Duration, before: impl FnOnce(&Daemons, &UnixStream)) -> Left {
    let spooled = Spooled::new(&bench, 9);
    let (daemons, control) = bench.daemons_with(spooled.marking(), patience);
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let started = thread::scope(|scope| {
        daemons.take(scope, 1, Arc::new(theirs), Some(ours.try_clone().unwrap())).unwrap();
        (1..=9).for_each(|seq| ours.write_all(line(&spooled.event(seq)).unwrap().as_bytes()).unwrap());
        assert!(until(|| fs::read(bench.directory.join("script.told")).is_ok_and(|told| !told.is_empty())));
        before(&daemons, &ours);
        drop((ours, control));
        daemons.library_is_gone();
        fs::write(bench.directory.join("script.go"), "").unwrap();
        Instant::now()
    });
    Left { bench, spooled, took: started.elapsed() }
}

#[test]
fn a_daemon_finishes_what_it_has_and_its_answers_are_marked() {
    let left = leave(daemon(&format!("{WAIT} {ANSWER}")), LATE);
    assert_eq!(left.spooled.done(), (1..=9).collect::<Vec<_>>());
    assert!(left.is_there("end"), "it has seen the end of its input");
}

#[test]
fn a_daemon_may_take_its_time_for_each_answer() {
    let left = leave(daemon(&format!("{WAIT} sleep 0.2; {ANSWER}")), Duration::ZERO);
    assert_eq!(left.spooled.done(), (1..=9).collect::<Vec<_>>());
    assert!(left.took > Duration::from_millis(1800));
}

#[test]
fn again_is_no_mark() {
    let again = "[ $seq = 3 ] && { echo '{\"seq\":3,\"again\":1}'; continue; };";
    let left = leave(daemon(&format!("{WAIT} {again} {ANSWER}")), LATE);
    assert_eq!(left.spooled.done(), [1, 2, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn garbage_ends_a_daemon() {
    let left = leave(daemon(&format!("{WAIT} [ $seq = 3 ] && {{ echo hm; exec sleep 600; }}; {ANSWER}")), LATE);
    assert_eq!((left.spooled.done(), left.told()), (vec![1, 2], 3));
}

#[test]
fn a_silent_daemon_is_stopped() {
    let left = leave(daemon(&format!("{WAIT} [ $seq = 3 ] && exec sleep 600; {ANSWER}")), SOON);
    assert_eq!(left.spooled.done(), [1, 2]);
    assert!(left.took >= SOON + Duration::from_secs(1));
}

#[test]
fn what_it_answers_as_it_is_stopped_is_an_answer() {
    let late = format!("trap 'seq=3; {ANSWER} exit 0' TERM; sleep 600 & wait;");
    let left = leave(daemon(&format!("{WAIT} [ $seq = 3 ] && {{ {late} }}; {ANSWER}")), SOON);
    assert_eq!(left.spooled.done(), [1, 2, 3]);
}

#[test]
fn a_daemon_that_dies_has_answered_what_it_has_answered() {
    let left = leave(daemon(&format!("{WAIT} [ $seq = 4 ] && kill -9 $$; {ANSWER}")), LATE);
    assert_eq!(left.spooled.done(), [1, 2, 3]);
}

#[test]
fn answers_count_when_we_are_told_to_end() {
    let left = marks::told_to_end(|| leave(daemon(&format!("{WAIT} {ANSWER}")), LATE));
    assert_eq!(left.spooled.done(), (1..=9).collect::<Vec<_>>());
}

#[test]
fn a_daemon_that_has_nothing_to_answer_is_not_waited_for() {
    let left = leave_with(daemon("[ $seq != 9 ] || exec sleep 600"), LATE, |daemons, _| {
        daemons.let_go(1);
    });
    assert!(left.took < Duration::from_secs(60));
    assert!(left.spooled.done().is_empty());
}

#[test]
fn a_lane_that_was_hung_up_before_is_heard_too() {
    let hang_up = |_: &Daemons, ours: &UnixStream| ours.shutdown(std::net::Shutdown::Write).unwrap();
    let left = leave_with(daemon(&format!("{WAIT} {ANSWER}")), LATE, hang_up);
    assert_eq!(left.spooled.done(), (1..=9).collect::<Vec<_>>());
}

/// The library reads what it is answered, as long as it lives.
#[test]
fn nothing_is_read_in_the_place_of_a_library_that_lives() {
    let bench = daemon(ANSWER);
    let spooled = Spooled::new(&bench, 9);
    let (daemons, _control) = bench.daemons_with(spooled.marking(), LATE);
    let (ours, theirs) = UnixStream::pair().unwrap();
    thread::scope(|scope| {
        daemons.take(scope, 1, Arc::new(theirs), Some(ours.try_clone().unwrap())).unwrap();
        let mut peer = Peer(BufReader::new(ours));
        for seq in 1..=9 {
            peer.send(&spooled.event(seq));
            assert_eq!(peer.answer().unwrap().seq, seq);
        }
        peer.0.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(peer.line(), None, "the duplicate does not keep it open");
    });
    assert!(spooled.done().is_empty(), "marks of answered events are the library's");
}
