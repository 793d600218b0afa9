//! How long a waiting event takes to a handler and back, from the facts to the verdict, beside a bare socketpair with the
//! same handler and the same bytes. A measurement, and no test: `make bench`.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Line, Script, Task};
use crate::bridge::ffi::Step;
use crate::config::{self, Config, Kea};
use crate::facts::Facts;
use crate::hook_points::{self, find};
use crate::variables::Server;
use crate::variables::tests::Shim;

const EVENTS: usize = 100_000;
const POINT: &str = "pkt6_receive";

#[test]
#[ignore = "a measurement: make bench"]
fn of_a_waiting_event() {
    let directory = std::env::temp_dir().join(format!("roundtrip-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    let echo = compiled(&directory);
    let script = script(&directory, &echo);
    let mut bare = Bare::new(&echo);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    // In turn, so that the machine's mood is the same for both.
    for _ in 0..EVENTS {
        theirs.push(bare.exchange());
        let facts = facts();
        let (task, start) = (task(script.config(), facts), Instant::now());
        assert_eq!(script.ask(task).step, Step::Continue);
        ours.push(start.elapsed());
    }
    let (ours, theirs) = (middle(&mut ours), middle(&mut theirs));
    println!("a line of {} bytes and its answer, median of {EVENTS}:", bare.line.len());
    println!(
        "  waiting event {ours:?}, bare socketpair {theirs:?}: {:.2} times",
        ours.as_secs_f64() / theirs.as_secs_f64()
    );
    script.stop();
    std::fs::remove_dir_all(directory).unwrap();
}

/// The same handler on a socketpair, with nothing of ours in between.
struct Bare {
    stream: UnixStream,
    line: Vec<u8>,
    child: Child,
}

impl Bare {
    fn new(echo: &Path) -> Bare {
        let (stream, theirs) = UnixStream::pair().unwrap();
        let mut bare = Bare { stream, line: line(), child: on(theirs, echo) };
        bare.exchange();
        bare
    }

    fn exchange(&mut self) -> Duration {
        let (start, mut answer) = (Instant::now(), [0; 64]);
        self.stream.write_all(&self.line).unwrap();
        assert!(self.stream.read(&mut answer).unwrap() > 0);
        start.elapsed()
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// The line of the event that is measured.
fn line() -> Vec<u8> {
    let (facts, server) = (facts(), server());
    let config = config(Path::new("/dev/null"));
    let mut task = task(&config, facts);
    task.seq = 10_000;
    let how = Line { config: &config, server: &server, deadline: Instant::now() + task.timeout, is_for_runner: false };
    let mut line = String::new();
    task.line(how, &mut line, |_, _| Ok(())).unwrap();
    line.into_bytes()
}

fn facts() -> Facts {
    let mut shim = Shim::default();
    let query = [shim.solicit()];
    Facts::from(&crate::bridge::ffi::Facts { query6: &query, ..shim.facts() })
}

fn task(config: &Config, facts: Facts) -> Task {
    let point = find(POINT).unwrap();
    Task::new(point, config.points[point].unwrap(), Arc::new(facts))
}

fn server() -> Server {
    Server { name: "kea-dhcp6".into(), version: "2.2.0".into(), ..Server::default() }
}

/// A script of ours that is connected to the echo.
fn script(directory: &Path, echo: &Path) -> Script {
    let socket = directory.join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    let echo = echo.to_owned();
    std::thread::spawn(move || on(listener.accept().unwrap().0, &echo));
    Script::start(config(&socket), &server(), &mut None).unwrap()
}

fn config(socket: &Path) -> Config {
    let kea = Kea {
        server: hook_points::Server::Dhcp6,
        version: "2.2.0",
        hook_points: &[POINT.to_string()],
        scripts_directory: Path::new(""),
        scripts_only_there: false,
        data_directory: "".as_ref(),
    };
    let parameters = serde_json::json!({"socket": socket, "concurrency": 1, "hook-points": [POINT]});
    config::parse(&parameters.to_string(), kea).unwrap().remove(0)
}

/// The echo on this connection.
fn on(connection: UnixStream, echo: &Path) -> Child {
    let standard = OwnedFd::from(connection);
    Command::new(echo).stdin(standard.try_clone().unwrap()).stdout(standard).spawn().unwrap()
}

fn compiled(directory: &Path) -> PathBuf {
    let (program, source) =
        (directory.join("echo"), Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/echo.c"));
    let status = Command::new("cc").args(["-O2", "-o"]).arg(&program).arg(source).status().unwrap();
    assert!(status.success());
    program
}

fn middle(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
