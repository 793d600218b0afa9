//! Kea, as its control socket knows it: commands and their answers.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::Duration;

use kea_hook_runscript::config::undo_keas_escapes;
use kea_hook_runscript::control_socket::exchange;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::log::{self, Throttle};

/// How long Kea may take: it serves packets beside. Nobody waits longer for others' turns, either.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// The configuration of a server with a million reservations in memory.
const ANSWER_BYTES: usize = 1 << 30;

/// Results of commands (Kea's `CONTROL_RESULT_*`).
const SUCCESS: u64 = 0;
const UNSUPPORTED: u64 = 2;
const EMPTY: u64 = 3;

/// The commands that are needed, and who brings them.
const COMMANDS: [(&str, &str); 16] = [
    ("config-get", KEA),
    ("status-get", KEA),
    ("lease4-get", LEASES),
    ("lease4-get-by-hw-address", LEASES),
    ("lease4-get-by-client-id", LEASES),
    ("lease4-get-by-hostname", LEASES),
    ("lease4-del", LEASES),
    ("lease4-update", LEASES),
    ("reservation-add", RESERVATIONS),
    ("reservation-update", RESERVATIONS),
    ("reservation-del", RESERVATIONS),
    ("reservation-get", RESERVATIONS),
    ("reservation-get-page", RESERVATIONS),
    ("reservation-get-by-id", RESERVATIONS),
    ("reservation-get-by-address", RESERVATIONS),
    ("reservation-get-by-hostname", RESERVATIONS),
];
const KEA: &str = "Kea itself";
const LEASES: &str = "libdhcp_lease_cmds.so";
const RESERVATIONS: &str = "kea-hook-reservations.so, or on Kea 3 libdhcp_host_cmds.so";

/// Why a command has no answer. The log has the details.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Kea does not answer, and has changed nothing.
    Away,
    /// Kea has a command that changes something, or may have it, and does not answer.
    Silent,
    /// Kea knows no such command.
    Unsupported,
    /// Kea will not do it.
    Refused,
}

impl Error {
    /// Whether a later attempt could succeed.
    pub fn is_away(self) -> bool {
        matches!(self, Error::Away | Error::Silent)
    }
}

/// A Kea behind a control socket.
pub struct Kea {
    socket: PathBuf,
    /// Held while a command is on its way. Kea serves packets between two commands, not between two that wait for it.
    busy: Mutex<()>,
    away: Throttle,
    /// For each library of `COMMANDS`.
    unsupported: [(&'static str, Throttle); 3],
}

impl Kea {
    pub fn new(socket: PathBuf) -> Kea {
        Kea {
            socket,
            busy: Mutex::new(()),
            away: Throttle::new(),
            unsupported: [KEA, LEASES, RESERVATIONS].map(|library| (library, Throttle::new())),
        }
    }

    /// Sends a command; `None` if it found or changed nothing.
    ///
    /// # Errors
    /// If Kea is away, or refuses it: the log says what.
    pub fn command(&self, name: &str, arguments: Value) -> Result<Option<Value>, Error> {
        let request = match arguments {
            Value::Null => json!({"command": name}),
            arguments => json!({"command": name, "arguments": arguments}),
        };
        let answer = self
            .exchange(request.to_string().as_bytes())
            .and_then(|answer| if answer.is_empty() { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(answer) });
        let answer = answer.map_err(|error| self.unanswered(name, &error))?;
        if self.away.reset() {
            log::info(format_args!("--control {}: Kea answers again", self.socket.display()));
        }
        let mut answer: Value = serde_json::from_slice(&answer).map_err(|error| {
            log::warn(format_args!("Kea's answer to {name} is not understood: {error}"));
            if is_reading(name) { Error::Refused } else { Error::Silent }
        })?;
        // The control agent has a list.
        if let Some(first) = answer.get_mut(0) {
            answer = first.take();
        }
        undo_keas_escapes(&mut answer);
        match answer["result"].as_u64() {
            Some(SUCCESS) => Ok(Some(answer["arguments"].take())),
            Some(EMPTY) => Ok(None),
            Some(UNSUPPORTED) => {
                self.name_the_library_of(name);
                Err(Error::Unsupported)
            }
            _ => {
                log::warn(format_args!("Kea refuses {name}: {}", answer["text"].as_str().unwrap_or("no text")));
                Err(Error::Refused)
            }
        }
    }

    fn unanswered(&self, name: &str, error: &io::Error) -> Error {
        let (kind, remedy) = match error.kind() {
            ErrorKind::NotFound => (Error::Away, ": Kea is not running, or its control-socket has another name"),
            ErrorKind::ConnectionRefused => (Error::Away, ": no Kea listens there"),
            ErrorKind::PermissionDenied => (Error::Away, ": the user of kea-omapi must be allowed to write to it"),
            ErrorKind::ResourceBusy => (Error::Away, ": other commands take too long"),
            _ if is_reading(name) => (Error::Away, ""),
            _ => (Error::Silent, ""),
        };
        self.away.warn(format_args!("--control {}: {name}: {error}{remedy}", self.socket.display()));
        kind
    }

    fn name_the_library_of(&self, name: &str) {
        let library = COMMANDS.iter().find(|(known, _)| *known == name).map_or(KEA, |(_, library)| *library);
        if let Some((_, throttle)) = self.unsupported.iter().find(|(known, _)| *known == library) {
            throttle.warn(format_args!("Kea has no command {name}: it comes with {library}, in hooks-libraries"));
        }
    }

    /// One command at a time. Who has waited too long for the turn need not wait for Kea.
    fn exchange(&self, command: &[u8]) -> io::Result<Vec<u8>> {
        let _turn = self.busy.try_lock_for(PATIENCE).ok_or(ErrorKind::ResourceBusy)?;
        exchange(&self.socket, command, PATIENCE, ANSWER_BYTES)
    }

    /// The commands that this Kea lacks, named in the log with the library that has them.
    ///
    /// # Errors
    /// If Kea is away.
    pub fn name_what_is_missing(&self) -> Result<(), Error> {
        let known = self.command("list-commands", Value::Null)?.unwrap_or_default();
        log::info(format_args!("--control {}: Kea answers", self.socket.display()));
        let is_known = |name: &str| known.as_array().is_some_and(|all| all.iter().any(|known| known == name));
        for (library, _) in &self.unsupported {
            let missing = COMMANDS.iter().filter(|(name, of)| of == library && !is_known(name));
            let missing: Vec<&str> = missing.map(|(name, _)| *name).collect();
            if !missing.is_empty() {
                log::warn(format_args!(
                    "Kea has no {}: they come with {library}, in hooks-libraries",
                    missing.join(", ")
                ));
            }
        }
        Ok(())
    }
}

/// Whether a command changes nothing.
fn is_reading(name: &str) -> bool {
    name.contains("-get") || name == "list-commands"
}
