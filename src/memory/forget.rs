//! Kea's command `runscript-forget`: answers that are kept are not given again.

use serde::Deserialize;

use super::Client;
use crate::bridge::ffi::ForgottenClient;
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

const REMEDY: &str = "the arguments are wrong: give none for all answers and reservations, or one of \"hw-address\" and, in kea-dhcp4 \
    \"client-id\", in kea-dhcp6 \"duid\" (bytes, as in \"01:02:03\")";

/// The command's arguments are JSON text, or empty.
pub fn forget_answers(scripts: &[Script], server: Server, arguments: &str) -> ForgottenClient {
    let Some(client) = of(server, arguments) else { return ForgottenClient::default() };
    let answers = scripts.iter().map(|script| script.memory().forget(client.as_ref())).sum();
    let forgotten = ForgottenClient { is_named: true, answers, ..ForgottenClient::default() };
    match client {
        None => ForgottenClient { is_any: true, ..forgotten },
        Some(Client::HwAddress(hwaddr)) => ForgottenClient { hwaddr, ..forgotten },
        Some(Client::Id(id)) => ForgottenClient { id, ..forgotten },
    }
}

/// What the command says in the end.
pub fn answer(client: &ForgottenClient, reservations: usize) -> (i32, String) {
    if !client.is_named {
        return (ERROR, REMEDY.into());
    }
    let answers = client.answers;
    let counted = |count: usize, what: &str| match count {
        0 => None,
        1 => Some(format!("1 {what}")),
        _ => Some(format!("{count} {what}s")),
    };
    let all: Vec<_> = counted(answers, "answer").into_iter().chain(counted(reservations, "reservation")).collect();
    match answers + reservations {
        0 => (EMPTY, "no answer was kept, and nothing reserved by one".into()),
        1 => (SUCCESS, format!("{} is forgotten", all.join(" and "))),
        _ => (SUCCESS, format!("{} are forgotten", all.join(" and "))),
    }
}

/// Whose answers these arguments mean, `Some(None)` for all; `None` if they are wrong.
fn of(server: Server, arguments: &str) -> Option<Option<Client>> {
    read(arguments).and_then(|arguments| client(server, arguments))
}

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
            assert_eq!(of(server, arguments).as_ref().map(Option::as_ref), Some(client), "{arguments}");
        }
        for (server, arguments) in [
            (Server::Dhcp4, r#"{"duid":"01:02:03"}"#),
            (Server::Dhcp6, r#"{"client-id":"01:02:03"}"#),
            (Server::Dhcp4, r#"{"hw-address":"02:00:01","client-id":"01:02:03"}"#),
            (Server::Dhcp4, r#"{"hw-address":""}"#),
            (Server::Dhcp4, r#"{"hw-address":"2:0:1"}"#),
            (Server::Dhcp4, r#"{"colour":"red"}"#),
        ] {
            assert_eq!(of(server, arguments), None, "{arguments}");
        }
    }
}
