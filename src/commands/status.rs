//! What Kea's command `runscript-status` says, for people and for Prometheus.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use clap::ValueEnum;
use comfy_table::{CellAlignment, Table, presets};
use prometheus::{CounterVec, Encoder, GaugeVec, Opts, Registry, TextEncoder};
use serde_json::{Value, json};

use crate::status::{Kind, ROWS};
use crate::text::printable;

/// Where Debian's servers listen.
const SOCKETS: [&str; 2] = ["/run/kea/kea4-ctrl-socket", "/run/kea/kea6-ctrl-socket"];
/// How long Kea may take to answer: it may be at work on a packet.
const PATIENCE: Duration = Duration::from_secs(30);
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

/// Shows the status of the servers behind these sockets, each so often with `watch`.
pub fn show(sockets: Vec<PathBuf>, watch: Option<Duration>, format: Format) -> io::Result<()> {
    let sockets = if sockets.is_empty() { usual()? } else { sockets };
    loop {
        let servers = sockets.iter().map(|socket| Server::ask(socket)).collect::<io::Result<Vec<_>>>()?;
        let mut text = match format {
            Format::Table => table(&servers),
            Format::Json => json(&servers),
            Format::Prometheus => metrics(&servers).map_err(io::Error::other)?,
        };
        if watch.is_some() && io::stdout().is_terminal() {
            text.insert_str(0, CLEAR);
        }
        io::stdout().write_all(text.as_bytes())?;
        match watch {
            Some(pause) => sleep(pause),
            None => return Ok(()),
        }
    }
}

fn usual() -> io::Result<Vec<PathBuf>> {
    let there: Vec<PathBuf> = SOCKETS.map(PathBuf::from).into_iter().filter(|socket| socket.exists()).collect();
    match there.is_empty() {
        true => Err(io::Error::other(format!(
            "status: neither {} is there: name Kea's control socket",
            SOCKETS.join(" nor ")
        ))),
        false => Ok(there),
    }
}

/// What one server has answered.
struct Server {
    socket: String,
    status: Value,
}

impl Server {
    fn ask(socket: &Path) -> io::Result<Server> {
        let failed = |what: &dyn std::fmt::Display| io::Error::other(format!("{}: {what}", socket.display()));
        let answer = exchange(socket).map_err(|error| failed(&error))?;
        let answer: Value =
            serde_json::from_slice(&answer).map_err(|error| failed(&format!("no answer of Kea's: {error}")))?;
        // The control agent has a list.
        let answer = answer.get(0).unwrap_or(&answer);
        if answer["result"].as_u64() != Some(SUCCESS) {
            let text = answer["text"].as_str().unwrap_or("no text");
            return Err(failed(&format!("runscript-status: {text}; is the hook library loaded?")));
        }
        Ok(Server { socket: socket.display().to_string(), status: answer["arguments"].clone() })
    }

    fn scripts(&self) -> impl Iterator<Item = &Value> {
        self.status["scripts"].as_array().into_iter().flatten()
    }
}

fn exchange(socket: &Path) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(json!({"command": "runscript-status"}).to_string().as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

/// A value of a script as a text that is safe to show.
fn shown(script: &Value, key: &str) -> String {
    let mut out = String::new();
    match &script[key] {
        Value::Null => out.push('-'),
        Value::String(text) => printable(text.as_bytes(), &mut out),
        other => out = other.to_string(),
    }
    out
}

fn table(servers: &[Server]) -> String {
    let mut table = Table::new();
    let keys: Vec<&str> = ["script", "mode", "lanes"].into_iter().chain(ROWS.iter().map(|row| row.key)).collect();
    table.load_preset(presets::NOTHING).set_header(keys.iter().copied().chain(["oldest-ms", "p50-ms", "p99-ms"]));
    let mut complaints = String::new();
    for script in servers.iter().flat_map(Server::scripts) {
        let milliseconds =
            |at: &str| script["latency-us"][at].as_u64().map_or("-".into(), |us| format!("{:.1}", us as f64 / 1e3));
        let lanes = |key: &&str| {
            if *key == "lanes" {
                format!("{}/{}", shown(script, key), shown(script, "concurrency"))
            } else {
                shown(script, key)
            }
        };
        table.add_row(keys.iter().map(lanes).chain([
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
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{}\n{complaints}", table.trim_fmt())
}

fn json(servers: &[Server]) -> String {
    let all: Vec<_> = servers.iter().map(|server| json!({"socket": server.socket, "status": server.status})).collect();
    format!("{}\n", Value::from(all))
}

/// A metric each row, and the latencies.
fn metrics(servers: &[Server]) -> Result<String, prometheus::Error> {
    const LABELS: [&str; 2] = ["socket", "script"];
    let registry = Registry::new();
    let each = || {
        servers
            .iter()
            .flat_map(|server| server.scripts().map(|script| (server.socket.clone(), shown(script, "script"), script)))
    };
    for row in ROWS {
        let name = format!("kea_runscript_{}", row.key.replace('-', "_"));
        let number = |script: &Value| script[row.key].as_f64().unwrap_or_default();
        match row.kind {
            Kind::Counter => {
                let family = CounterVec::new(Opts::new(format!("{name}_total"), row.doc), &LABELS)?;
                registry.register(Box::new(family.clone()))?;
                each().for_each(|(socket, path, script)| {
                    family.with_label_values(&[&socket, &path]).inc_by(number(script))
                });
            }
            Kind::Gauge => {
                let family = GaugeVec::new(Opts::new(name, row.doc), &LABELS)?;
                registry.register(Box::new(family.clone()))?;
                each()
                    .for_each(|(socket, path, script)| family.with_label_values(&[&socket, &path]).set(number(script)));
            }
        }
    }
    let latency = GaugeVec::new(
        Opts::new("kea_runscript_latency_seconds", "how long answered events took"),
        &["socket", "script", "quantile"],
    )?;
    registry.register(Box::new(latency.clone()))?;
    for (socket, path, script) in each() {
        for (quantile, key) in [("0.5", "p50"), ("0.9", "p90"), ("0.99", "p99"), ("1", "max")] {
            if let Some(us) = script["latency-us"][key].as_f64() {
                latency.with_label_values(&[&socket, &path, &quantile.to_string()]).set(us / 1e6);
            }
        }
    }
    let mut text = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
