//! Kea's reservations: finding and changing them by the `reservation-*` commands.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use kea_hook_runscript::text::hex_digits;
use parking_lot::{Mutex, MutexGuard};
use serde_json::{Value, json};

use crate::kea::{Error, Kea, PATIENCE};
use crate::reservation::{Identifier, Reservation};

/// Reservations that one command fetches: Kea serves nobody meanwhile.
const PAGE: u64 = 1000;
/// A name that is not in the index is looked for among all reservations, but no more often.
const RENEW: Duration = Duration::from_secs(60);

/// No name is longer (RFC 1035, 2.3.4).
pub const NAME_BYTES: usize = 255;

/// Before the identifier of a host that has no name.
pub const NAMELESS: &str = "nh";

/// A host's name: a client of ours has given it, or Kea; else its identifier stands for it, as dhcpd has none without.
pub fn name(host: &Reservation) -> String {
    host.name().map(String::from).unwrap_or_else(|| {
        let mut out = String::from(NAMELESS);
        hex_digits(&host.identifier().map(|identifier| identifier.bytes).unwrap_or_default(), &mut out);
        out
    })
}

/// By what a host is known again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Known {
    pub identifier: Identifier,
    pub subnet: u32,
    pub name: String,
}

impl Known {
    pub fn of(host: &Reservation) -> Known {
        let nobody = || Identifier::new(Identifier::HARDWARE, &[]);
        Known { identifier: host.identifier().unwrap_or_else(nobody), subnet: host.subnet(), name: name(host) }
    }
}

/// Reservations with a name, by it. Others add and delete them, too: what it says is checked.
#[derive(Default)]
pub struct Names(Mutex<Index>);

#[derive(Default)]
struct Index {
    hosts: HashMap<String, Identifier>,
    made: Option<Instant>,
}

impl Names {
    /// The reservation of that name.
    ///
    /// # Errors
    /// If Kea is away.
    pub fn find(&self, kea: &Kea, name: &str) -> Result<Option<Reservation>, Error> {
        let mut index = self.lock()?;
        loop {
            if let Some(identifier) = index.hosts.get(name) {
                let found = by_identifier(kea, identifier)?.into_iter().find(|host| host.name() == Some(name));
                if found.is_some() {
                    return Ok(found);
                }
                index.hosts.remove(name);
            }
            let found = by_hostname(kea, name)?;
            if found.is_some() {
                return Ok(found);
            }
            if index.made.is_some_and(|made| made.elapsed() < RENEW) {
                return Ok(None);
            }
            index.renew(kea)?;
        }
    }

    /// Remembers a reservation that was written.
    pub fn remember(&self, host: &Reservation) {
        if let (Ok(mut index), Some(name), Some(identifier)) = (self.lock(), host.name(), host.identifier()) {
            index.hosts.insert(name.into(), identifier);
        }
    }

    fn lock(&self) -> Result<MutexGuard<'_, Index>, Error> {
        self.0.try_lock_for(PATIENCE).ok_or(Error::Away)
    }
}

impl Index {
    fn renew(&mut self, kea: &Kea) -> Result<(), Error> {
        let mut hosts = HashMap::new();
        each(kea, |host| {
            if let (Some(name), Some(identifier)) = (host.name(), host.identifier()) {
                hosts.insert(name.into(), identifier);
            }
            Ok(())
        })?;
        *self = Index { hosts, made: Some(Instant::now()) };
        Ok(())
    }
}

/// Shows each reservation that Kea has, page by page.
///
/// # Errors
/// If Kea is away, or the visitor's own.
pub fn each<E: From<Error>>(kea: &Kea, mut visit: impl FnMut(Reservation) -> Result<(), E>) -> Result<(), E> {
    let mut arguments = json!({"limit": PAGE});
    loop {
        let Some(mut page) = kea.command("reservation-get-page", arguments.clone())? else { return Ok(()) };
        reservations(&mut page).into_iter().try_for_each(&mut visit)?;
        if page["count"].as_u64().unwrap_or(0) == 0 {
            return Ok(());
        }
        let next = json!({"limit": PAGE, "from": page["next"]["from"], "source-index": page["next"]["source-index"]});
        if next == arguments {
            return Ok(());
        }
        arguments = next;
    }
}

fn reservations(answer: &mut Value) -> Vec<Reservation> {
    match answer.get_mut("hosts").map(Value::take) {
        Some(Value::Array(list)) => list.into_iter().filter_map(Reservation::read).collect(),
        _ => Vec::new(),
    }
}

/// All reservations of a client, in any subnet.
///
/// # Errors
/// If Kea is away.
pub fn by_identifier(kea: &Kea, identifier: &Identifier) -> Result<Vec<Reservation>, Error> {
    let arguments = json!({"identifier-type": identifier.kind, "identifier": identifier.text()});
    Ok(kea.command("reservation-get-by-id", arguments)?.as_mut().map(reservations).unwrap_or_default())
}

/// The first reservation of an address.
///
/// # Errors
/// If Kea is away.
pub fn by_address(kea: &Kea, address: Ipv4Addr) -> Result<Option<Reservation>, Error> {
    // That would be all that have no address.
    if address.is_unspecified() {
        return Ok(None);
    }
    let answer = kea.command("reservation-get-by-address", json!({"ip-address": address.to_string()}))?;
    Ok(answer.map(|mut answer| reservations(&mut answer)).and_then(|hosts| hosts.into_iter().next()))
}

/// One that others have named. Kea looks at neither upper nor lower case. With MySQL a name of some thousand bytes ends Kea 2.2,
/// and one that is not ASCII is refused.
fn by_hostname(kea: &Kea, name: &str) -> Result<Option<Reservation>, Error> {
    if name.is_empty() || name.len() > NAME_BYTES || !name.is_ascii() {
        return Ok(None);
    }
    let answer = kea.command("reservation-get-by-hostname", json!({"hostname": name}))?;
    let hosts = answer.map(|mut answer| reservations(&mut answer)).unwrap_or_default();
    Ok(hosts.into_iter().find(|host| host.name() == Some(name)))
}

/// Where reservations are written.
#[derive(Clone, Copy)]
pub struct Writer<'a> {
    pub kea: &'a Kea,
    pub has_database: bool,
}

impl Writer<'_> {
    /// # Errors
    /// If Kea is away or refuses it.
    pub fn add(&self, host: &Reservation) -> Result<(), Error> {
        let target = if self.has_database { "database" } else { "memory" };
        let arguments = json!({"reservation": host.0, "operation-target": target});
        self.kea.command("reservation-add", arguments).map(|_| ())
    }

    /// Puts it in the place of the one with its subnet and identifier; `false` if there is none.
    ///
    /// # Errors
    /// If Kea is away or refuses it.
    pub fn update(&self, host: &Reservation) -> Result<bool, Error> {
        // Kea answers alike where there is none and where the new one is refused.
        let Some(identifier) = host.identifier() else { return Ok(false) };
        for target in self.targets() {
            if self.kea.command("reservation-get", named(host.subnet(), &identifier, target))?.is_some() {
                let arguments = json!({"reservation": host.0, "operation-target": target});
                return self.kea.command("reservation-update", arguments).map(|_| true);
            }
        }
        Ok(false)
    }

    /// `false` if there is no such reservation.
    ///
    /// # Errors
    /// If Kea is away or refuses it.
    pub fn delete(&self, subnet: u32, identifier: &Identifier) -> Result<bool, Error> {
        for target in self.targets() {
            if self.kea.command("reservation-del", named(subnet, identifier, target))?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The databases, and memory, where the reservations of the configuration are.
    fn targets(&self) -> &'static [&'static str] {
        if self.has_database { &["database", "memory"] } else { &["memory"] }
    }
}

fn named(subnet: u32, identifier: &Identifier, target: &str) -> Value {
    json!({"subnet-id": subnet, "identifier-type": identifier.kind, "identifier": identifier.text(),
        "operation-target": target})
}
