//! Bytes as text. What a client chose is hostile: no control character and no broken UTF-8 gets through.

use std::fmt::Write;
use std::net::Ipv6Addr;

/// Appends `bytes` as they are if they are printable UTF-8; else with every other byte as `\xHH` and `\` as `\\`.
pub fn printable(bytes: &[u8], out: &mut String) {
    escape(bytes, out, |c| c.is_control());
}

/// The same for text of several lines: line feeds stay.
pub fn printable_lines(bytes: &[u8], out: &mut String) {
    escape(bytes, out, |c| c.is_control() && c != '\n');
}

fn escape(bytes: &[u8], out: &mut String, unprintable: fn(char) -> bool) {
    if let Some(text) = std::str::from_utf8(bytes).ok().filter(|text| !text.contains(unprintable)) {
        return out.push_str(text);
    }
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                c if unprintable(c) => escape_bytes(c.encode_utf8(&mut [0; 4]).as_bytes(), out),
                c => out.push(c),
            }
        }
        escape_bytes(chunk.invalid(), out);
    }
}

fn escape_bytes(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        let _ = write!(out, "\\x{byte:02x}");
    }
}

/// The beginning of a line that somebody has written, for the log.
pub fn excerpt(line: &[u8]) -> String {
    const BYTES: usize = 80;
    let mut text = String::new();
    printable(&line[..line.len().min(BYTES)], &mut text);
    if line.len() > BYTES {
        text.push_str("...");
    }
    text
}

/// `02:00:5e:10:00:01`, as Kea writes hardware addresses, client identifiers and DUIDs.
pub fn colons(bytes: &[u8], out: &mut String) {
    out.reserve(3 * bytes.len());
    for (i, &byte) in bytes.iter().enumerate() {
        if i > 0 {
            out.push(':');
        }
        digits(byte, LOWER, out);
    }
}

/// `0x0102ff`; nothing but `0x` for no bytes.
pub fn hex(bytes: &[u8], out: &mut String) {
    out.reserve(2 + 2 * bytes.len());
    out.push_str("0x");
    hex_digits(bytes, out);
}

/// The same without `0x`.
pub fn hex_digits(bytes: &[u8], out: &mut String) {
    bytes.iter().for_each(|&byte| digits(byte, LOWER, out));
}

/// `0x0102FF`, and nothing at all for no bytes: what Kea's `Option::toHexString` gives.
pub fn kea_hex(bytes: &[u8], out: &mut String) {
    if !bytes.is_empty() {
        out.push_str("0x");
    }
    bytes.iter().for_each(|&byte| digits(byte, UPPER, out));
}

pub fn number(value: impl itoa::Integer, out: &mut String) {
    out.push_str(itoa::Buffer::new().format(value));
}

pub fn ipv4(address: [u8; 4], out: &mut String) {
    for (i, byte) in address.into_iter().enumerate() {
        if i > 0 {
            out.push('.');
        }
        number(byte, out);
    }
}

pub fn ipv6(address: [u8; 16], out: &mut String) {
    let _ = write!(out, "{}", Ipv6Addr::from(address));
}

/// Makes what `out` holds from `start` on the inside of a JSON string.
pub fn escape_json(out: &mut String, start: usize) {
    // The loop has no branch for each byte, so the compiler can make vector instructions of it (on x86-64 it does).
    let is_suspect = |byte: u8| (byte < 0x20) | (byte == b'"') | (byte == b'\\');
    let has_suspects = out.as_bytes()[start..].iter().fold(false, |found, &byte| found | is_suspect(byte));
    if has_suspects {
        let plain = out.split_off(start);
        // A string always has a JSON text.
        let quoted = serde_json::to_string(&plain).unwrap_or_default();
        let inside = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        out.push_str(inside.unwrap_or_default());
    }
}

/// All bytes in hex, one after the other: many times as fast as `write!`.
const LOWER: &str = text_of(&all_bytes(b"0123456789abcdef"));
const UPPER: &str = text_of(&all_bytes(b"0123456789ABCDEF"));

const fn all_bytes(digits: &[u8; 16]) -> [u8; 512] {
    let mut all = [0; 512];
    let mut at = 0;
    while at < all.len() {
        all[at] = digits[(at / 2) >> 4];
        all[at + 1] = digits[(at / 2) & 15];
        at += 2;
    }
    all
}

const fn text_of(digits: &'static [u8; 512]) -> &'static str {
    match std::str::from_utf8(digits) {
        Ok(text) => text,
        Err(_) => panic!(),
    }
}

fn digits(byte: u8, all: &'static str, out: &mut String) {
    let at = 2 * usize::from(byte);
    out.push_str(&all[at..at + 2]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(write: fn(&[u8], &mut String), bytes: &[u8]) -> String {
        let mut out = String::new();
        write(bytes, &mut out);
        out
    }

    #[test]
    fn printable_text_is_left_alone() {
        for text in ["", "MSFT 5.0", r#""a' $(touch /tmp/x) `id` ; | & \ %s"#, "größe 日本"] {
            assert_eq!(with(printable, text.as_bytes()), text);
        }
    }

    #[test]
    fn what_is_not_printable_is_escaped_and_stays_unambiguous() {
        assert_eq!(with(printable, b"a\0b\\x00"), r"a\x00b\\x00");
        assert_eq!(with(printable, b"line\r\n\x1b[31m"), r"line\x0d\x0a\x1b[31m");
        assert_eq!(with(printable, b"\xff\xc3\xa9\xc3"), "\\xff\u{e9}\\xc3");
        assert_eq!(with(printable, "\u{85}".as_bytes()), r"\xc2\x85");
        assert_eq!(with(printable_lines, b"a\nb\0"), "a\nb\\x00");
    }

    #[test]
    fn bytes_in_hex() {
        assert_eq!(with(colons, &[2, 0xab, 0]), "02:ab:00");
        assert_eq!(with(hex, &[1, 0xff]), "0x01ff");
        assert_eq!(with(hex, &[]), "0x");
        assert_eq!(with(kea_hex, &[1, 0xff]), "0x01FF");
        assert_eq!(with(kea_hex, &[]), "");
    }
}
