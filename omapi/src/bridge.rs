//! What all connections share.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use serde_json::Value;

use crate::hosts::{self, Known, Names, Writer};
use crate::kea::{self, Kea, PATIENCE};
use crate::keys::Key;
use crate::log;
use crate::network::{Cache, Network};
use crate::reservation::Reservation;
use crate::result::{BAD_PARSE, EXISTS, FAILURE, Failure, NOT_IMPLEMENTED};
use crate::served::Served;
use crate::state::{Redo, State};

/// How often a Kea that is away is looked for, and what is unfinished is looked at.
const PAUSE: Duration = Duration::from_secs(1);
/// When hosts that Kea has refused are tried again, at first and in the end.
const AGAIN: Duration = Duration::from_secs(60);
const AGAIN_AT_MOST: Duration = Duration::from_secs(3600);

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
    /// All signatures that were right.
    heard: Mutex<Served>,
    /// Held while a stranger is served.
    pub(crate) strangers: Mutex<()>,
    /// Held while something is changed.
    unfinished: Mutex<Unfinished>,
}

/// What is left to do of earlier changes.
pub(crate) enum Unfinished {
    Nothing,
    /// Of one that was begun, before the last end maybe.
    Begun,
    /// Kea has refused some hosts the statements of their groups: then, and for the next attempt there is so much time.
    Refused(Instant, Duration),
}

/// Nobody else changes anything meanwhile.
pub(crate) type Turn<'a> = MutexGuard<'a, Unfinished>;

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
            heard: Mutex::default(),
            strangers: Mutex::default(),
            unfinished: Mutex::new(Unfinished::Begun),
        }
    }

    /// Waits for Kea, says what it lacks, and finishes what a crash, or an absence of Kea's, has left.
    pub(crate) fn look_after(&self) -> ! {
        while self.kea.name_what_is_missing().is_err_and(kea::Error::is_away) {
            sleep(PAUSE);
        }
        while self.network(None).map(|network| network.warn()).is_err_and(Failure::is_away) {
            sleep(PAUSE);
        }
        loop {
            if let Some(mut turn) = self.unfinished.try_lock() {
                // Kea is away again: the log says so, and the next turn tries.
                let _ = match *turn {
                    Unfinished::Nothing => Ok(()),
                    Unfinished::Begun => self.finish(&mut turn),
                    Unfinished::Refused(when, pause) if when.elapsed() < pause => Ok(()),
                    Unfinished::Refused(_, pause) => {
                        self.agree(None, (2 * pause).min(AGAIN_AT_MOST)).map(|left| *turn = left)
                    }
                };
            }
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

    /// Waits for the turn to change something. What was begun before is finished first.
    pub(crate) fn turn(&self) -> Result<Turn<'_>, Failure> {
        let mut turn = self.unfinished.try_lock_for(PATIENCE).ok_or(kea::Error::Away)?;
        if matches!(*turn, Unfinished::Begun) {
            self.finish(&mut turn)?;
        }
        Ok(turn)
    }

    /// Whether a right signature has not come before, since the start: whoever has recorded a message can send it again.
    pub(crate) fn is_unheard(&self, signature: &[u8]) -> bool {
        self.heard.lock().is_new(signature).unwrap_or(false)
    }

    /// Whether a signed change is served for the first time; from then on it is not, unless it is forgotten.
    pub(crate) fn is_new(&self, signature: &[u8]) -> Result<bool, Failure> {
        self.served.as_ref().map_or(Ok(true), |served| served.lock().is_new(signature)).map_err(unwritten)
    }

    /// A signed change has changed nothing: it may come again.
    pub(crate) fn forget(&self, signature: &[u8]) {
        if let Some(served) = &self.served {
            served.lock().forget(signature).unwrap_or_else(|error| _ = unwritten(error));
        }
    }

    /// The statements of a group.
    pub(crate) fn group(&self, name: &str) -> Option<String> {
        self.state.as_ref().and_then(|state| state.lock().group(name).map(String::from))
    }

    /// Whether there can be groups.
    pub(crate) fn has_groups(&self) -> bool {
        self.state.is_some()
    }

    /// Makes a group, and writes its statements into the hosts that name it.
    pub(crate) fn make_group(&self, turn: &mut Turn, name: &str, statements: &str) -> Result<(), Failure> {
        let before = self.begin(turn, Some(Redo::Group(name.into())))?;
        self.change_state(|state| state.set_group(name, Some(statements)))?;
        let left = self.agree(Some(name), AGAIN).map_err(Failure::half_done)?;
        let left = if matches!(left, Unfinished::Nothing) { before } else { left };
        self.done(turn, left).map_err(Failure::half_done)
    }

    /// Takes a group away. Its hosts keep what they have.
    pub(crate) fn delete_group(&self, _: &Turn, name: &str) -> Result<(), Failure> {
        self.change_state(|state| state.set_group(name, None))
    }

    /// Takes a host to another subnet.
    pub(crate) fn move_host(&self, turn: &mut Turn, from: &Reservation, host: &Reservation) -> Result<(), Failure> {
        let identifier = from.identifier().ok_or(FAILURE)?;
        let redo = Redo::Move { from: from.subnet(), identifier, host: host.clone() };
        let before = self.begin(turn, self.state.is_some().then(|| redo.clone()))?;
        let done = self.carry_out(&redo);
        // What Kea refuses is not done. While it is away, nobody knows.
        if !done.is_err_and(Failure::is_away) {
            self.done(turn, before).map_err(Failure::half_done)?;
        }
        done.map_err(Failure::half_done)
    }

    /// Writes down what is begun. What else was left to do.
    fn begin(&self, turn: &mut Turn, redo: Option<Redo>) -> Result<Unfinished, Failure> {
        let Some(redo) = redo else { return Ok(Unfinished::Nothing) };
        self.change_state(|state| state.set_redo(Some(redo)))?;
        Ok(std::mem::replace(&mut **turn, Unfinished::Begun))
    }

    fn done(&self, turn: &mut Turn, left: Unfinished) -> Result<(), Failure> {
        if self.begun().is_some() {
            self.change_state(|state| state.set_redo(None))?;
        }
        **turn = left;
        Ok(())
    }

    fn change_state(&self, change: impl FnOnce(&mut State) -> std::io::Result<()>) -> Result<(), Failure> {
        let state = self.state.as_ref().ok_or(NOT_IMPLEMENTED)?;
        change(&mut state.lock()).map_err(unwritten)
    }

    /// Finishes what was begun.
    fn finish(&self, turn: &mut Turn) -> Result<(), Failure> {
        match self.begun().map(|redo| self.carry_out(&redo)) {
            Some(Err(failure)) if failure.is_away() => return Err(failure),
            Some(Err(_)) => log::warn("what was begun before is refused now"),
            Some(Ok(())) => log::info("finished what was begun before"),
            None => {}
        }
        let left = self.agree(None, AGAIN)?;
        self.done(turn, left)
    }

    /// What is begun, and not done.
    fn begun(&self) -> Option<Redo> {
        self.state.as_ref().and_then(|state| state.lock().redo().cloned())
    }

    /// May be done twice.
    fn carry_out(&self, redo: &Redo) -> Result<(), Failure> {
        // Of a group: `agree` is next.
        let Redo::Move { from, identifier, host } = redo else { return Ok(()) };
        let writer = self.writer()?;
        let there = hosts::by_identifier(&self.kea, identifier)?;
        match there.iter().find(|other| other.subnet() == host.subnet()) {
            None => writer.add(host)?,
            Some(ours) if (ours.address(), ours.name()) == (host.address(), host.name()) => {}
            Some(_) => return Err(EXISTS.into()),
        }
        match writer.delete(*from, identifier) {
            Err(kea::Error::Refused) => {
                writer.delete(host.subnet(), identifier)?;
                Err(FAILURE.into())
            }
            done => done.map(|_| ()).map_err(Failure::from),
        }
    }

    /// Writes the statements of a group, or of all, into those of its hosts that have others. Kea serves packets between two.
    /// What is left has so much time.
    fn agree(&self, group: Option<&str>, pause: Duration) -> Result<Unfinished, Failure> {
        if !self.state.as_ref().is_some_and(|state| state.lock().has_groups()) {
            return Ok(Unfinished::Nothing);
        }
        let (wrong, writer) = match self.disagreeing(group).and_then(|wrong| Ok((wrong, self.writer()?))) {
            Err(failure) if !failure.is_away() => return Ok(Unfinished::Refused(Instant::now(), pause)),
            found => found?,
        };
        let mut refused = Vec::new();
        for known in wrong {
            let began = Instant::now();
            match self.render(&writer, &known) {
                Err(failure) if failure.is_away() => return Err(failure),
                Err(_) => refused.push(known.name),
                Ok(()) => {}
            }
            sleep(began.elapsed());
        }
        let Some(first) = refused.first() else { return Ok(Unfinished::Nothing) };
        log::warn(format_args!(
            "{} hosts have not got the statements of their groups, {} the first of them: tried again in {} s",
            refused.len(),
            log::shown(first.as_bytes()),
            pause.as_secs()
        ));
        Ok(Unfinished::Refused(Instant::now(), pause))
    }

    /// Hosts that have other statements than their groups.
    fn disagreeing(&self, group: Option<&str>) -> Result<Vec<Known>, Failure> {
        // Writing gives reservations new places in Kea's pages: not while these are turned.
        let mut wrong = Vec::new();
        hosts::each(&self.kea, |host| {
            let is_meant = group.is_none() || host.group() == group;
            wrong.extend(self.template(&host).filter(|_| is_meant).map(|_| Known::of(&host)));
            Ok::<(), kea::Error>(())
        })?;
        Ok(wrong)
    }

    /// The statements of a host's group, if it has others.
    fn template(&self, host: &Reservation) -> Option<String> {
        self.group(host.group()?).filter(|template| template != host.template())
    }

    /// Writes the statements of its group into a host. Others may have changed it meanwhile.
    fn render(&self, writer: &Writer, known: &Known) -> Result<(), Failure> {
        let there = hosts::by_identifier(&self.kea, &known.identifier)?;
        let Some(mut host) = there.into_iter().find(|host| Known::of(host) == *known) else { return Ok(()) };
        let Some(template) = self.template(&host) else { return Ok(()) };
        let own = host.statements().to_string();
        host.render(&template, &own).map_err(|_| BAD_PARSE)?;
        writer.update(&host)?;
        Ok(())
    }

    /// Ends Kea.
    pub(crate) fn shut_down(&self) -> Result<(), Failure> {
        self.kea.command("shutdown", Value::Null)?;
        Ok(())
    }
}

fn unwritten(error: std::io::Error) -> Failure {
    log::warn(format_args!("--state: {error}: nothing is changed before it can be written there"));
    Failure::new(FAILURE, "the state cannot be written")
}
