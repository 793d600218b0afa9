//! What Kea calls, through the shim: load, event, unload. Each is guarded: no panic reaches Kea.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError, RwLock};

use serde_json::json;

use crate::bridge::ffi::{self, Change, CommandAnswer, Loaded, Step, Verdict};
use crate::config::{self, Config, Kea, Wait};
use crate::crowd::{self, Crowd, Place};
use crate::dialect::Dialect;
use crate::dispatch::{Left, Script, Task};
use crate::facts::Facts;
use crate::guard::guarded;
use crate::hook_points::{HOOK_POINTS, Server as Which};
use crate::interest::interests;
use crate::log::{self, log, log_whole};
use crate::merged::{GO_ON, Merged};
use crate::messages;
use crate::parking;
use crate::retry;
use crate::status;
use crate::variables::Server;

/// A packet is one too many of its client's.
struct Crowded;

/// What is at work between `load` and `unload`.
struct Instance {
    scripts: Vec<Script>,
    /// The packets that wait for scripts where a packet can be dropped.
    crowd: Arc<Crowd>,
}

static INSTANCE: RwLock<Option<Instance>> = RwLock::new(None);

/// What the last `unload` left of each script.
static LEFT: Mutex<Vec<Left>> = Mutex::new(Vec::new());

/// Done when Kea's main loop turns: `kea-dhcp4 -T` loads us for real, maybe beside a running server, and never gets so far.
static TURN: Once = Once::new();

/// Longest time that a callout kept Kea's thread, in microseconds.
static SLOWEST_CALLOUT: AtomicU64 = AtomicU64::new(0);

const REFUSED: Loaded = Loaded { ok: false, hook_points: Vec::new(), debug: false, parks: false };

pub fn load(server: &ffi::Server) -> Loaded {
    log::use_kea(server.log, server.shows_debug);
    parking::use_kea(server.resume);
    let result = guarded("load", Err("a defect of this library".into()), || start(server));
    result.unwrap_or_else(|reason| {
        log_whole(messages::LOAD_REFUSED, &[reason]);
        REFUSED
    })
}

fn start(server: &ffi::Server) -> Result<Loaded, String> {
    let which = match server.name.as_str() {
        "kea-dhcp4" => Which::Dhcp4,
        "kea-dhcp6" => Which::Dhcp6,
        _ => {
            return Err(
                "this server is neither kea-dhcp4 nor kea-dhcp6: take the library out of its hooks-libraries".into()
            );
        }
    };
    let mut instance = INSTANCE.write().unwrap_or_else(PoisonError::into_inner);
    if instance.is_some() {
        return Err(
            "the library is listed twice in hooks-libraries: list it once, with the parameter \"scripts\"".into()
        );
    }
    let kea = Kea {
        server: which,
        version: &server.version,
        hook_points: &server.hook_points,
        scripts_directory: Path::new(&server.scripts_directory),
        scripts_only_there: server.scripts_only_there,
        data_directory: Path::new(&server.data_directory),
    };
    let configs = config::parse(&server.parameters, kea)?;
    let server = Server { name: server.name.clone(), version: server.version.clone(), label: server.label.clone() };
    let scripts = start_all(configs, &server)?;
    SLOWEST_CALLOUT.store(0, Ordering::Relaxed);
    let loaded = Loaded {
        ok: true,
        hook_points: interests(&scripts, kea),
        debug: scripts.iter().any(|script| script.config().debug),
        parks: scripts.iter().any(|script| script.config().ways.park),
    };
    for script in &scripts {
        announce(script.config());
    }
    *instance = Some(Instance { scripts, crowd: Arc::default() });
    Ok(loaded)
}

/// Starts all scripts, or none. They go on with what the last `unload` has left.
fn start_all(configs: Vec<Config>, server: &Server) -> Result<Vec<Script>, String> {
    let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
    let mut scripts: Vec<Script> = Vec::with_capacity(configs.len());
    for config in configs {
        let ours = left.iter().position(|left| left.is_of(&config));
        let mut its = ours.map(|at| left.remove(at));
        match start_one(config, server, &mut its) {
            Ok(script) => scripts.push(script),
            Err(reason) => {
                left.extend(its);
                left.extend(scripts.into_iter().filter_map(Script::stop));
                return Err(reason);
            }
        }
    }
    left.drain(..).for_each(Left::abandon);
    Ok(scripts)
}

fn start_one(config: Config, server: &Server, left: &mut Option<Left>) -> Result<Script, String> {
    let script = Script::start(config, server, left)?;
    if TURN.is_completed() {
        open_spool(&script);
    }
    Ok(script)
}

/// Kea's main loop turns: spools are opened.
pub fn turning() {
    TURN.call_once(|| guarded("spool", (), open_spools));
}

fn open_spools() {
    let instance = INSTANCE.read().unwrap_or_else(PoisonError::into_inner);
    instance.iter().flat_map(|instance| &instance.scripts).for_each(open_spool);
}

fn open_spool(script: &Script) {
    if let Err(reason) = script.open_spool() {
        script.go_without_spool(&reason);
    }
}

fn announce(config: &Config) {
    let args = [
        env!("CARGO_PKG_VERSION").into(),
        config.script.display().to_string(),
        config.mode.name().into(),
        match config.concurrency {
            1 => "1 lane".into(),
            lanes => format!("{lanes} lanes"),
        },
        config.where_kea_waits(),
    ];
    log(messages::LOADED, &args);
    if let Some(key) = config.word_of_isc {
        log(messages::DIALECT_UNSAID, &[config.script.display().to_string(), key.into()]);
    }
}

pub fn unload() {
    guarded("unload", (), || {
        let instance = INSTANCE.write().unwrap_or_else(PoisonError::into_inner).take();
        let Some(instance) = instance else { return };
        parking::forget_all();
        let left: Vec<_> = instance.scripts.into_iter().filter_map(Script::stop).collect();
        *LEFT.lock().unwrap_or_else(PoisonError::into_inner) = left;
        log::flush();
    });
}

pub fn event(hook_point: usize, facts: &ffi::Facts, ticket: u64) -> Verdict {
    let Some(row) = HOOK_POINTS.get(hook_point) else { return GO_ON };
    // A packet or a command may come before what tells us of the turn.
    turning();
    guarded(row.name, GO_ON, || {
        let instance = INSTANCE.read().unwrap_or_else(PoisonError::into_inner);
        instance.as_ref().map_or(GO_ON, |instance| instance.tell(hook_point, Facts::from(facts), ticket))
    })
}

pub fn refused(hook_point: usize, change: &Change, reason: &str) {
    tell_script(hook_point, change, |script| script.refuse(hook_point, change, reason));
}

pub fn unknown_class(hook_point: usize, change: &Change) {
    tell_script(hook_point, change, |script| script.unknown_class(hook_point, change));
}

/// Tells the script that has asked for this change how Kea takes it.
fn tell_script(hook_point: usize, change: &Change, tell: impl FnOnce(&Script)) {
    let Some(row) = HOOK_POINTS.get(hook_point) else { return };
    guarded(row.name, (), || {
        let instance = INSTANCE.read().unwrap_or_else(PoisonError::into_inner);
        let script = instance.as_ref().and_then(|instance| instance.scripts.get(change.script as usize));
        if let Some(script) = script {
            tell(script);
        }
    });
}

impl Instance {
    /// Tells every script that wants it, in order; the severest step counts, and changes only if all let Kea go on.
    /// The verdict of those for which the packet is parked, which has a ticket then, comes later.
    fn tell(&self, point: usize, facts: Facts, ticket: u64) -> Verdict {
        let Ok(place) = self.enter(point, &facts) else {
            return Verdict { step: Step::Drop, ..GO_ON };
        };
        let facts = Arc::new(facts);
        let mut all = Merged::default();
        let mut parking = Vec::new();
        for (number, script) in self.scripts.iter().enumerate() {
            let Some(how) = script.config().points[point] else { continue };
            // Where it is called at all, ISC's library leaves out what another has had Kea skip.
            if facts.is_skipped && HOOK_POINTS[point].of_isc && script.config().dialect == Dialect::Isc {
                continue;
            }
            let task = Task::new(point, how, facts.clone());
            match how.wait {
                Wait::No => script.post(task),
                Wait::Park if ticket != 0 => parking.push((number, task)),
                Wait::Yes | Wait::Park => all.add(number, script.ask(task)),
            }
        }
        if parking.is_empty() {
            return all.verdict(0);
        }
        // Nothing is severer: nobody need wait for the others.
        if all.step() == Step::Drop {
            for (number, task) in parking {
                self.scripts[number].post(task.told());
            }
            return all.verdict(0);
        }
        // First: the last answer may be there at once.
        parking::open(ticket, all, parking.len(), place);
        for (number, task) in parking {
            let then = move |verdict| parking::answered(ticket, number, verdict);
            self.scripts[number].park(task, Box::new(then));
        }
        Verdict { ticket, ..GO_ON }
    }

    /// A place for a packet to wait in, where it can be dropped; `Err` if its client has no more.
    fn enter(&self, point: usize, facts: &Facts) -> Result<Option<Place>, Crowded> {
        let is_waited_for = |script: &&Script| script.config().points[point].is_some_and(|how| how.wait.waits());
        let mut scripts = self.scripts.iter().filter(|_| HOOK_POINTS[point].drops_packets());
        let Some(script) = scripts.find(is_waited_for) else { return Ok(None) };
        let Some(key) = crowd::key(point, facts) else { return Ok(None) };
        self.crowd.enter(key).map(Some).ok_or_else(|| {
            // One packet counts once, however many scripts there are.
            script.crowded(point, facts);
            Crowded
        })
    }
}

pub fn log_text(bytes: &[u8]) -> String {
    guarded("log", String::new(), || log::text(bytes))
}

pub fn callout_took(microseconds: u64) {
    SLOWEST_CALLOUT.fetch_max(microseconds, Ordering::Relaxed);
}

pub fn status() -> String {
    turning();
    guarded("status", "{}".into(), || {
        let instance = INSTANCE.read().unwrap_or_else(PoisonError::into_inner);
        let scripts = instance.iter().flat_map(|instance| &instance.scripts).map(status::of_script);
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "slowest-callout-us": SLOWEST_CALLOUT.load(Ordering::Relaxed),
            "scripts": scripts.collect::<Vec<_>>(),
        })
        .to_string()
    })
}

pub fn retry(arguments: &str) -> CommandAnswer {
    guarded("retry", CommandAnswer { result: 1, text: "a defect of this library".into() }, || {
        let instance = INSTANCE.read().unwrap_or_else(PoisonError::into_inner);
        retry::retry(instance.iter().flat_map(|instance| &instance.scripts), arguments)
    })
}

pub fn statistic_names() -> Vec<String> {
    status::names()
}

pub fn statistic_values() -> Vec<i64> {
    guarded("statistics", vec![0; status::ROWS.len()], || {
        let instance = INSTANCE.read().unwrap_or_else(PoisonError::into_inner);
        status::values(instance.iter().flat_map(|instance| &instance.scripts))
    })
}
