//! Kea's command `runscript-forget`: answers that are kept are not given again.

use serde::Deserialize;

use super::Client;
use crate::commands_of_kea::{CLIENT_ID_BYTES, DUID_BYTES, EMPTY, ERROR, HWADDR_BYTES, SUCCESS, bytes, read};
use crate::dispatch::Script;
use crate::hook_points::Server;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Arguments {
    hw_address: Option<String>,
    client_id: Option<String>,
    duid: Option<String>,
}

const REMEDY: &str = "the arguments are wrong: give none for all answers, or one of \"hw-address\" and, in kea-dhcp4 \
    \"client-id\", in kea-dhcp6 \"duid\" (bytes, as in \"01:02:03\")";

/// Carries the command out, with its arguments as JSON text, or empty.
pub fn forget(scripts: &[Script], server: Server, arguments: &str) -> (i32, String) {
    let Some(client) = read(arguments).and_then(|arguments| client(server, arguments)) else {
        return (ERROR, REMEDY.into());
    };
    match scripts.iter().map(|script| script.memory().forget(client.as_ref())).sum::<usize>() {
        0 => (EMPTY, "no answer was kept".into()),
        1 => (SUCCESS, "1 answer is forgotten".into()),
        answers => (SUCCESS, format!("{answers} answers are forgotten")),
    }
}

/// Whose answers, `Some(None)` for all; `None` if the arguments are wrong.
fn client(server: Server, arguments: Arguments) -> Option<Option<Client>> {
    let Arguments { hw_address, client_id, duid } = arguments;
    Some(match (hw_address, client_id, duid, server) {
        (None, None, None, _) => None,
        (Some(address), None, None, _) => Some(Client::HwAddress(bytes(&address, HWADDR_BYTES)?)),
        (None, Some(id), None, Server::Dhcp4) => Some(Client::Id(bytes(&id, CLIENT_ID_BYTES)?)),
        (None, None, Some(duid), Server::Dhcp6) => Some(Client::Id(bytes(&duid, DUID_BYTES)?)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_for(server: Server, arguments: &str) -> Option<Option<Client>> {
        read(arguments).and_then(|arguments| client(server, arguments))
    }

    #[test]
    fn a_client_is_named_as_elsewhere() {
        let (address, id) = (Client::HwAddress(vec![2, 0, 1]), Client::Id(vec![1, 2, 3]));
        for (server, arguments, client) in [
            (Server::Dhcp4, "", None),
            (Server::Dhcp6, "{}", None),
            (Server::Dhcp4, r#"{"hw-address":"02:00:01"}"#, Some(&address)),
            (Server::Dhcp6, r#"{"hw-address":"02:00:01"}"#, Some(&address)),
            (Server::Dhcp4, r#"{"client-id":"01:02:03"}"#, Some(&id)),
            (Server::Dhcp6, r#"{"duid":"01:02:03"}"#, Some(&id)),
        ] {
            assert_eq!(read_for(server, arguments).as_ref().map(Option::as_ref), Some(client), "{arguments}");
        }
        for (server, arguments) in [
            (Server::Dhcp4, r#"{"duid":"01:02:03"}"#),
            (Server::Dhcp6, r#"{"client-id":"01:02:03"}"#),
            (Server::Dhcp4, r#"{"hw-address":"02:00:01","client-id":"01:02:03"}"#),
            (Server::Dhcp4, r#"{"hw-address":""}"#),
            (Server::Dhcp4, r#"{"hw-address":"2:0:1"}"#),
            (Server::Dhcp4, r#"{"colour":"red"}"#),
        ] {
            assert_eq!(read_for(server, arguments), None, "{arguments}");
        }
    }
}
