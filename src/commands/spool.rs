//! What is in a spool: the events that wait, and those that were put aside.

use std::io::{self, BufWriter, ErrorKind, StdoutLock, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::complain;
use super::local_time::local_time;
use crate::event::{Event, Variables, begin_line, end_line};
use crate::hook_points::{HOOK_POINTS, find};
use crate::ids::write_id;
use crate::spool::{Reader, Record, State, Which};
use crate::text::{printable, printable_json};

/// Where Debian's servers have their spools.
const USUAL: &str = "/var/lib/kea/runscript";

#[derive(Args)]
pub struct Wanted {
    /// A script's spool, or the directory of several [default: /var/lib/kea/runscript, where Debian's servers have theirs]
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Those that were put aside, because their handling had killed the handler several times
    #[arg(long)]
    given_up: bool,
    /// Remove them all, which nobody will handle then; of one script's spool that no server uses
    #[arg(long, requires = "directory")]
    discard: bool,
    #[arg(long, value_enum, default_value_t, conflicts_with = "discard")]
    format: Format,
}

#[derive(Clone, Copy, Default, PartialEq, ValueEnum)]
enum Format {
    /// A line each event
    #[default]
    Table,
    /// A JSON object each event, with its variables
    Json,
}

/// Lists the events, or discards them. What cannot be read is said, and the rest is listed.
pub fn show(wanted: Wanted) -> ExitCode {
    let path = wanted.directory.unwrap_or_else(|| USUAL.into());
    let which = if wanted.given_up { Which::GivenUp } else { Which::Pending };
    let mut list = List { which, format: wanted.format, is_whole: true, out: BufWriter::new(io::stdout().lock()) };
    let done = match wanted.discard {
        true => list.discard(&path),
        false => list.show(&path),
    };
    match done.and_then(|()| list.out.flush()) {
        // Whoever reads the list has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("standard output: {error}"));
            ExitCode::FAILURE
        }
        Ok(()) if list.is_whole => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
    }
}

struct List {
    which: Which,
    format: Format,
    /// Nothing was left out.
    is_whole: bool,
    out: BufWriter<StdoutLock<'static>>,
}

/// What one line shows.
#[derive(Serialize)]
struct Line<'a> {
    spool: &'a str,
    id: String,
    time: f64,
    /// How often a handler has had it; unknown of what was put aside.
    tries: Option<u32>,
    hook: &'a str,
    keys: &'a [String],
    vars: &'a Variables,
}

impl List {
    fn show(&mut self, path: &Path) -> io::Result<()> {
        let Some(spools) = self.spools(path) else { return Ok(()) };
        let are_named = self.format == Format::Table && spools.iter().any(|spool| spool.path() != path);
        for (number, spool) in spools.iter().enumerate() {
            if are_named {
                let gap = if number > 0 { "\n" } else { "" };
                writeln!(self.out, "{gap}{}:", shown(spool.path()))?;
            }
            self.show_one(spool)?;
        }
        Ok(())
    }

    /// The spool that is here, or those that are in here.
    fn spools(&mut self, path: &Path) -> Option<Vec<Reader>> {
        let opened = Reader::open(path).map_err(|why| self.leave_out(path, &why)).ok()?;
        let mut complain = |path: &Path, why: &str| leave_out(&mut self.is_whole, path, why);
        let found = match opened.is_spool() {
            Ok(true) => Ok(vec![opened]),
            Ok(false) => opened.directories(&mut complain),
            Err(error) => Err(error),
        };
        match found {
            Err(error) => self.leave_out(path, &error.to_string()),
            Ok(found) => {
                let (spools, others): (Vec<_>, Vec<_>) =
                    found.into_iter().partition(|spool| spool.is_spool().unwrap_or(true));
                others.iter().for_each(|other| self.leave_out(other.path(), "it is no spool"));
                if !spools.is_empty() {
                    return Some(spools);
                }
                self.leave_out(path, "it is no spool, and there is none in it");
            }
        }
        None
    }

    fn show_one(&mut self, spool: &Reader) -> io::Result<()> {
        let id = spool.id().map_err(|why| self.leave_out(&spool.path().join("id"), &why)).ok();
        let List { which, format, is_whole, out } = self;
        let (which, format, mut count, mut unreadable) = (*which, *format, 0, Vec::new());
        let place = shown(spool.path());
        let mut take = |name: &str, record: Record| {
            let Some(event) = event(&record) else {
                // Said once of each file.
                if unreadable.last().is_none_or(|last| last != name) {
                    unreadable.push(name.to_owned());
                }
                return Ok(());
            };
            let line = Line {
                spool: &place,
                id: id_of(id, record.id),
                time: event.time,
                tries: tries(which, record.state),
                hook: &event.hook,
                keys: &event.keys,
                vars: &event.vars,
            };
            count += 1;
            match format {
                Format::Json => line.write_json(out),
                Format::Table => {
                    if count == 1 {
                        row(out, HEAD, LAST_HEAD)?;
                    }
                    line.write_row(out)
                }
            }
        };
        let mut complain = |path: &Path, why: &str| leave_out(is_whole, path, why);
        let bytes = spool.each(which, &mut take, &mut complain);
        for name in unreadable {
            complain(&spool.path().join(name), "it has events that are none of this version's, which are left out");
        }
        let bytes = bytes?;
        match format {
            Format::Json => Ok(()),
            Format::Table => writeln!(out, "{}, {} KiB on the disk", events(count), bytes.div_ceil(1024)),
        }
    }

    fn discard(&mut self, path: &Path) -> io::Result<()> {
        let Some(spools) = self.spools(path) else { return Ok(()) };
        let Some(spool) = spools.iter().find(|spool| spool.path() == path) else {
            self.leave_out(path, "nothing is discarded: name the spool of one script, which is a directory in there");
            return Ok(());
        };
        let mut complain = |path: &Path, why: &str| leave_out(&mut self.is_whole, path, why);
        match spool.discard(self.which, &mut complain) {
            Ok(count) => writeln!(self.out, "{} discarded", events(count)),
            Err(why) => {
                self.leave_out(spool.path(), &format!("nothing is discarded: {why}"));
                Ok(())
            }
        }
    }

    fn leave_out(&mut self, path: &Path, why: &str) {
        leave_out(&mut self.is_whole, path, why);
    }
}

fn leave_out(is_whole: &mut bool, path: &Path, why: &str) {
    *is_whole = false;
    complain(format_args!("{}: {why}", shown(path)));
}

const HEAD: [&str; 4] = ["id", "time", "tries", "hook-point"];
const LAST_HEAD: &str = "clients-and-leases";
/// The widths of all columns but the last; ids are as wide as they ever get.
const WIDTHS: [usize; 4] = [33, 25, 5, longest_hook_point()];

const fn longest_hook_point() -> usize {
    let (mut longest, mut at) = (0, 0);
    while at < HOOK_POINTS.len() {
        if HOOK_POINTS[at].name.len() > longest {
            longest = HOOK_POINTS[at].name.len();
        }
        at += 1;
    }
    longest
}

impl Line<'_> {
    fn write_row(&self, out: &mut impl Write) -> io::Result<()> {
        let time = local_time(self.time as i64);
        // Three stands for more, too.
        let tries = match self.tries {
            None => "-".into(),
            Some(3) => "3+".into(),
            Some(tries) => tries.to_string(),
        };
        let mut keys = String::new();
        // With one lane, all events share one that is empty.
        for key in self.keys.iter().filter(|key| !key.is_empty()) {
            keys.push_str(if keys.is_empty() { "" } else { ", " });
            printable(key.as_bytes(), &mut keys);
        }
        row(out, [&self.id, &time, &tries, self.hook], &keys)
    }

    fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        let (text, mut line) = (serde_json::to_string(self)?, String::new());
        printable_json(text.as_bytes(), &mut line);
        writeln!(out, "{line}")
    }
}

fn row(out: &mut impl Write, cells: [&str; 4], last: &str) -> io::Result<()> {
    let ([id, time, tries, hook], [w_id, w_time, w_tries, w_hook]) = (cells, WIDTHS);
    let line = format!("{id:w_id$} {time:w_time$} {tries:>w_tries$} {hook:w_hook$} {last}");
    writeln!(out, "{}", line.trim_end())
}

/// The line that a handler would be sent, without what is another at each try; `None` if the library would not send it.
fn event(record: &Record) -> Option<Event> {
    let mut line = String::new();
    begin_line(&mut line, record.id, None, 0);
    line.push_str(record.text);
    end_line(&mut line);
    let event: Event = serde_json::from_str(&line).ok()?;
    find(&event.hook)?;
    Duration::try_from_secs_f64(event.time).ok()?;
    Some(event)
}

fn tries(which: Which, state: State) -> Option<u32> {
    match (which, state) {
        (Which::GivenUp, _) => None,
        (Which::Pending, State::Sent(times)) => Some(times),
        (Which::Pending, _) => Some(0),
    }
}

/// As `KEA_EVENT_ID` has it.
fn id_of(unique: Option<u64>, seq: u64) -> String {
    let mut out = String::new();
    match unique {
        Some(unique) => write_id(unique, seq, &mut out),
        None => out = format!("{}-{seq}", "?".repeat(16)),
    }
    out
}

fn events(count: usize) -> String {
    match count {
        1 => "1 event".into(),
        count => format!("{count} events"),
    }
}

/// A path as a text that is safe to show.
fn shown(path: &Path) -> String {
    let mut out = String::new();
    printable(path.as_os_str().as_encoded_bytes(), &mut out);
    out
}
