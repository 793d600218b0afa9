//! What a script's end and what it has printed say, with `answers`.

use serde_json::Value;

use crate::config::Mode;
use crate::text::{GLIMPSE, excerpt, unreadable};
use crate::verdict::{ANSWER_BYTES, Failure, FailureKind, Next, Wishes};

/// Exit statuses that say something; a shell's own errors are 1, 2, 126 and 127.
const SKIP: i32 = 10;
const DROP: i32 = 20;

/// Keys of the answer's line that are not the script's to say.
const OURS: [&str; 4] = ["seq", "failure", "again", "log"];

/// Reads a script's answer from its exit status and what it has printed, of which at least one byte more than
/// [`ANSWER_BYTES`] has to be there if it was too much.
pub fn read(status: i32, printed: &[u8]) -> Result<(Next, Wishes), Failure> {
    let is_empty = printed.trim_ascii().is_empty();
    match status {
        0 if is_empty => Ok((Next::Continue, Wishes::default())),
        0 => object(printed),
        SKIP | DROP if !is_empty => {
            let text = format!("printed something with exit status {status}: only with 0 is it an answer");
            Err(Failure::new(FailureKind::Answer, text))
        }
        SKIP => Ok((Next::Skip, Wishes::default())),
        DROP => Ok((Next::Drop, Wishes::default())),
        _ => Err(Failure::new(FailureKind::Exit, format!("exit status {status}"))),
    }
}

fn object(printed: &[u8]) -> Result<(Next, Wishes), Failure> {
    let bad = |text: String| Failure::new(FailureKind::Answer, text);
    if printed.len() > ANSWER_BYTES {
        return Err(bad(format!("printed more than {ANSWER_BYTES} bytes: an answer may have no more")));
    }
    let Wishes(mut wishes) = serde_json::from_slice(printed).map_err(|error| {
        let reason = unreadable(&error, printed, Mode::Exec.only_answers());
        bad(format!("what it printed is no JSON object: {reason}; see answers.md on quoting"))
    })?;
    if let Some((key, _)) = wishes.iter().find(|(key, _)| OURS.contains(&key.as_str())) {
        return Err(bad(format!("its answer has the key \"{key}\", which is not its own to say")));
    }
    let next = wishes.iter().position(|(key, _)| key == "next").map(|at| wishes.remove(at).1);
    let next = next.map_or(Ok(Next::Continue), next_of).map_err(bad)?;
    Ok((next, Wishes(wishes)))
}

fn next_of(value: Value) -> Result<Next, String> {
    let text = value.to_string();
    serde_json::from_value(value)
        .map_err(|_| format!("its \"next\" is {}: give \"continue\", \"skip\" or \"drop\"", excerpt(text, GLIMPSE)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Bench, assert_failure, texts};
    use super::*;

    #[track_caller]
    fn said(body: &str) -> (Next, String) {
        let answer = Bench::shell(body).answer_of_its_own();
        (answer.next.unwrap(), serde_json::to_string(&answer.wishes).unwrap())
    }

    #[track_caller]
    fn failure(body: &str, kind: FailureKind, text: &str) {
        let failure = Bench::shell(body).answer_of_its_own().failure.unwrap();
        assert_eq!(failure.kind, kind, "{}", failure.text);
        assert!(failure.text.contains(text), "{}", failure.text);
    }

    #[test]
    fn the_exit_status_says_how_kea_goes_on() {
        assert_eq!(said("exit 0"), (Next::Continue, "{}".into()));
        assert_eq!(said("echo; exit 0"), (Next::Continue, "{}".into()));
        assert_eq!(said("exit 10"), (Next::Skip, "{}".into()));
        assert_eq!(said("exit 20"), (Next::Drop, "{}".into()));
        for status in [1, 2, 3, 9, 11, 30, 126, 127, 255] {
            failure(&format!("exit {status}"), FailureKind::Exit, &format!("exit status {status}"));
        }
        failure("ulimit -c 0; kill -SEGV $$", FailureKind::Signal, "killed by SIGSEGV");
    }

    #[test]
    fn an_object_says_more() {
        let (next, wishes) = said(r#"echo '{"subnet-id":2,"next":"skip","x":[1,{"y":null}],"hostname":"a"}'"#);
        assert_eq!((next, &*wishes), (Next::Skip, r#"{"subnet-id":2,"x":[1,{"y":null}],"hostname":"a"}"#));
        assert_eq!(said(r#"printf '\n{\n "subnet-id": 2 }\n\n'"#), (Next::Continue, r#"{"subnet-id":2}"#.into()));
        assert_eq!(said("echo '{}'"), (Next::Continue, "{}".into()));
    }

    #[test]
    fn anything_else_is_no_answer() {
        let no = |text: &str| failure(&format!("printf '%s' '{text}'"), FailureKind::Answer, "is no JSON object: ");
        for text in ["hello", "[]", "7", "null", "{} {}", "{\"a\":", "{\"a\":1}x", "{\"a\":1,\"a\":1}", "{a:1}"] {
            no(text);
        }
        failure("printf '{\"a\":\"\\377\"}'", FailureKind::Answer, "is no JSON object");
        failure(r#"echo '{"next":"explode"}'"#, FailureKind::Answer, r#""next" is "explode": give"#);
        failure(r#"echo '{"next":null}'"#, FailureKind::Answer, r#""next" is null"#);
        failure(r#"echo '{"seq":7}'"#, FailureKind::Answer, r#"the key "seq""#);
        failure(r#"echo '{"again":7}'"#, FailureKind::Answer, r#"the key "again""#);
        failure("echo '{}'; exit 10", FailureKind::Answer, "only with 0");
        failure("echo '{\"next\":\"drop\"}'; exit 1", FailureKind::Exit, "exit status 1");
    }

    #[test]
    fn an_answer_has_a_largest_size() {
        let body = |n: usize| format!("printf '{{\"x\":\"%0{n}d\"}}' 0");
        assert_eq!(said(&body(ANSWER_BYTES - 8)).1.len(), ANSWER_BYTES);
        failure(&body(ANSWER_BYTES - 7), FailureKind::Answer, "more than 262144 bytes");
        failure(&body(50 * ANSWER_BYTES), FailureKind::Answer, "more than 262144 bytes");
    }

    #[test]
    fn only_standard_error_is_logged() {
        let answer = Bench::shell("echo '{}'; echo hm >&2").answer_of_its_own();
        assert_eq!(texts(&answer), ["hm"]);
        let answer = Bench::shell("echo '{}'; echo hm >&2; exit 3").answer_of_its_own();
        assert_eq!(texts(&answer), ["hm"]);
    }

    #[test]
    fn half_an_answer_is_none() {
        let bench = Bench::shell("echo '{\"next\":\"skip\"}'; exec sleep 60");
        let answer = bench.answer_of_its_own_within(300);
        assert_failure(&answer, FailureKind::Timeout, "no end within 300 ms; stopped with SIGTERM");
    }

    #[test]
    fn what_is_left_running_does_not_hold_the_answer_up() {
        assert_eq!(said("sleep 60 & echo '{\"next\":\"drop\"}'").0, Next::Drop);
    }
}
