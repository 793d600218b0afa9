//! What Kea's command `runscript-status` says, for people and for Prometheus.

use std::fmt::{Display, Write as _};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::ValueEnum;
use comfy_table::{CellAlignment, Table, presets};
use prometheus::{CounterVec, Encoder, GaugeVec, Opts, Registry, TextEncoder};
use serde_json::{Value, json};

use super::complain;
use crate::control_socket::exchange;
use crate::status::{Kind, ROWS};
use crate::text::printable;

/// Where Debian's servers listen.
const SOCKETS: [&str; 2] = ["/run/kea/kea4-ctrl-socket", "/run/kea/kea6-ctrl-socket"];
/// How long Kea may take to answer: it may be at work on a packet.
const PATIENCE: Duration = Duration::from_secs(30);
/// More than a thousand scripts' status.
const ANSWER_BYTES: usize = 1 << 20;
/// Kea's commands have a result; 0 is success (Kea's `CONTROL_RESULT_SUCCESS`).
const SUCCESS: u64 = 0;
/// Clears a terminal and begins at its top (ECMA-48: ED, CUP).
const CLEAR: &str = "\x1b[2J\x1b[H";

#[derive(Clone, Copy, Default, ValueEnum)]
pub enum Format {
    /// A line each script
    #[default]
    Table,
    /// What Kea has answered
    Json,
    /// Metrics in Prometheus' text format
    Prometheus,
}

/// Shows the status of the servers behind these sockets, each so often with `watch`. Of those that nobody has named, one
/// that answers is enough.
pub fn show(sockets: Vec<PathBuf>, watch: Option<Duration>, format: Format) -> ExitCode {
    let named = !sockets.is_empty();
    let sockets = if named { sockets } else { usual() };
    loop {
        let answers: Vec<_> = sockets.iter().map(|socket| Server::ask(socket)).collect();
        let count = answers.len();
        let servers: Vec<Server> = answers.into_iter().filter_map(|answer| answer.map_err(complain).ok()).collect();
        if let Err(error) = print(&servers, format, watch.is_some()) {
            complain(error);
            return ExitCode::FAILURE;
        }
        match watch {
            Some(pause) => sleep(pause),
            None if servers.is_empty() || (named && servers.len() < count) => return ExitCode::FAILURE,
            None => return ExitCode::SUCCESS,
        }
    }
}

fn print(servers: &[Server], format: Format, again: bool) -> Result<(), String> {
    let text = match format {
        Format::Table => table(servers),
        Format::Json => json(servers),
        Format::Prometheus => metrics(servers).map_err(|error| error.to_string())?,
    };
    let mut out = io::stdout();
    let clear = if again && out.is_terminal() { CLEAR } else { "" };
    write!(out, "{clear}{text}").and_then(|()| out.flush()).map_err(|error| format!("standard output: {error}"))
}

/// Those that are there; both if none is, for the complaint.
fn usual() -> Vec<PathBuf> {
    let all = SOCKETS.map(PathBuf::from);
    let there: Vec<PathBuf> = all.iter().filter(|socket| socket.exists()).cloned().collect();
    if there.is_empty() { all.into() } else { there }
}

/// What one server has answered.
struct Server {
    socket: String,
    status: Value,
}

impl Server {
    fn ask(socket: &Path) -> io::Result<Server> {
        let failed = |what: &dyn Display| io::Error::other(format!("{}: {what}", socket.display()));
        let command = json!({"command": "runscript-status"}).to_string();
        let answer = exchange(socket, command.as_bytes(), PATIENCE, ANSWER_BYTES).map_err(|error| failed(&error))?;
        let answer: Value =
            serde_json::from_slice(&answer).map_err(|error| failed(&format!("no answer of Kea's: {error}")))?;
        // The control agent has a list.
        let answer = answer.get(0).unwrap_or(&answer);
        if answer["result"].as_u64() != Some(SUCCESS) {
            let text = answer["text"].as_str().unwrap_or("no text");
            return Err(failed(&format!("{}; is the hook library loaded?", text.trim_end_matches('.'))));
        }
        Ok(Server { socket: socket.display().to_string(), status: answer["arguments"].clone() })
    }

    fn scripts(&self) -> impl Iterator<Item = &Value> {
        self.status["scripts"].as_array().into_iter().flatten()
    }
}

/// A value of a script as a text that is safe to show.
fn shown(script: &Value, key: &str) -> String {
    let mut out = String::new();
    match &script[key] {
        Value::Null => out.push('-'),
        Value::String(text) => printable(text.as_bytes(), &mut out),
        other => printable(other.to_string().as_bytes(), &mut out),
    }
    out
}

fn table(servers: &[Server]) -> String {
    let mut table = Table::new();
    let keys: Vec<&str> =
        ["server", "script", "mode", "lanes"].into_iter().chain(ROWS.iter().map(|row| row.key)).collect();
    table.load_preset(presets::NOTHING).set_header(keys.iter().copied().chain(["oldest-ms", "p50-ms", "p99-ms"]));
    let mut complaints = String::new();
    for script in servers.iter().flat_map(Server::scripts) {
        let milliseconds =
            |at: &str| script["latency-us"][at].as_u64().map_or("-".into(), |us| format!("{:.1}", us as f64 / 1e3));
        let cell = |key: &&str| match *key {
            "lanes" => format!("{}/{}", shown(script, key), shown(script, "concurrency")),
            _ => shown(script, key),
        };
        table.add_row(keys.iter().map(cell).chain([
            shown(script, "oldest-ms"),
            milliseconds("p50"),
            milliseconds("p99"),
        ]));
        for (key, text) in [("down", &script["down"]), ("last-error", &script["last-error"]["text"])] {
            if text.is_string() {
                let text = shown(&json!({ key: text }), key);
                let _ = writeln!(complaints, "{}: {key}: {text}", shown(script, "script"));
            }
        }
    }
    for column in table.column_iter_mut().skip(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{}\n{complaints}", table.trim_fmt())
}

fn json(servers: &[Server]) -> String {
    let all: Vec<_> = servers.iter().map(|server| json!({"socket": server.socket, "status": server.status})).collect();
    format!("{}\n", Value::from(all))
}

/// Of each script, beside the rows: the metric, what it says, and its value in the answer.
type Gauge = (&'static str, &'static str, fn(&Value) -> Option<f64>);
const GAUGES: [Gauge; 4] = [
    ("up", "1 while there is a handler, else 0", |script| Some(if script["down"].is_null() { 1.0 } else { 0.0 })),
    ("lanes", "lanes that are there", |script| script["lanes"].as_f64()),
    ("concurrency", "lanes that there shall be", |script| script["concurrency"].as_f64()),
    ("oldest_seconds", "for how long the oldest event has waited for its turn, 0 if none waits", |script| {
        Some(script["oldest-ms"].as_f64().unwrap_or_default() / 1e3)
    }),
];
const LATENCIES: [(&str, &str); 4] = [("0.5", "p50"), ("0.9", "p90"), ("0.99", "p99"), ("1", "max")];

fn metrics(servers: &[Server]) -> Result<String, prometheus::Error> {
    const LABELS: [&str; 3] = ["server", "socket", "script"];
    let registry = Registry::new();
    let labels = |server: &Server, script| [shown(script, "server"), server.socket.clone(), shown(script, "script")];
    let each =
        || servers.iter().flat_map(|server| server.scripts().map(move |script| (labels(server, script), script)));
    let gauge = |name: &str, doc: &str, labels: &[&str]| -> Result<GaugeVec, prometheus::Error> {
        let family = GaugeVec::new(Opts::new(format!("kea_runscript_{name}"), doc), labels)?;
        registry.register(Box::new(family.clone())).map(|()| family)
    };
    for row in ROWS {
        let name = row.key.replace('-', "_");
        let number = |script: &Value| script[row.key].as_f64().unwrap_or_default();
        match row.kind {
            Kind::Counter => {
                let family = CounterVec::new(Opts::new(format!("kea_runscript_{name}_total"), row.doc), &LABELS)?;
                registry.register(Box::new(family.clone()))?;
                each().for_each(|(labels, script)| family.with_label_values(&labels).inc_by(number(script)));
            }
            Kind::Gauge => {
                let family = gauge(&name, row.doc, &LABELS)?;
                each().for_each(|(labels, script)| family.with_label_values(&labels).add(number(script)));
            }
        }
    }
    for (name, doc, value) in GAUGES {
        let family = gauge(name, doc, &LABELS)?;
        for (labels, script) in each() {
            value(script).into_iter().for_each(|value| family.with_label_values(&labels).add(value));
        }
    }
    let latency = gauge("latency_seconds", "how long answered events took", &[&LABELS[..], &["quantile"]].concat())?;
    for (labels, script) in each() {
        for (quantile, key) in LATENCIES {
            let labels: Vec<&str> = labels.iter().map(String::as_str).chain([quantile]).collect();
            let took = script["latency-us"][key].as_f64();
            took.into_iter().for_each(|us| latency.with_label_values(&labels).set(us / 1e6));
        }
    }
    let mut text = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
