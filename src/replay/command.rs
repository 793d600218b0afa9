//! Kea's command `runscript-replay`: some leases, or all, are replayed to every script that hears of leases.

use std::net::IpAddr;

use serde::Deserialize;

use super::{Which, replays};
use crate::bridge::ffi::Pages;
use crate::commands_of_kea::{CLIENT_ID_BYTES, DUID_BYTES, ERROR, HWADDR_BYTES, SUCCESS, bytes, read};
use crate::dispatch::{Identity, Script};
use crate::hook_points::Server;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Arguments {
    subnet_id: Option<u32>,
    /// An address, or that of a delegated prefix, with its length or without.
    ip_address: Option<String>,
    duid: Option<String>,
    hw_address: Option<String>,
    client_id: Option<String>,
}

const REMEDY: &str = "the arguments are wrong: give none for all leases, or one of \"subnet-id\" (a number), \"ip-address\" \
    (also of a prefix), and in kea-dhcp4 \"hw-address\" or \"client-id\", in kea-dhcp6 \"duid\" (bytes, as in \"01:02:03\")";

/// Carries the command out, with its arguments as JSON text, or empty.
pub fn command(scripts: &[Script], server: Server, arguments: &str) -> (i32, String) {
    let mut hearing = scripts.iter().filter(|script| script.config().hears_of_leases()).peekable();
    if hearing.peek().is_none() {
        return (
            ERROR,
            "no program hears of leases: add lease4_changed or lease6_changed to its \"hook-points\"".into(),
        );
    }
    let Some(which) = read(arguments).and_then(|arguments| which(server, arguments)) else {
        return (ERROR, REMEDY.into());
    };
    let mut replays = replays();
    hearing.for_each(|script| replays.add(Identity::of(script.config()), which.clone()));
    (SUCCESS, "the replay begins".into())
}

/// What is asked for; `None` if that is nothing that can be.
fn which(server: Server, arguments: Arguments) -> Option<Which> {
    let Arguments { subnet_id, ip_address, duid, hw_address, client_id } = arguments;
    let of = |pages, bytes| Which { pages, bytes, subnet_id: 0 };
    Some(match (subnet_id, ip_address, duid, hw_address, client_id, server) {
        (None, None, None, None, None, _) => Which::ALL,
        (Some(subnet_id), None, None, None, None, _) => Which { subnet_id, ..of(Pages::Subnet, Vec::new()) },
        (None, Some(address), None, None, None, server) => of(Pages::Address, address_bytes(&address, server)?),
        (None, None, Some(duid), None, None, Server::Dhcp6) => of(Pages::Client, bytes(&duid, DUID_BYTES)?),
        (None, None, None, Some(address), None, Server::Dhcp4) => of(Pages::HwAddress, bytes(&address, HWADDR_BYTES)?),
        (None, None, None, None, Some(client), Server::Dhcp4) => of(Pages::Client, bytes(&client, CLIENT_ID_BYTES)?),
        _ => return None,
    })
}

fn address_bytes(text: &str, server: Server) -> Option<Vec<u8>> {
    match (text.split('/').next()?.parse().ok()?, server) {
        (IpAddr::V4(address), Server::Dhcp4) => Some(address.octets().into()),
        (IpAddr::V6(address), Server::Dhcp6) => Some(address.octets().into()),
        _ => None,
    }
}
