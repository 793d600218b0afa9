//! kea-runscript-runner: the runner. The hook library starts one for each script in Kea's configuration.
//!
//! It is a program apart from the tools, so that what stays in memory is small: nothing of theirs is in it.
#![deny(unsafe_code)]

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use caps::Capability;
use kea_hook_runscript::config::service::Service;
use kea_hook_runscript::runner;
use lexopt::{Arg, Parser, ValueExt};

const USAGE: &str = "\
kea-runscript-runner serve NAME
kea-runscript-runner serve --config FILE
Runs the program of /etc/kea-runscript/NAME.json for a Kea that connects to a socket.

kea-runscript-runner run [--daemon --timeout MS] [--keep-capability NAME]... [--strict] -- SCRIPT [ARG...]
Runs SCRIPT for Kea's library kea-hook-runscript, which starts this.

See kea-runscript-runner(8).";
const VERSION: &str = concat!("kea-runscript-runner ", env!("CARGO_PKG_VERSION"));

/// What the command line asks for.
#[derive(Debug, PartialEq)]
enum Command {
    Print(&'static str),
    Serve(PathBuf),
    Run { kept: Vec<Capability>, patience: Option<Duration>, strict: bool, script: PathBuf, args: Vec<OsString> },
}

fn main() -> ExitCode {
    match command(Parser::from_env()) {
        Ok(Command::Run { kept, patience, strict, script, args }) => {
            runner::main(&kept, patience, script, args, strict)
        }
        Ok(Command::Serve(file)) => runner::serve::main(&file),
        Ok(Command::Print(text)) => match writeln!(io::stdout(), "{text}") {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => {
            runner::refuse_to_serve(&format_args!("its command line is wrong: {error}; try --help"));
            ExitCode::from(2)
        }
    }
}

fn command(mut line: Parser) -> Result<Command, lexopt::Error> {
    match line.next()? {
        Some(Arg::Long("help")) => Ok(Command::Print(USAGE)),
        Some(Arg::Long("version")) => Ok(Command::Print(VERSION)),
        Some(Arg::Value(word)) if word == "run" => run(line),
        Some(Arg::Value(word)) if word == "serve" => serve(line),
        Some(other) => Err(other.unexpected()),
        None => Err("the word \"run\" or \"serve\" is missing".into()),
    }
}

fn serve(mut line: Parser) -> Result<Command, lexopt::Error> {
    let file = match line.next()? {
        Some(Arg::Long("config")) => line.value()?.into(),
        Some(Arg::Value(name)) => Service::file(&name.string()?)?,
        Some(other) => return Err(other.unexpected()),
        None => return Err("NAME is missing".into()),
    };
    line.next()?.map_or(Ok(Command::Serve(file)), |more| Err(more.unexpected()))
}

fn run(mut line: Parser) -> Result<Command, lexopt::Error> {
    let (mut kept, mut daemon, mut timeout, mut strict) = (Vec::new(), false, None, false);
    let script = loop {
        match line.next()? {
            Some(Arg::Long("daemon")) => daemon = true,
            Some(Arg::Long("timeout")) => timeout = Some(Duration::from_millis(line.value()?.parse()?)),
            Some(Arg::Long("keep-capability")) => kept.push(line.value()?.parse()?),
            Some(Arg::Long("strict")) => strict = true,
            Some(Arg::Value(script)) => break script.into(),
            Some(other) => return Err(other.unexpected()),
            None => return Err("SCRIPT is missing".into()),
        }
    };
    if daemon != timeout.is_some() {
        return Err("--daemon and --timeout go together".into());
    }
    Ok(Command::Run { kept, patience: timeout, strict, script, args: line.raw_args()?.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Command, String> {
        command(Parser::from_args(line.split_whitespace())).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_of_the_library_is_understood() {
        let words = "run --daemon --timeout 500 --keep-capability CAP_NET_RAW --strict -- /a/script --strict -- -x";
        let expected = Command::Run {
            kept: vec![Capability::CAP_NET_RAW],
            patience: Some(Duration::from_millis(500)),
            strict: true,
            script: "/a/script".into(),
            args: ["--strict", "--", "-x"].map(OsString::from).into(),
        };
        assert_eq!(read(words).unwrap(), expected);
        let expected =
            Command::Run { kept: vec![], patience: None, strict: false, script: "-script".into(), args: vec![] };
        assert_eq!(read("run -- -script").unwrap(), expected);
    }

    #[test]
    fn a_service_has_a_name_or_a_file() {
        assert_eq!(read("serve routes"), Ok(Command::Serve("/etc/kea-runscript/routes.json".into())));
        assert_eq!(read("serve --config /a/b"), Ok(Command::Serve("/a/b".into())));
    }

    #[test]
    fn another_one_is_not() {
        for (words, reason) in [
            ("", "\"run\" or \"serve\" is missing"),
            ("serve", "NAME is missing"),
            ("serve ../a", "letters"),
            ("serve a b", "\"b\""),
            ("serve --config", "--config"),
            ("answer a=b", "\"answer\""),
            ("run --strict --", "SCRIPT is missing"),
            ("run --spool /d -- a", "'--spool'"),
            ("run --strict=1 -- a", "--strict"),
            ("run --keep-capability CAP_FLY -- a", "CAP_FLY"),
            ("run --daemon --timeout soon -- a", "soon"),
            ("run --daemon -- a", "go together"),
            ("run --timeout 5 -- a", "go together"),
        ] {
            let said = read(words).unwrap_err();
            assert!(said.contains(reason), "{words}: {said}");
        }
    }

    #[test]
    fn it_says_what_it_is() {
        assert_eq!(read("--help"), Ok(Command::Print(USAGE)));
        assert_eq!(read("--version"), Ok(Command::Print(VERSION)));
    }

    #[test]
    fn its_manual_page_has_the_same_usage() {
        let page = include_str!("../../docs/man/kea-runscript-runner.8.md");
        let words: Vec<_> = page.split_whitespace().collect();
        assert!(words.join(" ").contains(USAGE.lines().next().unwrap()));
    }
}
