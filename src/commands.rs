//! The program `kea-runscript`, the tools: its command line.

mod local_time;
mod spool;
mod status;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::answers::words;
use crate::control::{self, THE_RUNNER};
use status::Format;

/// Tools for kea-hook-runscript, which runs programs at every step of Kea's work.
#[derive(Parser)]
#[command(name = "kea-runscript", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print an answer for the hook library: `exec "$KEA_RUNSCRIPT" answer client-classes=known`
    ///
    /// For scripts whose parameter `answers` is on. Each word becomes a part of the JSON object, properly quoted, so
    /// that a value may hold anything that a client has said. A key that takes a list may come several times.
    #[command(after_help = words::help())]
    Answer {
        /// As in Kea's configuration: valid-lft=600, option-data:routers=192.0.2.1
        #[arg(value_name = "KEY=VALUE")]
        words: Vec<String>,
    },
    /// Show what Kea's command runscript-status says
    Status {
        /// Kea's control socket, of either server [default: those of Debian that are there]
        #[arg(value_name = "SOCKET")]
        sockets: Vec<PathBuf>,
        /// Show it again each so many seconds, until interrupted
        #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "2",
              value_parser = clap::value_parser!(u64).range(1..))]
        watch: Option<u64>,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// List the events that wait in a spool, or were put aside
    Spool(spool::Wanted),
    /// What a parameter `runner` asks for that names this program, as it could before there was kea-runscript-runner
    #[command(hide = true)]
    Run {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<OsString>,
    },
}

/// The program `kea-runscript`.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Answer { words } => answer(&words),
        Command::Status { sockets, watch, format } => status::show(sockets, watch.map(Duration::from_secs), format),
        Command::Spool(wanted) => spool::show(wanted),
        Command::Run { .. } => run(),
    }
}

fn answer(words: &[String]) -> ExitCode {
    let printed = words::object(words)
        .and_then(|object| writeln!(io::stdout(), "{object}").map_err(|error| format!("standard output: {error}")));
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(error);
            ExitCode::FAILURE
        }
    }
}

/// Kea's log has the remedy if the library is behind standard input.
fn run() -> ExitCode {
    const REMEDY: &str = "runs no scripts, kea-runscript-runner does: name that with the parameter \"runner\", or leave the parameter out";
    if control::refuse(&io::stdin(), THE_RUNNER, &REMEDY).is_err() {
        complain(REMEDY);
    }
    ExitCode::FAILURE
}

fn complain(error: impl Display) {
    let _ = writeln!(io::stderr(), "kea-runscript: {error}");
}
