//! What Kea calls, through the shim: load, event, unload. Each is guarded: no panic reaches Kea.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde_json::json;

use crate::bridge::ffi::{self, Change, Loaded, Step, Verdict};
use crate::config::{self, Config, Kea, Wait};
use crate::crowd::{self, Crowd, Place};
use crate::facts::Facts;
use crate::guard::guarded;
use crate::handler::{Handler, Legacy, Task};
use crate::hook_points::{HOOK_POINTS, Server as Which};
use crate::interest::interests;
use crate::keys::keys;
use crate::log::{self, log, log_whole};
use crate::merged::{GO_ON, Merged};
use crate::messages;
use crate::parking;
use crate::status;
use crate::variables::Server;

/// A packet is one too many of its client's.
struct Crowded;

/// What is at work between `load` and `unload`.
struct Instance {
    handlers: Vec<Handler>,
    /// The packets that wait for scripts where a packet can be dropped.
    crowd: Arc<Crowd>,
}

static INSTANCE: RwLock<Option<Instance>> = RwLock::new(None);

/// What the last `unload` left unfinished, of each script.
static LEGACY: Mutex<Vec<Legacy>> = Mutex::new(Vec::new());

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
    };
    let configs = config::parse(&server.parameters, kea)?;
    let server = Server { name: server.name.clone(), version: server.version.clone(), label: server.label.clone() };
    let handlers = start_all(configs, &server)?;
    SLOWEST_CALLOUT.store(0, Ordering::Relaxed);
    let loaded = Loaded {
        ok: true,
        hook_points: interests(&handlers, kea),
        debug: handlers.iter().any(|handler| handler.config().debug),
        parks: handlers.iter().any(|handler| handler.config().ways.park),
    };
    for handler in &handlers {
        announce(handler.config());
    }
    *instance = Some(Instance { handlers, crowd: Arc::default() });
    Ok(loaded)
}

/// Starts all handlers, or none. They take over what the last `unload` has left.
fn start_all(configs: Vec<Config>, server: &Server) -> Result<Vec<Handler>, String> {
    let mut legacies = LEGACY.lock().unwrap_or_else(PoisonError::into_inner);
    let mut handlers: Vec<Handler> = Vec::with_capacity(configs.len());
    for config in configs {
        let ours = legacies.iter().position(|legacy| legacy.is_of(&config));
        let mut legacy = ours.map(|at| legacies.remove(at)).unwrap_or_default();
        match Handler::start(config, server, &mut legacy) {
            Ok(handler) => handlers.push(handler),
            Err(reason) => {
                legacies.push(legacy);
                legacies.extend(handlers.into_iter().map(Handler::stop));
                return Err(reason);
            }
        }
    }
    legacies.drain(..).for_each(Legacy::abandon);
    Ok(handlers)
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
}

pub fn unload() {
    guarded("unload", (), || {
        let instance = INSTANCE.write().unwrap_or_else(PoisonError::into_inner).take();
        let Some(instance) = instance else { return };
        parking::forget_all();
        let left: Vec<_> = instance.handlers.into_iter().map(Handler::stop).collect();
        *LEGACY.lock().unwrap_or_else(PoisonError::into_inner) = left;
        log::flush();
    });
}

pub fn event(hook_point: usize, facts: &ffi::Facts, ticket: u64) -> Verdict {
    let Some(row) = HOOK_POINTS.get(hook_point) else { return GO_ON };
    guarded(row.name, GO_ON, || {
        let instance = INSTANCE.read().unwrap_or_else(PoisonError::into_inner);
        instance.as_ref().map_or(GO_ON, |instance| instance.tell(hook_point, Facts::from(facts), ticket))
    })
}

pub fn refused(hook_point: usize, change: &Change, reason: &str) {
    tell_script(hook_point, change, |handler| handler.refuse(hook_point, change, reason));
}

pub fn unknown_class(hook_point: usize, change: &Change) {
    tell_script(hook_point, change, |handler| handler.unknown_class(hook_point, change));
}

/// Tells the script that has asked for this change how Kea takes it.
fn tell_script(hook_point: usize, change: &Change, tell: impl FnOnce(&Handler)) {
    let Some(row) = HOOK_POINTS.get(hook_point) else { return };
    guarded(row.name, (), || {
        let instance = INSTANCE.read().unwrap_or_else(PoisonError::into_inner);
        let handler = instance.as_ref().and_then(|instance| instance.handlers.get(change.script as usize));
        if let Some(handler) = handler {
            tell(handler);
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
        let keys = keys(&facts);
        let facts = Arc::new(facts);
        let mut all = Merged::default();
        let mut parking = Vec::new();
        for (script, handler) in self.handlers.iter().enumerate() {
            let Some(how) = handler.config().points[point] else { continue };
            let task = Task::new(point, how, facts.clone(), handler.keys(&keys));
            match how.wait {
                Wait::No => handler.post(task),
                Wait::Park if ticket != 0 => parking.push((script, task)),
                Wait::Yes | Wait::Park => all.add(script, handler.ask(task)),
            }
        }
        if parking.is_empty() {
            return all.verdict(0);
        }
        // Nothing is severer: nobody need wait for the others.
        if all.step() == Step::Drop {
            self.post(parking);
            return all.verdict(0);
        }
        // First: the last answer may be there at once.
        parking::open(ticket, all, parking.len(), place);
        for (script, task) in parking {
            let then = move |verdict| parking::answered(ticket, script, verdict);
            self.handlers[script].park(task, Box::new(then));
        }
        Verdict { ticket, ..GO_ON }
    }

    /// A place for a packet to wait in, where it can be dropped; `Err` if its client has no more.
    fn enter(&self, point: usize, facts: &Facts) -> Result<Option<Place>, Crowded> {
        let is_waited_for = |handler: &&Handler| handler.config().points[point].is_some_and(|how| how.wait.waits());
        let mut handlers = self.handlers.iter().filter(|_| HOOK_POINTS[point].drops_packets());
        let Some(handler) = handlers.find(is_waited_for) else { return Ok(None) };
        let Some(key) = crowd::key(point, facts) else { return Ok(None) };
        self.crowd.enter(key).map(Some).ok_or_else(|| {
            // One packet counts once, however many scripts there are.
            handler.crowded(point, facts);
            Crowded
        })
    }

    /// Hands over events for which the packet was to be parked, and goes on.
    fn post(&self, tasks: Vec<(usize, Task)>) {
        for (script, task) in tasks {
            self.handlers[script].post(task.told());
        }
    }
}

pub fn log_text(bytes: &[u8]) -> String {
    guarded("log", String::new(), || log::text(bytes))
}

pub fn callout_took(microseconds: u64) {
    SLOWEST_CALLOUT.fetch_max(microseconds, Ordering::Relaxed);
}

pub fn status() -> String {
    guarded("status", "{}".into(), || {
        let instance = INSTANCE.read().unwrap_or_else(PoisonError::into_inner);
        let handlers = instance.iter().flat_map(|instance| &instance.handlers);
        let scripts: Vec<_> = handlers.inspect(|handler| handler.catch_up()).map(status::of_script).collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "slowest-callout-us": SLOWEST_CALLOUT.load(Ordering::Relaxed),
            "scripts": scripts,
        })
        .to_string()
    })
}

pub fn statistic_names() -> Vec<String> {
    status::names()
}

pub fn statistic_values() -> Vec<i64> {
    guarded("statistics", vec![0; status::ROWS.len()], || {
        let instance = INSTANCE.read().unwrap_or_else(PoisonError::into_inner);
        let handlers = instance.iter().flat_map(|instance| &instance.handlers);
        handlers.clone().for_each(Handler::catch_up);
        status::values(handlers)
    })
}
