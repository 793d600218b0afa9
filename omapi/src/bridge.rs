//! What all connections share.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::hosts::{self, Names, Writer};
use crate::kea::{self, Kea};
use crate::keys::Key;
use crate::log;
use crate::network::{Cache, Network};
use crate::reservation::Reservation;
use crate::result::{FAILURE, Failure, NOT_IMPLEMENTED};
use crate::served::Served;
use crate::state::{Redo, State};

/// How often a Kea that is away is looked for at start.
const PAUSE: Duration = Duration::from_secs(1);

/// Kea, and what is known beside it.
pub struct Bridge {
    pub(crate) kea: Kea,
    pub(crate) keys: Vec<Key>,
    pub(crate) names: Names,
    pub(crate) allow_shutdown: bool,
    network: Cache,
    state: Option<Mutex<State>>,
    /// `None` if changes may come again.
    served: Option<Mutex<Served>>,
    /// Held while something is changed. Whether what a crash has left is finished.
    writing: Mutex<bool>,
}

/// Nobody else changes anything meanwhile.
pub(crate) type Turn<'a> = MutexGuard<'a, bool>;

impl Bridge {
    pub(crate) fn new(
        kea: Kea,
        keys: Vec<Key>,
        state: Option<State>,
        served: Option<Served>,
        allow_shutdown: bool,
    ) -> Bridge {
        Bridge {
            kea,
            keys,
            names: Names::default(),
            allow_shutdown,
            network: Cache::default(),
            state: state.map(Mutex::new),
            served: served.map(Mutex::new),
            writing: Mutex::new(false),
        }
    }

    /// Waits for Kea, says what it lacks, and finishes what a crash has left.
    pub(crate) fn meet_kea(&self) {
        while self.kea.name_what_is_missing() == Err(kea::Error::Away) {
            sleep(PAUSE);
        }
        while self.turn().is_err_and(|failure| failure == kea::Error::Away.into()) {
            sleep(PAUSE);
        }
    }

    /// Kea's network. One that is a second old will do, unless the address is in no subnet of it.
    pub(crate) fn network(&self, address: Option<Ipv4Addr>) -> Result<Arc<Network>, Failure> {
        let is_enough = |network: &Network| address.is_none_or(|address| network.subnet(address).is_some());
        Ok(self.network.get(&self.kea, is_enough)?)
    }

    /// How to write reservations.
    pub(crate) fn writer(&self) -> Result<Writer<'_>, Failure> {
        Ok(Writer { kea: &self.kea, has_database: self.network(None)?.has_host_database })
    }

    /// Waits for the turn to change something. What a crash has left is finished before.
    pub(crate) fn turn(&self) -> Result<Turn<'_>, Failure> {
        let mut finished = lock(&self.writing);
        if !*finished {
            self.redo()?;
            self.agree()?;
            *finished = true;
        }
        Ok(finished)
    }

    /// Whether a signed change is served for the first time; from then on it is not.
    pub(crate) fn is_new(&self, signature: &[u8]) -> Result<bool, Failure> {
        self.served.as_ref().map_or(Ok(true), |served| lock(served).is_new(signature)).map_err(unwritten)
    }

    /// The statements of a group.
    pub(crate) fn group(&self, name: &str) -> Option<String> {
        self.state.as_ref().and_then(|state| lock(state).group(name).map(String::from))
    }

    /// Whether there can be groups.
    pub(crate) fn has_groups(&self) -> bool {
        self.state.is_some()
    }

    /// Makes a group, and writes its statements into the hosts that name it.
    pub(crate) fn make_group(&self, turn: &mut Turn, name: &str, statements: &str) -> Result<(), Failure> {
        self.begin(turn, Some(Redo::Group(name.into())))?;
        self.change_state(|state| state.set_group(name, Some(statements)))?;
        self.agree()?;
        self.done(turn)
    }

    /// Takes a group away. Its hosts keep what they have.
    pub(crate) fn delete_group(&self, name: &str) -> Result<(), Failure> {
        self.change_state(|state| state.set_group(name, None))
    }

    /// Takes a host to another subnet.
    pub(crate) fn move_host(&self, turn: &mut Turn, from: &Reservation, host: &Reservation) -> Result<(), Failure> {
        let identifier = from.identifier().ok_or(FAILURE)?;
        let redo = Redo::Move { from: from.subnet(), identifier, host: host.clone() };
        self.begin(turn, self.state.is_some().then(|| redo.clone()))?;
        let done = self.carry_out(&redo);
        // What Kea refuses has changed nothing. While it is away, nobody knows.
        if done != Err(kea::Error::Away.into()) {
            self.done(turn)?;
        }
        done
    }

    fn begin(&self, turn: &mut Turn, redo: Option<Redo>) -> Result<(), Failure> {
        if let Some(redo) = redo {
            self.change_state(|state| state.set_redo(Some(redo)))?;
            **turn = false;
        }
        Ok(())
    }

    fn done(&self, turn: &mut Turn) -> Result<(), Failure> {
        if self.state.is_some() {
            self.change_state(|state| state.set_redo(None))?;
        }
        **turn = true;
        Ok(())
    }

    fn change_state(&self, change: impl FnOnce(&mut State) -> std::io::Result<()>) -> Result<(), Failure> {
        let state = self.state.as_ref().ok_or(NOT_IMPLEMENTED)?;
        change(&mut lock(state)).map_err(unwritten)
    }

    /// Finishes what a crash has left.
    fn redo(&self) -> Result<(), Failure> {
        let Some(redo) = self.state.as_ref().and_then(|state| lock(state).redo().cloned()) else { return Ok(()) };
        match self.carry_out(&redo) {
            Err(failure) if failure == kea::Error::Away.into() => return Err(failure),
            Err(_) => log::warn("what was begun before the last end is refused now: nothing of it is done"),
            Ok(()) => log::info("finished what was begun before the last end"),
        }
        self.change_state(|state| state.set_redo(None))
    }

    /// May be done twice.
    fn carry_out(&self, redo: &Redo) -> Result<(), Failure> {
        // Of a group: `agree` is next.
        let Redo::Move { from, identifier, host } = redo else { return Ok(()) };
        let there = hosts::by_identifier(&self.kea, identifier)?;
        let writer = self.writer()?;
        if !there.iter().any(|other| other.subnet() == host.subnet()) {
            writer.add(host)?;
        }
        writer.delete(*from, identifier)?;
        Ok(())
    }

    /// Writes the statements of groups into those of their hosts that have others.
    fn agree(&self) -> Result<(), Failure> {
        if self.state.is_none() {
            return Ok(());
        }
        // Writing gives reservations new places in Kea's pages: not while these are turned.
        let mut wrong = Vec::new();
        hosts::each(&self.kea, |host| {
            let template = host.group().and_then(|group| self.group(group));
            wrong.extend(template.filter(|template| *template != host.template()).map(|template| (host, template)));
            Ok::<(), kea::Error>(())
        })?;
        let writer = self.writer()?;
        for (mut host, template) in wrong {
            let own = host.statements().to_string();
            if let Err(what) = host.render(&template, &own) {
                log::warn(format_args!("a host keeps its statements: {what}"));
                continue;
            }
            match writer.update(&host) {
                Err(kea::Error::Away) => return Err(kea::Error::Away.into()),
                // The log has said why. The next start tries again.
                Err(_) => log::warn(format_args!("host {} keeps its statements", host.name().unwrap_or_default())),
                Ok(_) => {}
            }
        }
        Ok(())
    }

    /// Ends Kea.
    pub(crate) fn shut_down(&self) -> Result<(), Failure> {
        self.kea.command("shutdown", Value::Null)?;
        Ok(())
    }
}

/// A thread that has panicked has left nothing half done here: files are replaced whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn unwritten(error: std::io::Error) -> Failure {
    log::warn(format_args!("--state: {error}"));
    Failure::new(FAILURE, "the state cannot be written")
}
