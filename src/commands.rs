//! The program `kea-runscript`: its command line.

mod status;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use caps::Capability;
use clap::{Parser, Subcommand};

use crate::answers::words;
use crate::runner;
use status::Format;

/// Runs the scripts of kea-hook-runscript, outside Kea.
#[derive(Parser)]
#[command(name = "kea-runscript", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run SCRIPT once for each event. The hook library starts this by itself.
    ///
    /// SCRIPT gets the name of the hook point as its first argument, then ARGs, and the event's variables beside the
    /// environment of this process. Standard input is the socket from which the library's connections come.
    ///
    /// With `--daemon`, SCRIPT gets the ARGs alone and the environment of this process; see `kea-runscript`(8)
    /// for the lines that it reads and writes.
    Run {
        /// Start SCRIPT once for each connection; it reads events on standard input and answers on standard output
        #[arg(long)]
        daemon: bool,
        /// With --daemon: how long a copy may go on after its connection was closed, before it is stopped
        #[arg(long, value_name = "MS", default_value_t = 60_000)]
        timeout: u64,
        /// Let SCRIPT have this capability too, of CAP_NET_RAW and CAP_NET_BIND_SERVICE, which are Kea's own
        #[arg(long = "keep-capability", value_name = "NAME")]
        kept: Vec<Capability>,
        /// Run no SCRIPT that a group could put another in the place of, or a user besides root and its own
        #[arg(long)]
        strict: bool,
        /// The program to run, with its directory; `#!` scripts need execute permission
        script: PathBuf,
        /// Arguments for SCRIPT after the hook point's name
        #[arg(value_name = "ARG", trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
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
}

/// The program `kea-runscript`.
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run { daemon, timeout, kept, strict, script, args } => {
            let patience = daemon.then_some(Duration::from_millis(timeout));
            return runner::main(&kept, patience, script, args, strict);
        }
        Command::Answer { words } => answer(&words),
        Command::Status { sockets, watch, format } => {
            return status::show(sockets, watch.map(Duration::from_secs), format);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            runner::complain(error);
            ExitCode::FAILURE
        }
    }
}

fn answer(words: &[String]) -> io::Result<()> {
    let object = words::object(words).map_err(io::Error::other)?;
    writeln!(io::stdout(), "{object}")
}
