//! Kea's command `runscript-retry`: events that were put aside are handled again.

use serde::Deserialize;

use crate::commands_of_kea::{EMPTY, ERROR, SUCCESS, read};
use crate::dispatch::Script;
use crate::spool::Taken;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// As `runscript-status` names it.
    script: Option<String>,
}

/// Carries the command out, with its arguments as JSON text, or empty.
pub fn retry<'a>(scripts: impl IntoIterator<Item = &'a Script>, arguments: &str) -> (i32, String) {
    let scripts = scripts.into_iter();
    match read(arguments) {
        Some(Arguments { script: None }) => answer(scripts),
        Some(Arguments { script: Some(name) }) => {
            let mut named = scripts.filter(|script| script.name() == name).peekable();
            match named.peek() {
                Some(_) => answer(named),
                None => (ERROR, format!("there is no script \"{name}\": runscript-status names them")),
            }
        }
        None => (ERROR, "the arguments are wrong: give none, or the map { \"script\": PATH }".into()),
    }
}

fn answer<'a>(scripts: impl Iterator<Item = &'a Script>) -> (i32, String) {
    let taken: Vec<_> = scripts.filter_map(|script| Some((script.name(), script.retry_given_up()?))).collect();
    if taken.is_empty() {
        return (ERROR, "there is no spool: without one, nothing is put aside".into());
    }
    let parts: Vec<_> = taken.iter().filter_map(|(name, taken)| part(name, taken)).collect();
    match taken.iter().any(|(_, taken)| taken.refused.is_some()) {
        true => (ERROR, parts.join("; ")),
        false if parts.is_empty() => (EMPTY, "no event was put aside".into()),
        false => (SUCCESS, parts.join("; ")),
    }
}

/// What is to be said of one script, if anything.
fn part(name: &str, taken: &Taken) -> Option<String> {
    let events = match taken.events {
        0 => None,
        1 => Some(format!("1 event of {name} is handled again")),
        events => Some(format!("{events} events of {name} are handled again")),
    };
    let refused = taken.refused.as_ref().map(|why| format!("{name}: what was put aside stays there: {why}"));
    let parts: Vec<_> = events.into_iter().chain(refused).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}
