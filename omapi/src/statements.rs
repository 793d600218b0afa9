//! Statements: what dhcpd's clients say about a host or a group in dhcpd's own language, and what becomes of it in a
//! reservation of Kea's.

mod options;
mod values;

use std::net::Ipv4Addr;

use kea_hook_runscript::text::excerpt;
use serde_json::{Map, Value, json};

use crate::hosts::NAME_BYTES;
use crate::words::{Parts, Word, words};
use values::LABEL_BYTES;

/// No reservation needs more.
const MOST_BYTES: usize = 32 << 10;
const COMPLAINT_BYTES: usize = 300;
/// Kea's space of DHCPv4's own options.
const SPACE: &str = "dhcp4";
const HOST_NAME: u8 = 12;
/// Kea drops all queries of a client in this class.
const DROP: &str = "DROP";

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// An option and its bytes. dhcpd knows no difference between `option` and `supersede` here.
    Option(u8, Vec<u8>),
    Filename(String),
    ServerName(String),
    NextServer(Ipv4Addr),
    DdnsHostname(String),
    DenyBooting,
}

type Parser = fn(&mut Parts) -> Result<Statement, String>;

/// Which statements there are, by their first word, beside the fields.
const STATEMENTS: [(&str, Parser); 5] =
    [("option", option), ("supersede", option), ("send", option), ("deny", deny), ("ignore", deny)];

/// Of a name, its format (see the table of options), and what its bytes make.
type Field = (&'static str, &'static str, fn(Vec<u8>) -> Result<Statement, String>);

/// What is no option. dhcpd itself writes them as those of the option space `server`.
const FIELDS: [Field; 5] = [
    ("filename", "t", |bytes| name(&bytes).map(Statement::Filename)),
    ("server-name", "t", |bytes| name(&bytes).map(Statement::ServerName)),
    ("ddns-hostname", "t", |bytes| dns_name(&bytes).map(Statement::DdnsHostname)),
    // What it makes of "deny booting" and "ignore booting".
    ("allow-booting", "B", |bytes| match *bytes {
        [0 | 2] => Ok(Statement::DenyBooting),
        _ => Err("only 00 has a counterpart in Kea".into()),
    }),
    ("next-server", "I", |bytes| {
        let octets =
            <[u8; 4]>::try_from(bytes).map_err(|bytes| format!("{} bytes are no IPv4 address", bytes.len()))?;
        Ok(Statement::NextServer(octets.into()))
    }),
];
const FIELDS_SPACE: &str = "server.";

/// Reads statements.
///
/// # Errors
/// The first that is none of dhcpd's, or has no counterpart in a reservation, and why, in 300 bytes at most. What a client
/// wrote is escaped.
pub fn parse(text: &str) -> Result<Vec<Statement>, String> {
    if text.len() > MOST_BYTES {
        return Err(format!("more than {MOST_BYTES} bytes"));
    }
    let mut words = words(text)?;
    // dhcpd takes the end of the text for the end of the last statement.
    if words.last().is_some_and(|last| *last != Word::Mark(';')) {
        words.push(Word::Mark(';'));
    }
    let all = words.split(|word| *word == Word::Mark(';'));
    let all = all.filter(|words| !words.is_empty()).map(statement).collect::<Result<_, _>>();
    all.map_err(|complaint| excerpt(complaint, COMPLAINT_BYTES))
}

fn statement(words: &[Word]) -> Result<Statement, String> {
    let mut parts = Parts::of(words);
    let first = parts.plain("a statement")?.to_ascii_lowercase();
    let statement = match (STATEMENTS.iter().find(|(name, _)| *name == first), field(&first)) {
        (Some((_, parser)), _) => parser(&mut parts),
        (None, Some(field)) => of_field(field, &mut parts),
        (None, None) => return Err(format!("{}: no statement that has a counterpart in Kea", words[0])),
    };
    let statement = statement.and_then(|statement| parts.end().map(|()| statement));
    statement.map_err(|what| format!("{}: {what}", words[0]))
}

fn option(parts: &mut Parts) -> Result<Statement, String> {
    let name = parts.plain("an option's name")?;
    let of_name = |what| format!("{name}: {what}");
    if let Some(field) = name.strip_prefix(FIELDS_SPACE).and_then(field) {
        return of_field(field, parts).map_err(of_name);
    }
    let (code, format) = options::named(name).ok_or_else(|| format!("{name}: no option that can be set"))?;
    let data = values::assigned(format, parts).map_err(of_name)?;
    match data.len() {
        0 => Err(format!("{name}: is empty")),
        1..=255 => Ok(Statement::Option(code, data)),
        _ => Err(format!("{name}: more than 255 bytes")),
    }
}

fn field(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|(known, ..)| *known == name)
}

fn of_field((_, format, make): &Field, parts: &mut Parts) -> Result<Statement, String> {
    make(values::assigned(format, parts)?)
}

fn deny(parts: &mut Parts) -> Result<Statement, String> {
    match parts.plain("booting")? {
        "booting" => Ok(Statement::DenyBooting),
        other => Err(format!("{other}: only booting has a counterpart in Kea")),
    }
}

fn name(bytes: &[u8]) -> Result<String, String> {
    printable(bytes).map(String::from).map_err(String::from)
}

/// A name that DNS can have (RFC 1035, 2.3.4): Kea does not answer a client whose name has none.
fn dns_name(bytes: &[u8]) -> Result<String, String> {
    let name = name(bytes)?;
    let labels = name.strip_suffix('.').unwrap_or(&name);
    let is_one = name.len() <= NAME_BYTES && labels.split('.').all(|label| (1..=LABEL_BYTES).contains(&label.len()));
    if is_one { Ok(name) } else { Err("is no name for DNS: an empty or a long label, or more than 255 bytes".into()) }
}

/// A text that Kea can keep.
pub fn printable(bytes: &[u8]) -> Result<&str, &'static str> {
    match std::str::from_utf8(bytes) {
        Ok("") => Err("is empty"),
        Ok(text) if text.chars().any(char::is_control) => Err("has control characters"),
        Ok(text) => Ok(text),
        Err(_) => Err("is no UTF-8"),
    }
}

/// Puts statements into a reservation, the later over the earlier.
pub fn put(statements: &[Statement], reservation: &mut Map<String, Value>) {
    // A name for DNS is the host's name in Kea, and goes before the option.
    let mut named = false;
    for statement in statements {
        match statement {
            Statement::Option(code, data) => {
                put_option(reservation, *code, data);
                if let (HOST_NAME, false, Ok(name)) = (*code, named, dns_name(data)) {
                    reservation.insert("hostname".into(), name.into());
                }
            }
            Statement::Filename(name) => _ = reservation.insert("boot-file-name".into(), name.as_str().into()),
            Statement::ServerName(name) => _ = reservation.insert("server-hostname".into(), name.as_str().into()),
            Statement::NextServer(address) => {
                reservation.insert("next-server".into(), address.to_string().into());
            }
            Statement::DdnsHostname(name) => {
                named = true;
                reservation.insert("hostname".into(), name.as_str().into());
            }
            Statement::DenyBooting => list(reservation, "client-classes").push(DROP.into()),
        }
    }
}

/// Takes out what `put` has put in.
pub fn take(statements: &[Statement], reservation: &mut Map<String, Value>) {
    for statement in statements {
        let field = match statement {
            Statement::Option(code, _) => {
                drop_option(reservation, *code);
                if *code != HOST_NAME {
                    continue;
                }
                "hostname"
            }
            Statement::Filename(_) => "boot-file-name",
            Statement::ServerName(_) => "server-hostname",
            Statement::NextServer(_) => "next-server",
            Statement::DdnsHostname(_) => "hostname",
            Statement::DenyBooting => {
                list(reservation, "client-classes").retain(|class| class != DROP);
                continue;
            }
        };
        reservation.remove(field);
    }
}

fn put_option(reservation: &mut Map<String, Value>, code: u8, data: &[u8]) {
    drop_option(reservation, code);
    let hex: String = data.iter().map(|byte| format!("{byte:02X}")).collect();
    let option = json!({"space": SPACE, "code": code, "csv-format": false, "data": hex});
    list(reservation, "option-data").push(option);
}

fn drop_option(reservation: &mut Map<String, Value>, code: u8) {
    let is_it = |option: &Value| option["code"] == code && option["space"].as_str().is_none_or(|space| space == SPACE);
    list(reservation, "option-data").retain(|option| !is_it(option));
}

/// A list of a reservation's, made if it is missing.
fn list<'a>(reservation: &'a mut Map<String, Value>, name: &str) -> &'a mut Vec<Value> {
    let value = reservation.entry(name).or_insert_with(|| json!([]));
    if !value.is_array() {
        *value = json!([]);
    }
    match value {
        Value::Array(list) => list,
        _ => unreachable!("it was made one"),
    }
}

#[cfg(test)]
mod tests;
