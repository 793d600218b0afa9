//! What Kea calls, through the shim: load, event, unload. Each is guarded: no panic reaches Kea.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once, PoisonError, RwLock};

use serde_json::json;

use crate::bridge::ffi::{self, Change, CommandAnswer, ForgottenClient, Loaded, Page, Pages, Source, Verdict};
use crate::commands_of_kea;
use crate::config::{self, Config, Kea};
use crate::dispatch::{Left, Script};
use crate::facts::Facts;
use crate::guard::guarded;
use crate::hook_points::{HOOK_POINTS, Server as Which};
use crate::instance::Instance;
use crate::interest::interests;
use crate::leases::origin::Origin;
use crate::log::{self, log, log_whole};
use crate::memory::forget;
use crate::merged::GO_ON;
use crate::messages;
use crate::parking;
use crate::replay;
use crate::retry;
use crate::status;
use crate::variables::Server;

static INSTANCE: RwLock<Option<Instance>> = RwLock::new(None);

/// What the last `unload` left of each script.
static LEFT: Mutex<Vec<Left>> = Mutex::new(Vec::new());

/// Done when Kea's main loop turns: `kea-dhcp4 -T` loads us for real, maybe beside a running server, and never gets so far.
static TURN: Once = Once::new();

/// Longest time that a callout kept Kea's thread, in microseconds.
static SLOWEST_CALLOUT: AtomicU64 = AtomicU64::new(0);

const REFUSED: Loaded = Loaded {
    ok: false,
    hook_points: Vec::new(),
    debug: false,
    parks: false,
    lease_events: false,
    other_leases: false,
    configuration: false,
    reservation_limit: 0,
};

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
        lease_events: scripts.iter().any(|script| script.config().hears_of_leases()),
        other_leases: scripts.iter().any(|script| script.config().other_leases),
        configuration: scripts.iter().any(|script| script.config().hears_of_configuration()),
        reservation_limit: scripts.iter().map(|script| script.config().reservation_limit).sum(),
    };
    for script in &scripts {
        announce(script.config());
    }
    *instance = Some(Instance::new(scripts, which));
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
        script.begin_spool();
    }
    Ok(script)
}

/// Kea's main loop turns: it has started.
pub fn turning() {
    TURN.call_once(|| with_instance("start", (), Instance::begin));
}

/// What `body` makes of what is at work; `otherwise` if nothing is, or at a panic.
fn with_instance<T>(place: &str, otherwise: T, body: impl FnOnce(&Instance) -> T) -> T
where
    T: Clone,
{
    guarded(place, otherwise.clone(), || {
        let instance = INSTANCE.read().unwrap_or_else(PoisonError::into_inner);
        instance.as_ref().map_or(otherwise, body)
    })
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

pub fn unload(ends: bool) {
    guarded("unload", (), || {
        if ends && TURN.is_completed() {
            with_instance("unload", (), Instance::end);
        }
        let instance = INSTANCE.write().unwrap_or_else(PoisonError::into_inner).take();
        let Some(instance) = instance else { return };
        parking::forget_all();
        replay::begin_again();
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

pub fn lease_event(source: Source, facts: &ffi::Facts) {
    turning();
    with_instance("lease event", (), |instance| instance.tell_of_lease(source, Facts::from(facts)));
}

pub fn lease_origin(interface: &[u8], next_hop: &[u8], link: &[u8], peer: &[u8]) -> String {
    guarded("lease event", String::new(), || Origin::new(interface, next_hop, link, peer).text())
}

pub fn replay_page() -> Page {
    guarded("replay", replay::nothing(Pages::None), || {
        let instance = INSTANCE.read().unwrap_or_else(PoisonError::into_inner);
        instance.as_ref().map_or(replay::nothing(Pages::None), Instance::replay_page)
    })
}

pub fn replay_told(last: [u8; 16], is_last: bool) {
    guarded("replay", (), || replay::told(last, is_last));
}

pub fn replay_all() {
    with_instance("replay", (), Instance::replay);
}

/// Not at the start of Kea, which the first turn of its main loop tells of.
pub fn configured() {
    if TURN.is_completed() {
        with_instance("configured", (), Instance::renew);
    }
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
    with_instance(row.name, (), |instance| {
        if let Some(script) = instance.scripts.get(change.script as usize) {
            tell(script);
        }
    });
}

pub fn log_text(bytes: &[u8]) -> String {
    guarded("log", String::new(), || log::text(bytes))
}

pub fn callout_took(microseconds: u64) {
    SLOWEST_CALLOUT.fetch_max(microseconds, Ordering::Relaxed);
}

pub fn status(reservations: usize) -> String {
    turning();
    with_instance("status", "{}".into(), |instance| {
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "slowest-callout-us": SLOWEST_CALLOUT.load(Ordering::Relaxed),
            "reservations": reservations,
            "scripts": instance.scripts.iter().map(status::of_script).collect::<Vec<_>>(),
        })
        .to_string()
    })
}

pub fn retry(arguments: &str) -> CommandAnswer {
    command(|instance| retry::retry(&instance.scripts, arguments))
}

pub fn forget_answers(arguments: &str) -> ForgottenClient {
    with_instance("command", ForgottenClient::default(), |instance| instance.forget_answers(arguments))
}

pub fn forgotten(client: &ForgottenClient, reservations: usize) -> CommandAnswer {
    command(|_| forget::answer(client, reservations))
}

pub fn replay(arguments: &str) -> CommandAnswer {
    turning();
    command(|instance| instance.replay_by_command(arguments))
}

fn command(body: impl FnOnce(&Instance) -> (i32, String)) -> CommandAnswer {
    let defect = (commands_of_kea::ERROR, "a defect of this library".to_string());
    let (result, text) = with_instance("command", defect, body);
    CommandAnswer { result, text }
}

pub fn statistic_names() -> Vec<String> {
    status::names()
}

pub fn statistic_values() -> Vec<i64> {
    with_instance("statistics", vec![0; status::ROWS.len()], |instance| status::values(instance.scripts.iter()))
}
