//! Parameters: defaults, bounds, units and the wording of refusals.

pub mod capabilities;
pub mod env;
mod handler;
mod keep;
mod leases;
#[cfg(test)]
mod pages;
pub mod parameters;
mod points;
mod read;
pub mod service;
mod spool;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use caps::Capability;
use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;
use serde_json::Value;

use crate::bridge::ffi::Key;
use crate::dialect::Dialect;
use crate::hook_points::{CONFIGURED, HOOK_POINTS, HookPoint, Server, find};
use crate::variables::Style;
use crate::verdict::Next;
pub use handler::{TOOLS, TOOLS_PATH};
use handler::{handler, program};
pub use keep::Keep;
pub use points::{Point, Wait, Ways};
use read::{Refusal, Section};
pub use spool::Spool;

/// What a time-out may be, in milliseconds: up to an hour.
const TIMEOUT_BOUNDS: (u64, u64) = (1, 3_600_000);
const CONCURRENCY_BOUNDS: (u64, u64) = (1, 256);
const QUEUE_LIMIT_BOUNDS: (u64, u64) = (1, 1_000_000);
const RESERVATION_LIMIT_BOUNDS: (u64, u64) = (0, 1_000_000);

/// One script and all that says how it is run.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub mode: Mode,
    pub dialect: Dialect,
    /// The program; with [`Mode::Socket`] the socket.
    pub script: PathBuf,
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
    /// What Kea needs for itself and the program may have too.
    pub keep_capabilities: Vec<Capability>,
    /// By index of [`HOOK_POINTS`]; `None` where the script is not called.
    pub points: Vec<Option<Point>>,
    /// What is in `points`.
    pub ways: Ways,
    pub on_failure: Next,
    pub answers: bool,
    pub keep: Keep,
    pub concurrency: usize,
    pub queue_limit: usize,
    pub spool: Spool,
    /// The first parameter in ISC's words (`name`, `sync`) of a script that says no `dialect`.
    pub word_of_isc: Option<&'static str>,
    /// Among the scripts of this path, from 1.
    pub number: usize,
    /// Whether it is told of all leases once more when it cannot know of them.
    pub replay: bool,
    /// Whether of a lease's events that wait the newest alone is kept.
    pub coalesce: bool,
    /// Whether lease events say what other leases the client has.
    pub other_leases: bool,
    /// How many reservations its answers may make; 0 if they cannot make any.
    pub reservation_limit: usize,
    pub debug: bool,
    pub runner: Option<PathBuf>,
    /// Kea allows programs of one directory only: whom we would only warn of is refused.
    pub strict: bool,
    pub required: bool,
}

/// Who reads the lines.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// The runner, which runs the script once per event.
    Exec,
    /// Copies of the script, which the runner has started.
    Daemon,
    /// Whoever listens on a Unix socket.
    Socket,
}

impl Mode {
    /// As in the parameters.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Exec => "exec",
            Mode::Daemon => "daemon",
            Mode::Socket => "socket",
        }
    }

    /// What helps a program that has said something else where an answer is due.
    pub fn only_answers(self) -> &'static str {
        match self {
            Mode::Exec => "standard output is for the answer; print to standard error",
            Mode::Daemon => "standard output is for answers; print to standard error",
            Mode::Socket => "the connection is for answers; see lines.md",
        }
    }
}

impl Config {
    /// At which hook points the script is called, and how.
    pub fn where_kea_waits(&self) -> String {
        let points = || HOOK_POINTS.iter().zip(&self.points);
        let at = |wait: Wait| points().filter(move |(_, how)| how.is_some_and(|how| how.wait == wait));
        let part = |(wait, does): (Wait, &str)| {
            let names: Vec<_> = at(wait).map(|(row, _)| row.name).collect();
            (!names.is_empty()).then(|| format!("{does} at {}", names.join(" ")))
        };
        let parts = [(Wait::Yes, "waits"), (Wait::Park, "parks"), (Wait::No, "does not wait")];
        parts.into_iter().filter_map(part).collect::<Vec<_>>().join(", ")
    }

    /// Whether it is told of lease events.
    pub fn hears_of_leases(&self) -> bool {
        leases::hears_of_leases(&self.points)
    }

    /// Whether something is done for it when Kea has taken a configuration.
    pub fn hears_of_configuration(&self) -> bool {
        let is_named = find(CONFIGURED).is_some_and(|point| self.points[point].is_some());
        is_named || self.hears_of_leases() || self.reservation_limit > 0
    }

    /// How its variables are written.
    pub fn style(&self) -> Style {
        Style { dialect: self.dialect, debug: self.debug }
    }

    /// The longest time that an event may take.
    pub fn longest_timeout(&self) -> Duration {
        self.points.iter().flatten().map(|point| point.timeout).max().unwrap_or_default()
    }
}

/// The Kea whose configuration this is.
#[derive(Clone, Copy, Debug)]
pub struct Kea<'a> {
    pub server: Server,
    pub version: &'a str,
    /// All that it knows.
    pub hook_points: &'a [String],
    /// Its directory for programs; empty if it has none.
    pub scripts_directory: &'a Path,
    /// Whether they may be nowhere else.
    pub scripts_only_there: bool,
    /// Where it keeps its own data.
    pub data_directory: &'a Path,
}

impl Kea<'_> {
    /// Whether a script may be called there.
    fn has(&self, row: &HookPoint) -> bool {
        row.is_ours || self.hook_points.iter().any(|name| name == row.name)
    }

    /// Whether it can park packets there.
    pub fn parks(&self, row: &HookPoint) -> bool {
        let can = row.parks.is_some_and(|since| numbers(self.version) >= numbers(since));
        can && row.server == self.server && self.has(row)
    }
}

/// Of a version, `2.6.3`, for comparing it.
fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|number| number.parse().unwrap_or_default()).collect()
}

/// The library's parameters, JSON text as Kea gives it; empty where there are none.
pub fn parse(parameters: &str, kea: Kea) -> Result<Vec<Config>, String> {
    let mut value = match parameters {
        "" => Value::Null,
        text => serde_json::from_str(text).map_err(|error| format!("parameters are not JSON: {error}"))?,
    };
    undo_keas_escapes(&mut value);
    scripts(&value, kea).map_err(|refusal| refusal.to_string())
}

/// Kea's JSON has an escape for each byte of a string that is not ASCII, so that `é` comes as `Ã©`.
pub fn undo_keas_escapes(value: &mut Value) {
    match value {
        Value::String(text) => {
            let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
            if let Some(Ok(meant)) = bytes.map(String::from_utf8) {
                *text = meant;
            }
        }
        Value::Array(list) => list.iter_mut().for_each(undo_keas_escapes),
        Value::Object(map) => map.values_mut().for_each(undo_keas_escapes),
        _ => {}
    }
}

fn scripts(value: &Value, kea: Kea) -> Result<Vec<Config>, Refusal> {
    let section = Section::new("", value)?;
    let Some(list) = section.list("scripts", "maps")? else {
        let config = script(&section, kea)?;
        let spool = spool::spool(&section, kea, &config.script, config.number)?;
        return Ok(vec![Config { spool, ..config }]);
    };
    if let Some(key) = section.keys().find(|&key| key != "scripts") {
        let remedy = "with \"scripts\" every other parameter stands inside one of its maps";
        return Err(section.refuse(key, remedy));
    }
    if list.is_empty() {
        return Err(section.refuse("scripts", "give at least one map with a \"script\""));
    }
    let mut configs: Vec<Config> = Vec::with_capacity(list.len());
    for (i, value) in list.iter().enumerate() {
        let section = Section::new(format!("scripts[{i}]."), value)?;
        let mut config = script(&section, kea)?;
        config.number += configs.iter().filter(|other| other.script == config.script).count();
        config.spool = spool::spool(&section, kea, &config.script, config.number)?;
        configs.push(config);
    }
    Ok(configs)
}

fn script(section: &Section, kea: Kea) -> Result<Config, Refusal> {
    section.check_keys()?;
    let dialect = dialect(section)?;
    let points = points::points(section, kea, dialect)?;
    let ways = Ways::of(&points);
    let (mode, script) = handler(section, kea)?;
    let answers = answers(section, ways)?;
    Ok(Config {
        mode,
        dialect,
        script,
        answers,
        keep: keep::keep(section, answers)?,
        args: section.strings("args")?,
        env: env::env(section, kea)?,
        keep_capabilities: capabilities::kept(section)?,
        ways,
        on_failure: on_failure(section, answers)?,
        concurrency: section.bounded("concurrency", CONCURRENCY_BOUNDS, "lanes")?.map_or_else(cpus, |n| n as usize),
        queue_limit: section.bounded("queue-limit", QUEUE_LIMIT_BOUNDS, "events")?.unwrap_or(10_000) as usize,
        spool: Spool::default(),
        word_of_isc: ["name", "sync"]
            .into_iter()
            .find_map(|key| section.has(key))
            .filter(|_| section.has("dialect").is_none()),
        number: 1,
        replay: leases::replay(section, &points, kea)?,
        coalesce: leases::coalesce(section, &points, kea)?,
        other_leases: leases::other_leases(section, &points)?,
        reservation_limit: reservation_limit(section, answers, &points)?,
        debug: section.bool("debug")?.unwrap_or(false),
        runner: program(section, section.has("runner"), kea)?,
        strict: kea.scripts_only_there,
        required: section.bool("required")?.unwrap_or(true),
        points,
    })
}

fn dialect(section: &Section) -> Result<Dialect, Refusal> {
    let Some(value) = section.get("dialect") else { return Ok(Dialect::default()) };
    let named = |dialect: &Dialect| value.as_str() == Some(dialect.name());
    let remedy = || section.refuse("dialect", "give \"runscript\" or \"isc\"");
    Dialect::ALL.into_iter().find(named).ok_or_else(remedy)
}

fn cpus() -> usize {
    // Not std's way, which reads files of the process's control groups that Debian's AppArmor profile denies to Kea.
    let affinity = sched_getaffinity(Pid::from_raw(0));
    let cpus = affinity.map_or(1, |set| (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu) == Ok(true)).count());
    cpus.clamp(1, CONCURRENCY_BOUNDS.1 as usize)
}

/// A program that decides may be a guard, or a convenience. Only the administrator knows, so there is no default.
const NO_DEFAULT: &str = "what Kea shall do when the program gives no verdict, since with \"answers\" the program decides: \
    \"drop\" or \"skip\" if it guards something (the client is refused where the hook point knows that step: see hook-points.md), \
    \"continue\" if its answer may be missed (the client is served as if there were no program)";

fn on_failure(section: &Section, answers: bool) -> Result<Next, Refusal> {
    match section.get("on-failure").map(Value::as_str) {
        None if answers => Err(section.missing("on-failure", NO_DEFAULT)),
        None => Ok(Next::Continue),
        Some(Some("continue")) => Ok(Next::Continue),
        Some(Some("skip")) => Ok(Next::Skip),
        Some(Some("drop")) => Ok(Next::Drop),
        Some(_) => Err(section.refuse("on-failure", "give \"continue\", \"skip\" or \"drop\"")),
    }
}

fn reservation_limit(section: &Section, answers: bool, points: &[Option<Point>]) -> Result<usize, Refusal> {
    let limit = section.bounded("reservation-limit", RESERVATION_LIMIT_BOUNDS, "reservations")?.unwrap_or(100_000);
    let is_waited_for = |how: &Option<Point>| how.is_some_and(|how| how.wait.waits());
    let mut at = HOOK_POINTS.iter().zip(points).filter(|(row, _)| row.keys.contains(&Key::Reservation));
    Ok(if answers && at.any(|(_, how)| is_waited_for(how)) { limit as usize } else { 0 })
}

fn answers(section: &Section, ways: Ways) -> Result<bool, Refusal> {
    let answers = section.bool("answers")?.unwrap_or(false);
    if answers && !ways.wait() {
        let remedy = "Kea waits nowhere for an answer: set \"wait\" to true, here or for a hook point, or leave it out";
        return Err(section.refuse("answers", remedy));
    }
    Ok(answers)
}
