//! Where a script is called, and whether Kea waits for it there.

use std::time::Duration;

use serde_json::Value;

use super::read::{Refusal, Section, outline};
use super::{Kea, TIMEOUT_BOUNDS};
use crate::dialect::Dialect;
use crate::hook_points::{HOOK_POINTS, HookPoint, find};

/// How a script is called at one hook point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub wait: Wait,
    pub timeout: Duration,
}

/// What Kea does while a script is at work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wait {
    /// It goes on.
    No,
    /// Its thread stands still.
    Yes,
    /// The packet waits, and Kea goes on with others.
    Park,
}

impl Wait {
    /// Whether the script's verdict counts.
    pub fn waits(self) -> bool {
        self != Wait::No
    }
}

/// In which ways Kea waits for a script, at one hook point or another.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ways {
    /// It does not.
    pub no: bool,
    /// With a thread of its.
    pub yes: bool,
    /// With a parked packet.
    pub park: bool,
}

impl Ways {
    pub fn of(points: &[Option<Point>]) -> Ways {
        let has = |wait| points.iter().flatten().any(|point| point.wait == wait);
        Ways { no: has(Wait::No), yes: has(Wait::Yes), park: has(Wait::Park) }
    }

    /// Whether it waits anywhere.
    pub fn wait(self) -> bool {
        self.yes || self.park
    }

    /// Whether there are several.
    pub fn differ(self) -> bool {
        usize::from(self.no) + usize::from(self.yes) + usize::from(self.park) > 1
    }
}

/// What the script's own parameters say for every hook point.
struct Common {
    wait: Wait,
    /// Not by default alone.
    is_said: bool,
    timeout: Option<u64>,
}

impl Common {
    fn point(&self, wait: Wait, timeout: Option<u64>) -> Point {
        let timeout = timeout.or(self.timeout).map_or(default_timeout(wait), Duration::from_millis);
        Point { wait, timeout }
    }

    /// Where Kea cannot park it just waits. At our own hook points it does not wait unless it is told to, and
    /// never where its own life is told of.
    fn at(&self, row: &HookPoint, kea: Kea) -> Wait {
        match self.wait {
            _ if row.is_of_kea() || row.is_ours && !self.is_said => Wait::No,
            Wait::Park if !kea.parks(row) => Wait::Yes,
            wait => wait,
        }
    }
}

fn default_timeout(wait: Wait) -> Duration {
    Duration::from_millis(if wait.waits() { 5_000 } else { 60_000 })
}

/// The hook points of this server, by `hook-points` or by default.
pub fn points(section: &Section, kea: Kea, dialect: Dialect) -> Result<Vec<Option<Point>>, Refusal> {
    let key = section.alias("wait", "sync")?;
    let default_wait = if dialect.waits_by_default() { Wait::Yes } else { Wait::No };
    let common = Common {
        wait: key.map_or(Ok(default_wait), |key| wait(section, key))?,
        is_said: key.is_some(),
        timeout: section.bounded("timeout", TIMEOUT_BOUNDS, "milliseconds")?,
    };
    let points = match section.list("hook-points", "names or maps")? {
        Some(list) => selected(section, list, &common, kea)?,
        None => default(&common, kea, dialect),
    };
    if common.wait == Wait::Park && !points.iter().flatten().any(|point| point.wait == Wait::Park) {
        let remedy =
            format!("Kea {} parks at none of the selected hook points; it can at: {}", kea.version, parking(kea));
        return Err(section.refuse(key.unwrap_or("wait"), &remedy));
    }
    Ok(points)
}

fn default(common: &Common, kea: Kea, dialect: Dialect) -> Vec<Option<Point>> {
    let point = |row: &HookPoint| common.point(common.at(row, kea), None);
    let wanted = |row: &HookPoint| dialect.is_default_at(row) && row.is_of(kea.server) && kea.has(row);
    HOOK_POINTS.iter().map(|row| wanted(row).then(|| point(row))).collect()
}

fn selected(section: &Section, list: &[Value], common: &Common, kea: Kea) -> Result<Vec<Option<Point>>, Refusal> {
    if list.is_empty() {
        return Err(section.refuse("hook-points", "name at least one hook point"));
    }
    let mut points = vec![None; HOOK_POINTS.len()];
    for (i, entry) in list.iter().enumerate() {
        let place = format!("hook-points[{i}]");
        let (index, point) = match entry {
            Value::String(name) => {
                let index = hook_point(section, &place, name, kea)?;
                (index, common.point(common.at(&HOOK_POINTS[index], kea), None))
            }
            Value::Object(_) => own(&Section::new(format!("{}{place}.", section.place()), entry)?, common, kea)?,
            _ => {
                let remedy = "is no hook point: give a name or a map";
                return Err(section.refuse_value(&place, &outline(entry), remedy));
            }
        };
        if points[index].replace(point).is_some() {
            return Err(section.refuse_value("hook-points", HOOK_POINTS[index].name, "is named twice: name it once"));
        }
    }
    Ok(points)
}

/// A hook point with settings of its own.
fn own(entry: &Section, common: &Common, kea: Kea) -> Result<(usize, Point), Refusal> {
    entry.only(&["name", "wait", "timeout"], "the keys of an entry")?;
    let name = entry.has("name").ok_or_else(|| entry.missing("name", "the name of a hook point"))?;
    let index = hook_point(entry, name, entry.text(name)?, kea)?;
    let row = &HOOK_POINTS[index];
    let wait = entry.has("wait").map_or_else(|| Ok(common.at(row, kea)), |key| wait_at(entry, key, row, kea))?;
    let timeout = entry.bounded("timeout", TIMEOUT_BOUNDS, "milliseconds")?;
    Ok((index, common.point(wait, timeout)))
}

fn wait(section: &Section, key: &str) -> Result<Wait, Refusal> {
    match section.get(key) {
        Some(Value::Bool(true)) => Ok(Wait::Yes),
        Some(Value::Bool(false)) => Ok(Wait::No),
        Some(Value::String(park)) if park == "park" => Ok(Wait::Park),
        _ => Err(section.refuse(key, "give true, false or \"park\"")),
    }
}

fn wait_at(entry: &Section, key: &str, row: &HookPoint, kea: Kea) -> Result<Wait, Refusal> {
    let wait = wait(entry, key)?;
    if wait.waits() && row.is_of_kea() {
        return Err(entry.refuse(key, &format!("Kea does not wait at {}: leave it out", row.name)));
    }
    if wait == Wait::Park && !kea.parks(row) {
        let remedy = format!("Kea {} cannot park at {}; it can at: {}", kea.version, row.name, parking(kea));
        return Err(entry.refuse(key, &remedy));
    }
    Ok(wait)
}

/// Names of the hook points where it can park.
fn parking(kea: Kea) -> String {
    let names: Vec<_> = HOOK_POINTS.iter().filter(|row| kea.parks(row)).map(|row| row.name).collect();
    names.join(", ")
}

fn hook_point(section: &Section, key: &str, name: &str, kea: Kea) -> Result<usize, Refusal> {
    let server = kea.server.name();
    let remedy = match find(name).map(|index| (index, &HOOK_POINTS[index])) {
        Some((_, row)) if !row.is_of(kea.server) => {
            format!("is a hook point of {}, and this is {server}", row.server.name())
        }
        Some((index, row)) if kea.has(row) => return Ok(index),
        Some((_, row)) => {
            let since = row.since.map_or("another version".into(), |version| format!("version {version} or newer"));
            format!("is a hook point of {server} {since}, and this is {}: leave it out", kea.version)
        }
        None => {
            let known = HOOK_POINTS.iter().filter(|row| row.is_of(kea.server) && kea.has(row));
            let names: Vec<_> = known.map(|row| row.name).collect();
            format!("is no hook point of {server}; it has: {}", names.join(", "))
        }
    };
    Err(section.refuse_value(key, name, &remedy))
}
