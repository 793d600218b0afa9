//! Kea's subnets and pools, from its configuration, read anew when that has changed.

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::Value;

use crate::kea::{Error, Kea, PATIENCE};
use crate::log;

/// How often Kea is asked whether its configuration has changed.
const ASK: Duration = Duration::from_secs(1);
/// The configuration is read after this time in any case: hooks and backends change it without a reload.
const RENEW: Duration = Duration::from_secs(60);
/// So much rarer than that if Kea takes long to tell: all reservations of its configuration are in it.
const SHARE: u32 = 100;
/// Kea tells whole seconds.
const GRAIN: Duration = Duration::from_secs(1);

/// What is known of the configuration.
#[derive(Debug, Default)]
pub struct Network {
    subnets: Vec<Subnet>,
    /// Whether reservations are kept in a database.
    pub has_host_database: bool,
    has_global_reservations: bool,
}

/// A subnet.
#[derive(Debug)]
pub struct Subnet {
    pub id: u32,
    addresses: RangeInclusive<u32>,
    pools: Vec<RangeInclusive<u32>>,
}

impl Network {
    /// The subnet of an address.
    pub fn subnet(&self, address: Ipv4Addr) -> Option<&Subnet> {
        let address = address.into();
        self.subnets.iter().filter(|subnet| subnet.addresses.contains(&address)).min_by_key(|subnet| {
            // The narrowest, as nothing forbids that one is within another.
            subnet.addresses.end() - subnet.addresses.start()
        })
    }

    fn read(config: &Value) -> Network {
        let config = &config["Dhcp4"];
        let lists = std::iter::once(&config["subnet4"])
            .chain(config["shared-networks"].as_array().into_iter().flatten().map(|network| &network["subnet4"]));
        let subnets: Vec<&Value> = lists.filter_map(Value::as_array).flatten().collect();
        let is_global = |place: &&Value| place["reservations-global"] == true;
        let has = |name: &str| match &config[name] {
            Value::Object(one) => !one.is_empty(),
            Value::Array(list) => !list.is_empty(),
            _ => false,
        };
        Network {
            has_global_reservations: is_global(&config) || subnets.iter().any(is_global),
            subnets: subnets.into_iter().filter_map(Subnet::read).collect(),
            has_host_database: has("hosts-database") || has("hosts-databases"),
        }
    }

    /// Says what will not do in the long run.
    pub fn warn(&self) {
        if !self.has_global_reservations {
            log::warn("Kea has no \"reservations-global\": true: it does not look at hosts that have no address");
        }
        if !self.has_host_database {
            log::warn("Kea has no \"hosts-database\": it forgets hosts at its next reload or restart");
        }
    }
}

impl Subnet {
    /// Which of its pools has the address, counted from 0.
    pub fn pool(&self, address: Ipv4Addr) -> Option<usize> {
        self.pools.iter().position(|pool| pool.contains(&address.into()))
    }

    fn read(subnet: &Value) -> Option<Subnet> {
        let pools = subnet["pools"].as_array().into_iter().flatten();
        Some(Subnet {
            id: subnet["id"].as_u64()?.try_into().ok()?,
            addresses: range(subnet["subnet"].as_str()?)?,
            pools: pools.filter_map(|pool| range(pool["pool"].as_str()?)).collect(),
        })
    }
}

/// Of `192.0.2.0/24` or `192.0.2.10 - 192.0.2.20`.
fn range(text: &str) -> Option<RangeInclusive<u32>> {
    let address = |text: &str| text.trim().parse::<Ipv4Addr>().ok().map(u32::from);
    if let Some((first, last)) = text.split_once('-') {
        return Some(address(first)?..=address(last)?);
    }
    let (first, length) = text.split_once('/')?;
    let host_bits = 32_u32.checked_sub(length.trim().parse().ok()?)?;
    let hosts = u32::try_from((1_u64 << host_bits) - 1).ok()?;
    let first = address(first)? & !hosts;
    Some(first..=first | hosts)
}

/// The network as it was read last.
#[derive(Default)]
pub struct Cache(Mutex<Option<Cached>>);

struct Cached {
    network: Arc<Network>,
    read: Instant,
    took: Duration,
    asked: Instant,
}

impl Cache {
    /// The network as Kea has it now, or had it a second ago if that is enough.
    ///
    /// # Errors
    /// If Kea is away.
    pub fn get(&self, kea: &Kea, is_enough: impl Fn(&Network) -> bool) -> Result<Arc<Network>, Error> {
        let mut cached = self.0.try_lock_for(PATIENCE).ok_or(Error::Away)?;
        let now = Instant::now();
        if let Some(cached) = cached.as_mut().filter(|cached| now - cached.read < RENEW.max(cached.took * SHARE)) {
            let is_young = now - cached.asked < ASK && is_enough(&cached.network);
            if is_young || since_configuration(kea)? > now - cached.read + GRAIN {
                cached.asked = if is_young { cached.asked } else { now };
                return Ok(cached.network.clone());
            }
        }
        let config = kea.command("config-get", Value::Null)?.unwrap_or_default();
        let network = Arc::new(Network::read(&config));
        *cached = Some(Cached { network: network.clone(), read: now, took: now.elapsed(), asked: now });
        Ok(network)
    }
}

/// How long ago Kea has started or was configured anew.
fn since_configuration(kea: &Kea) -> Result<Duration, Error> {
    let status = kea.command("status-get", Value::Null)?.unwrap_or_default();
    Ok(Duration::from_secs(status["reload"].as_u64().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn subnets_pools_and_databases() {
        let network = Network::read(&json!({"Dhcp4": {
            "subnet4": [{"id": 1, "subnet": "192.0.2.0/24", "pools": [{"pool": "192.0.2.10-192.0.2.20"}, {"pool": "192.0.2.64/26"}]}],
            "shared-networks": [{"subnet4": [{"id": 7, "subnet": "10.0.0.0/8"}, {"id": 8, "subnet": "10.1.0.0/16"}]}],
            "hosts-databases": [{"type": "postgresql"}]}}));
        let subnet = |address: [u8; 4]| network.subnet(address.into()).map(|subnet| subnet.id);
        assert_eq!(subnet([192, 0, 2, 0]), Some(1));
        assert_eq!(subnet([192, 0, 2, 255]), Some(1));
        assert_eq!(subnet([192, 0, 3, 0]), None);
        assert_eq!((subnet([10, 1, 255, 255]), subnet([10, 2, 0, 0])), (Some(8), Some(7)));
        let pool = |last: u8| network.subnets[0].pool(Ipv4Addr::new(192, 0, 2, last));
        assert_eq!([9, 10, 20, 21, 64, 127, 128].map(pool), [None, Some(0), Some(0), None, Some(1), Some(1), None]);
        assert!(network.has_host_database && !network.has_global_reservations);
        assert!(Network::read(&json!({"Dhcp4": {"reservations-global": true}})).has_global_reservations);
        assert!(!Network::read(&json!({"Dhcp4": {"hosts-databases": []}})).has_host_database);
        assert_eq!(range("0.0.0.0/0"), Some(0..=u32::MAX));
        assert_eq!(range("192.0.2.1/33"), None);
    }
}
