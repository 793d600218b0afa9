//! Bytes as text. What a client or a handler chose is hostile: nothing gets through that ends a line, that a terminal
//! obeys or that a reader does not see, and no broken UTF-8.

use std::fmt::Write;
use std::net::Ipv6Addr;
use std::time::Duration;

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// A text in a log has no more bytes than this.
pub const LOG_TEXT_BYTES: usize = 1000;

/// Bytes of a handler's line, or of a value in it, that a message shows, and of an error that quotes one.
pub const GLIMPSE: usize = 80;
const ERROR_GLIMPSE: usize = 300;

/// Appends `bytes` as a variable has them: of what is not printable UTF-8 each byte as `\xHH`, and `\` as `\\`.
pub fn printable(bytes: &[u8], out: &mut String) {
    // Nearly always. The loop has no branch for each byte, so the compiler can make vector instructions of it.
    let is_plain = |byte: u8| (b' '..=b'~').contains(&byte) & (byte != b'\\');
    let all_plain = bytes.iter().fold(true, |all, &byte| all & is_plain(byte));
    match std::str::from_utf8(bytes) {
        Ok(text) if all_plain => out.push_str(text),
        _ => escape(bytes, out, is_printable),
    }
}

/// The same for text of several lines: line feeds stay.
pub fn printable_lines(bytes: &[u8], out: &mut String) {
    escape(bytes, out, |c| is_printable(c) || c == '\n');
}

/// The same for JSON: its `\` stay, and what is not printable has JSON's own escapes; a byte that is no UTF-8 has the one
/// that Kea gives it.
pub fn printable_json(bytes: &[u8], out: &mut String) {
    for piece in pieces(bytes) {
        let mut units = [0; 2];
        let units = match piece {
            Ok(c) if is_printable(c) => {
                out.push(c);
                continue;
            }
            Ok(c) => c.encode_utf16(&mut units),
            Err(byte) => {
                units[0] = byte.into();
                &mut units[..1]
            }
        };
        for unit in units {
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
}

/// The beginning of a text for a log or a terminal, of `most` bytes at most; `...` says that there is more. Of what is not
/// printable each byte is `\xHH`. `\` stays, so that what comes here a second time is not escaped a second time.
pub fn excerpt(text: impl AsRef<[u8]>, most: usize) -> String {
    const MARK: &str = "...";
    let bytes = text.as_ref();
    let (mut shown, mut end) = (String::new(), 0);
    // No byte becomes less than one.
    for piece in pieces(&bytes[..bytes.len().min(most.saturating_add(1))]) {
        push(piece, &mut shown, is_printable);
        if shown.len() + MARK.len() <= most {
            end = shown.len();
        }
    }
    if shown.len() > most {
        shown.truncate(end);
        shown.push_str(MARK);
    }
    shown
}

/// Why what a handler has written is no answer; `remedy` is for one that has not meant it for an answer. The error may quote
/// what stands there, however long.
pub fn unreadable(error: &serde_json::Error, written: &[u8], remedy: &str) -> String {
    let glimpse = excerpt(written, GLIMPSE);
    match written.trim_ascii_start().first() {
        Some(b'{') => format!("{}: \"{glimpse}\"", excerpt(in_plain_words(error), ERROR_GLIMPSE)),
        _ => format!("\"{glimpse}\": {remedy}"),
    }
}

/// serde speaks of Rust.
fn in_plain_words(error: &serde_json::Error) -> String {
    const NUMBER: &str = "expected a whole number that is not negative";
    let words = [
        ("expected u64", NUMBER),
        ("expected u32", NUMBER),
        ("expected usize", NUMBER),
        ("unknown variant", "unknown word"),
        ("variant identifier", "a word"),
    ];
    words.iter().fold(error.to_string(), |text, (rusts, plain)| text.replace(rusts, plain))
}

/// Whether a character is seen, and does nothing else: none of Unicode's categories Cc, Cf, Cs, Co, Cn, Zl and Zp.
pub fn is_printable(c: char) -> bool {
    match c {
        ' '..='~' => true,
        '\0'..='\x7f' => false,
        _ => {
            c.general_category_group() != GeneralCategoryGroup::Other
                && !matches!(c.general_category(), GeneralCategory::LineSeparator | GeneralCategory::ParagraphSeparator)
        }
    }
}

/// A character, or a byte that is part of none.
type Piece = Result<char, u8>;

fn pieces(bytes: &[u8]) -> impl Iterator<Item = Piece> {
    bytes.utf8_chunks().flat_map(|chunk| chunk.valid().chars().map(Ok).chain(chunk.invalid().iter().copied().map(Err)))
}

fn escape(bytes: &[u8], out: &mut String, stays: fn(char) -> bool) {
    for piece in pieces(bytes) {
        match piece {
            Ok('\\') => out.push_str("\\\\"),
            piece => push(piece, out, stays),
        }
    }
}

fn push(piece: Piece, out: &mut String, stays: fn(char) -> bool) {
    match piece {
        Ok(c) if stays(c) => out.push(c),
        Ok(c) => escape_bytes(c.encode_utf8(&mut [0; 4]).as_bytes(), out),
        Err(byte) => escape_bytes(&[byte], out),
    }
}

fn escape_bytes(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        let _ = write!(out, "\\x{byte:02x}");
    }
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

/// With six digits behind the point.
pub fn seconds(duration: Duration, out: &mut String) {
    number(duration.as_secs(), out);
    out.push('.');
    // The digit in front keeps the zeros behind it.
    out.push_str(&itoa::Buffer::new().format(1_000_000 + duration.subsec_micros())[1..]);
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
    if !is_inside_json(&out[start..]) {
        let plain = out.split_off(start);
        // A string always has a JSON text.
        let quoted = serde_json::to_string(&plain).unwrap_or_default();
        let inside = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        out.push_str(inside.unwrap_or_default());
    }
}

/// Whether it is the inside of a JSON string as it stands.
pub fn is_inside_json(text: &str) -> bool {
    // The loop has no branch for each byte, so the compiler can make vector instructions of it (on x86-64 it does).
    let is_suspect = |byte: u8| (byte < 0x20) | (byte == b'"') | (byte == b'\\');
    !text.bytes().fold(false, |found, byte| found | is_suspect(byte))
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
        for text in ["", "MSFT 5.0", r#""a' $(touch /tmp/x) `id` ; | & %s"#, "größe 日本 \u{a0}👍"] {
            assert_eq!(with(printable, text.as_bytes()), text);
            assert_eq!(excerpt(text, 1000), text);
        }
    }

    #[test]
    fn what_is_not_printable_is_escaped_and_stays_unambiguous() {
        assert_eq!(with(printable, b"a\0b\\x00"), r"a\x00b\\x00");
        assert_eq!(with(printable, b"C:\\x0a"), r"C:\\x0a");
        assert_eq!(with(printable, b"line\r\n\x1b[31m"), r"line\x0d\x0a\x1b[31m");
        assert_eq!(with(printable, b"\xff\xc3\xa9\xc3"), "\\xff\u{e9}\\xc3");
        assert_eq!(with(printable, "\u{85}\u{2028}".as_bytes()), r"\xc2\x85\xe2\x80\xa8");
        assert_eq!(with(printable_lines, b"a\nb\0\\"), "a\nb\\x00\\\\");
    }

    #[test]
    fn of_all_characters_those_are_printable_that_unicode_says_are() {
        use GeneralCategory::*;
        for c in '\0'..=char::MAX {
            let escaped = matches!(
                c.general_category(),
                Control | Format | Surrogate | PrivateUse | Unassigned | LineSeparator | ParagraphSeparator
            );
            let (mut bytes, mut json) = ([0; 4], String::from("\""));
            let bytes = c.encode_utf8(&mut bytes).as_bytes();
            let value = with(printable, bytes);
            assert_eq!(value.chars().eq([c]), !escaped && c != '\\', "U+{:04X}: {value}", u32::from(c));
            assert_eq!(undone(&value), bytes, "U+{:04X}", u32::from(c));
            assert_eq!(excerpt(bytes, 1000).chars().eq([c]), !escaped, "U+{:04X}", u32::from(c));
            if !['"', '\\'].contains(&c) {
                printable_json(bytes, &mut json);
                json.push('"');
                assert!(json.chars().all(|c| c.is_ascii() || value.contains(c)), "{json}");
                assert!(serde_json::from_str::<String>(&json).unwrap().chars().eq([c]), "{json}");
            }
        }
    }

    /// What a reader makes of a variable's value.
    fn undone(value: &str) -> Vec<u8> {
        let mut parts = value.split("\\\\").map(|part| {
            let mut pieces = part.split("\\x");
            let mut bytes = pieces.next().unwrap().as_bytes().to_vec();
            for piece in pieces {
                bytes.push(u8::from_str_radix(&piece[..2], 16).unwrap());
                bytes.extend(&piece.as_bytes()[2..]);
            }
            bytes
        });
        let first = parts.next().unwrap();
        parts.fold(first, |all, part| [all, b"\\".to_vec(), part].concat())
    }

    #[test]
    fn json_stays_json() {
        let context = "{\"a\":\"\\\\x0a\\u00e9 \u{2028}\u{e0001}é\"}";
        let shown = with(printable_json, context.as_bytes());
        assert_eq!(shown, r#"{"a":"\\x0a\u00e9 \u2028\udb40\udc01é"}"#);
        let [before, after] = [context, &*shown].map(|text| serde_json::from_str::<serde_json::Value>(text).unwrap());
        assert_eq!(before, after);
        assert_eq!(with(printable_json, b"\"\xff\""), r#""\u00ff""#);
    }

    #[test]
    fn a_text_for_a_log_is_cut_between_characters_and_never_twice() {
        assert_eq!(excerpt("0123456789", 10), "0123456789");
        assert_eq!(excerpt("0123456789a", 10), "0123456...");
        assert_eq!(excerpt("012345ééé", 10), "012345...");
        assert_eq!(excerpt("\n".repeat(1000), 10), r"\x0a...");
        assert_eq!(excerpt(b"01234567\xc3", 10), "0123456...");
        assert_eq!(excerpt("x", usize::MAX), "x");
        let hostile: String = (0..500).map(|n| char::from(n as u8)).collect();
        for most in 10..1000 {
            let once = excerpt(&hostile, most);
            assert!(once.len() <= most && once.ends_with("..."));
            assert_eq!(excerpt(&once, most), once);
        }
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
