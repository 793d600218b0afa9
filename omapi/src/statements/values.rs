//! An option's values, as dhcpd writes them, in the bytes of the wire.

use std::net::Ipv4Addr;

use crate::hosts::NAME_BYTES;
use crate::words::{Parts, Word, expected};

pub const LABEL_BYTES: usize = 63;

/// What follows a name, in bytes: after `=` a constant, as dhcpd itself writes all that it keeps; bytes in hexadecimal,
/// whatever the format; or values of the format (see the table of options).
///
/// # Errors
/// The first value that is none.
pub fn assigned(format: &str, parts: &mut Parts) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    if parts.takes('=') {
        constant(parts, &mut out).map(|()| out)
    } else if parts.has_second(':') {
        bytes(parts, &mut out).map(|()| out)
    } else {
        encode(format, parts)
    }
}

/// A string, bytes in hexadecimal, or several of these: `concat(a, concat(b, c))`, as dhcpd writes a list. Without recursion:
/// nobody bounds a client's brackets.
fn constant(parts: &mut Parts, out: &mut Vec<u8>) -> Result<(), String> {
    let mut depth = 0;
    loop {
        while matches!(parts.peek(), Some(Word::Plain(word)) if word.eq_ignore_ascii_case("concat")) {
            parts.part();
            if !parts.takes('(') {
                return Err(expected("concat's '('", parts.part()));
            }
            depth += 1;
        }
        bytes(parts, out)?;
        while depth > 0 && parts.takes(')') {
            depth -= 1;
        }
        if depth == 0 {
            return Ok(());
        }
        if !parts.takes(',') {
            return Err(expected("concat's ',' or ')'", parts.part()));
        }
    }
}

fn encode(format: &str, parts: &mut Parts) -> Result<Vec<u8>, String> {
    let (values, again) = match format.as_bytes() {
        [values @ .., b'A'] => (values, values),
        [values @ .., last, b'a'] => (&[values, &[*last]].concat()[..], std::slice::from_ref(last)),
        values => (values, &[][..]),
    };
    let mut out = Vec::new();
    values.iter().try_for_each(|&kind| value(kind, parts, &mut out))?;
    while !again.is_empty() && parts.takes(',') {
        again.iter().try_for_each(|&kind| value(kind, parts, &mut out))?;
    }
    Ok(out)
}

fn value(kind: u8, parts: &mut Parts, out: &mut Vec<u8>) -> Result<(), String> {
    match kind {
        b'I' => out.extend_from_slice(&address(parts)?.octets()),
        b'L' => out.extend_from_slice(&narrowed::<u32>(parts)?.to_be_bytes()),
        b'l' => out.extend_from_slice(&narrowed::<i32>(parts)?.to_be_bytes()),
        b'S' => out.extend_from_slice(&narrowed::<u16>(parts)?.to_be_bytes()),
        b'B' => out.push(narrowed(parts)?),
        b'f' => out.push(flag(parts)?),
        b't' => out.extend_from_slice(&parts.text("a string")?),
        b'd' => domain(parts, out)?,
        b'D' => domains(parts, out)?,
        b'R' if parts.has_second(',') => numbers(parts, out)?,
        _ => bytes(parts, out)?,
    }
    Ok(())
}

/// An IPv4 address. dhcpd also takes a host's name, and asks DNS for it: that has no counterpart.
fn address(parts: &mut Parts) -> Result<Ipv4Addr, String> {
    let text = parts.plain("an IPv4 address")?;
    text.parse().map_err(|_| format!("{text} is no IPv4 address"))
}

/// Bytes as numbers, with commas between them: dhcpd.conf defines routes as an array of integer 8.
fn numbers(parts: &mut Parts, out: &mut Vec<u8>) -> Result<(), String> {
    out.push(narrowed(parts)?);
    while parts.takes(',') {
        out.push(narrowed(parts)?);
    }
    Ok(())
}

fn narrowed<T: TryFrom<i64>>(parts: &mut Parts) -> Result<T, String> {
    let text = parts.plain("a number")?;
    let number = number(text).ok_or_else(|| format!("{text} is no number"))?;
    T::try_from(number).map_err(|_| format!("{text} is out of range"))
}

/// Decimal, `0x` hexadecimal, `0` octal.
fn number(text: &str) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (digits, radix) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (digits, 8),
        None => (digits, 10),
    };
    let is_number = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_number.then(|| i64::from_str_radix(digits, radix).ok()).flatten().map(|number| sign * number)
}

fn flag(parts: &mut Parts) -> Result<u8, String> {
    let text = parts.plain("on or off")?;
    match &*text.to_ascii_lowercase() {
        "true" | "on" => Ok(1),
        "false" | "off" => Ok(0),
        "ignore" => Ok(2),
        _ => Err(format!("on or off expected instead of {text}")),
    }
}

/// A string, or bytes in hexadecimal with colons between them.
fn bytes(parts: &mut Parts, out: &mut Vec<u8>) -> Result<(), String> {
    if let Some(Word::Text(text)) = parts.peek() {
        out.extend_from_slice(text);
        parts.part();
        return Ok(());
    }
    loop {
        let digits = parts.plain("a string or bytes in hexadecimal")?;
        let is_byte = (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let byte = is_byte.then(|| u8::from_str_radix(digits, 16).ok()).flatten();
        out.push(byte.ok_or_else(|| format!("{digits} is no byte in hexadecimal"))?);
        if !parts.takes(':') {
            return Ok(());
        }
    }
}

/// Names in strings, with commas between them. Without compression, which clients need not understand.
fn domains(parts: &mut Parts, out: &mut Vec<u8>) -> Result<(), String> {
    loop {
        match parts.peek() {
            Some(Word::Text(_)) => domain(parts, out)?,
            other => return Err(expected("a domain name in quotes", other)),
        }
        if !parts.takes(',') {
            return Ok(());
        }
    }
}

/// A domain name, as DNS writes it (RFC 1035, 3.1).
fn domain(parts: &mut Parts, out: &mut Vec<u8>) -> Result<(), String> {
    let name = parts.text("a domain name")?;
    let labels = name.strip_suffix(b".").unwrap_or(&name);
    let start = out.len();
    for label in labels.split(|&byte| byte == b'.') {
        match u8::try_from(label.len()) {
            Ok(length @ 1..) if label.len() <= LABEL_BYTES => out.push(length),
            _ => return Err("a domain name has an empty or a long label".into()),
        }
        out.extend_from_slice(label);
    }
    out.push(0);
    if out.len() - start > NAME_BYTES { Err("a domain name has more than 255 bytes".into()) } else { Ok(()) }
}
