//! What stands for Kea: its configuration, what it knows at a hook point, its logger, and whoever waits for a verdict.

use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::Receiver;

use serde_json::{Value, json};

use super::fake::PATIENCE;
use super::{PARK, TOLD};
use crate::bridge::ffi::{self, Message, OptionFact, Packet6, Span, Step, Verdict};
use crate::config::{self, Config, Kea};
use crate::facts::Facts;
use crate::hook_points::{self, hook_point_names};
use crate::keys::CLIENT_ID6;
use crate::variables::Server;
use crate::variables::tests::Shim;

/// A thread of Kea's that waits for a verdict, or a packet that is parked; or nobody.
pub struct Waiting(pub Receiver<Verdict>);

impl Waiting {
    pub fn verdict(&self) -> Verdict {
        self.0.recv_timeout(PATIENCE).unwrap()
    }

    pub fn step(&self) -> Step {
        self.verdict().step
    }

    pub fn is_waiting(&self) -> bool {
        self.0.try_recv().is_err()
    }

    /// Nobody has a verdict for it, now or later.
    pub fn is_forgotten(&self) -> bool {
        self.0.recv().is_err()
    }
}

/// All of them have been told to go on.
#[track_caller]
pub fn go_on(all: impl IntoIterator<Item = Waiting>) {
    all.into_iter().for_each(|one| assert_eq!(one.step(), Step::Continue));
}

pub fn config(socket: &Path, points: &[&str], lanes: usize, parameters: Value) -> Config {
    let kea = Kea {
        server: hook_points::Server::Dhcp6,
        version: "2.2.0",
        hook_points: &hook_point_names(),
        scripts_directory: Path::new(""),
        scripts_only_there: false,
        data_directory: Path::new(""),
    };
    let wait = |point| match point {
        TOLD => json!(false),
        PARK => json!("park"),
        _ => json!(true),
    };
    let points: Vec<_> = points.iter().map(|point| json!({"name": point, "wait": wait(*point)})).collect();
    // Nothing but what is to time out may do so, on a machine however busy.
    let mut all = json!({"socket": socket, "concurrency": lanes, "hook-points": points, "timeout": 60_000});
    all.as_object_mut().unwrap().extend(parameters.as_object().unwrap().clone());
    config::parse(&all.to_string(), kea).unwrap().remove(0)
}

pub fn server() -> Server {
    Server { name: "kea-dhcp6".into(), version: "2.2.0".into(), ..Server::default() }
}

/// What Kea knows of a packet from the first of these clients, each of which has one letter, and of an answer to the second
/// if there is one; with an option of so many bytes.
pub fn facts(clients: &str, bytes: u32) -> Facts {
    let mut shim = Shim::default();
    let packet = shim.solicit();
    let shim = shim.facts();
    let mut all = [shim.bytes, clients.replace(' ', "").as_bytes()].concat();
    let option = |code, start, len| OptionFact { code, depth: 0, data: Span { start: start as u32, len } };
    let of = |client| Packet6 { options: Span { start: client, len: 2 }, ..packet };
    let ids = shim.bytes.len()..all.len();
    let large = option(200, ids.end, bytes);
    let options: Vec<_> = ids.flat_map(|at| [option(CLIENT_ID6, at, 1), large]).collect();
    all.resize(all.len() + bytes as usize, 0);
    let (query, response) = ([of(0)], [of(2)]);
    let response = if options.len() > 2 { &response[..] } else { &[] };
    let facts = ffi::Facts { bytes: &all, options: &options, query6: &query, response6: response, ..shim };
    Facts::from(&facts)
}

/// What all handlers of this process have said: the message and what goes into its text.
pub static SAID: Mutex<Vec<(String, Vec<String>)>> = Mutex::new(Vec::new());

/// In place of Kea's logger.
#[allow(improper_ctypes_definitions)]
pub extern "C" fn keep(message: &Message) {
    let id = message.id.trim_end_matches('\0').into();
    SAID.lock().unwrap().push((id, message.args.to_vec()));
}
