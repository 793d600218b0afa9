//! Kea, as its control socket knows it: commands and their answers.

use std::io;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use kea_hook_runscript::config::undo_keas_escapes;
use kea_hook_runscript::control_socket::exchange;
use serde_json::{Value, json};

use crate::log::{self, Throttle};

/// How long Kea may take: it serves packets beside.
const PATIENCE: Duration = Duration::from_secs(10);
/// The configuration of a server with a million reservations in memory.
const ANSWER_BYTES: usize = 1 << 30;

/// Results of commands (Kea's `CONTROL_RESULT_*`).
const SUCCESS: u64 = 0;
const UNSUPPORTED: u64 = 2;
const EMPTY: u64 = 3;

/// The commands that are needed, and who brings them.
const COMMANDS: [(&str, &str); 15] = [
    ("config-get", "Kea itself"),
    ("status-get", "Kea itself"),
    ("lease4-get", LEASES),
    ("lease4-get-by-hw-address", LEASES),
    ("lease4-get-by-client-id", LEASES),
    ("lease4-get-by-hostname", LEASES),
    ("lease4-del", LEASES),
    ("lease4-update", LEASES),
    ("reservation-add", RESERVATIONS),
    ("reservation-update", RESERVATIONS),
    ("reservation-del", RESERVATIONS),
    ("reservation-get-page", RESERVATIONS),
    ("reservation-get-by-id", RESERVATIONS),
    ("reservation-get-by-address", RESERVATIONS),
    ("reservation-get-by-hostname", RESERVATIONS),
];
const LEASES: &str = "libdhcp_lease_cmds.so";
const RESERVATIONS: &str = "kea-hook-reservations.so, or on Kea 3 libdhcp_host_cmds.so";

/// Why a command has no answer. The log has the details.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Nobody answers on the socket.
    Away,
    /// Kea knows no such command.
    Unsupported,
    /// Kea will not do it.
    Refused,
}

/// A Kea behind a control socket.
pub struct Kea {
    socket: PathBuf,
    /// Whether a command is on its way. Kea serves packets between two commands, not between two that wait for it.
    busy: Mutex<bool>,
    free: Condvar,
    away: Throttle,
    unsupported: Throttle,
}

impl Kea {
    pub fn new(socket: PathBuf) -> Kea {
        Kea {
            socket,
            busy: Mutex::new(false),
            free: Condvar::new(),
            away: Throttle::new(),
            unsupported: Throttle::new(),
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
            .and_then(|answer| serde_json::from_slice::<Value>(&answer).map_err(io::Error::other));
        let mut answer = answer.map_err(|error| {
            self.away.warn(format_args!("--control {}: {name}: {error}", self.socket.display()));
            Error::Away
        })?;
        // The control agent has a list.
        if let Some(first) = answer.get_mut(0) {
            answer = first.take();
        }
        undo_keas_escapes(&mut answer);
        match answer["result"].as_u64() {
            Some(SUCCESS) => Ok(Some(answer["arguments"].take())),
            Some(EMPTY) => Ok(None),
            result => {
                let complaint = format!("Kea refuses {name}: {}", answer["text"].as_str().unwrap_or("no text"));
                if result == Some(UNSUPPORTED) {
                    self.unsupported.warn(complaint);
                    return Err(Error::Unsupported);
                }
                log::warn(complaint);
                Err(Error::Refused)
            }
        }
    }

    /// One command at a time. Who has waited too long for the turn need not wait for Kea.
    fn exchange(&self, command: &[u8]) -> io::Result<Vec<u8>> {
        let busy = self.busy.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let turn = self.free.wait_timeout_while(busy, PATIENCE, |busy| *busy);
        let (mut busy, waited) = turn.unwrap_or_else(|poisoned| poisoned.into_inner());
        if waited.timed_out() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        *busy = true;
        drop(busy);
        let answer = exchange(&self.socket, command, PATIENCE, ANSWER_BYTES);
        *self.busy.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = false;
        self.free.notify_one();
        answer
    }

    /// The commands that this Kea lacks, named in the log with the library that has them.
    ///
    /// # Errors
    /// If Kea is away.
    pub fn name_what_is_missing(&self) -> Result<(), Error> {
        let known = self.command("list-commands", Value::Null)?.unwrap_or_default();
        let is_known = |name: &str| known.as_array().is_some_and(|all| all.iter().any(|known| known == name));
        for (name, library) in COMMANDS.iter().filter(|(name, _)| !is_known(name)) {
            log::warn(format_args!("Kea has no command {name}: it comes with {library}"));
        }
        Ok(())
    }
}
