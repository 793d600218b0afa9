//! The program: its command line, and its start.

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{ArgGroup, Parser};

use crate::bridge::Bridge;
use crate::kea::Kea;
use crate::served::Served;
use crate::state::State;
use crate::{keys, log, server};

/// Speaks OMAPI, the control protocol of ISC dhcpd, for a Kea.
///
/// The protocol encrypts nothing: listen on loopback, and let others come through a tunnel.
#[derive(Parser)]
#[command(name = "kea-omapi", version, group = ArgGroup::new("who").required(true))]
struct Options {
    /// Where clients come; may be given several times
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7911", value_parser = place)]
    listen: Vec<SocketAddr>,
    /// The control socket of Kea's DHCPv4 server
    #[arg(long, value_name = "SOCKET")]
    control: PathBuf,
    /// Who may come, in dhcpd's syntax: key NAME { algorithm hmac-sha256; secret BASE64; };
    #[arg(long, value_name = "FILE", group = "who")]
    keys: Option<PathBuf>,
    /// Serve everybody who can connect, on loopback alone
    #[arg(long, group = "who")]
    no_key: bool,
    /// Where groups and served signatures are kept; without it there are no groups
    #[arg(long, value_name = "DIRECTORY")]
    state: Option<PathBuf>,
    /// Serve a signed change again that was served before, as somebody may send it who has recorded it; omshell does, too
    #[arg(long)]
    allow_repeats: bool,
    /// Let clients shut Kea down
    #[arg(long)]
    allow_shutdown: bool,
}

/// The program `kea-omapi`.
pub fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::warn(error);
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<(), String> {
    if options.no_key {
        refuse_strangers(&options.listen)?;
    }
    let bridge = Arc::new(bridge(&options)?);
    let bind = |address: &SocketAddr| TcpListener::bind(address).map_err(|error| unbound(address, &error));
    let listeners = options.listen.iter().map(bind).collect::<Result<Vec<_>, _>>()?;
    for listener in &listeners {
        if let Ok(address) = listener.local_addr() {
            log::info(format_args!("listening on {address}"));
        }
    }
    let recovering = bridge.clone();
    server::start("recovery", move || -> () { recovering.look_after() })?;
    server::serve(listeners, &bridge)
}

fn bridge(options: &Options) -> Result<Bridge, String> {
    let keys = options.keys.as_deref().map(keys::read).transpose()?.unwrap_or_default();
    let directory = options.state.as_deref();
    let failed = |error| named("state", directory.unwrap_or(Path::new("")).display(), error);
    let state = directory.map(State::open).transpose().map_err(failed)?;
    let served = directory.map(Served::open).transpose().map_err(failed)?.unwrap_or_default();
    let served = (!options.allow_repeats).then_some(served);
    Ok(Bridge::new(Kea::new(options.control.clone()), keys, state, served, options.allow_shutdown))
}

fn refuse_strangers(listen: &[SocketAddr]) -> Result<(), String> {
    match listen.iter().find(|address| !address.ip().is_loopback()) {
        Some(address) => {
            Err(named("no-key", address, "is not loopback: name keys with --keys, or listen on 127.0.0.1 or ::1"))
        }
        None => Ok(()),
    }
}

fn place(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "an address and a port, such as 127.0.0.1:7911 or [::1]:7911; names are not looked up")
}

fn unbound(address: &SocketAddr, error: &io::Error) -> String {
    let remedy = match error.kind() {
        ErrorKind::AddrInUse => ": another program listens there, such as dhcpd: stop it, or name another port",
        ErrorKind::PermissionDenied => ": a port below 1024 needs CAP_NET_BIND_SERVICE: name another",
        ErrorKind::AddrNotAvailable => ": no interface has this address",
        _ => "",
    };
    named("listen", address, format_args!("{error}{remedy}"))
}

fn named(option: &str, value: impl Display, what: impl Display) -> String {
    format!("--{option} {value}: {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_or_no_key_and_then_loopback() {
        let parse = |words: &str| Options::try_parse_from(format!("kea-omapi --control /c {words}").split_whitespace());
        assert!(parse("").is_err() && parse("--no-key --keys /k").is_err());
        let options = parse("--keys /k --listen 127.0.0.1:1 --listen [::1]:2").ok().unwrap();
        assert_eq!(options.listen.len(), 2);
        assert!(!options.allow_shutdown);
        assert!(parse("--no-key --listen localhost:7911").err().unwrap().to_string().contains("names are not"));
        let error = |listen: &str| refuse_strangers(&parse(&format!("--no-key {listen}")).ok().unwrap().listen).err();
        assert_eq!(error(""), None);
        assert_eq!(error("--listen [::1]:7911"), None);
        assert!(error("--listen 127.0.0.1:1 --listen 192.0.2.1:7911").unwrap().contains("--no-key 192.0.2.1:7911"));
    }
}
