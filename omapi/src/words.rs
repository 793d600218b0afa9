//! The words of dhcpd's configuration files, in which keys and statements are written: words, strings, marks, comments.

use std::fmt;

use kea_hook_runscript::text::excerpt;
use winnow::ascii::multispace1;
use winnow::combinator::{alt, delimited, preceded, repeat};
use winnow::prelude::*;
use winnow::token::{any, none_of, one_of, take_till, take_while};

/// A complaint quotes no more of a statement.
const GLIMPSE: usize = 80;

/// The least part that means something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// Letters, digits and `-_.+/`: names, numbers, addresses, base64.
    Plain(String),
    /// A string's bytes, without quotes and escapes.
    Text(Vec<u8>),
    /// Anything else that can be seen: `;`, `,`, `:`, `=`, `{`.
    Mark(char),
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Word::Plain(text) => f.write_str(&excerpt(text, GLIMPSE)),
            Word::Text(bytes) => write!(f, "\"{}\"", excerpt(bytes, GLIMPSE)),
            Word::Mark(mark) => write!(f, "{}", excerpt(mark.to_string(), GLIMPSE)),
        }
    }
}

/// Takes a text apart.
///
/// # Errors
/// Where it is none of dhcpd's, what stands there: a string without an end, a wrong escape. Any control character that is no
/// space.
pub fn words(text: &str) -> Result<Vec<Word>, String> {
    if let Some(at) = text.find(|c: char| c.is_control() && !c.is_ascii_whitespace()) {
        return Err(format!("a control character: {}", excerpt(&text[at..], GLIMPSE)));
    }
    let mut rest = text;
    let words: Vec<Word> = preceded(space, repeat(0.., word_and_space)).parse_next(&mut rest).unwrap_or_default();
    match rest {
        "" => Ok(words),
        rest => Err(format!("not understood: {}", excerpt(rest, GLIMPSE))),
    }
}

fn word_and_space(input: &mut &str) -> ModalResult<Word> {
    let word = alt((string.map(Word::Text), plain.map(Word::Plain), mark.map(Word::Mark))).parse_next(input)?;
    space(input)?;
    Ok(word)
}

/// Spaces, and comments up to the end of their lines.
fn space(input: &mut &str) -> ModalResult<()> {
    repeat(0.., alt((multispace1.void(), ('#', take_till(0.., '\n')).void()))).parse_next(input)
}

fn plain(input: &mut &str) -> ModalResult<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.+/".contains(c);
    take_while(1.., is_plain).map(String::from).parse_next(input)
}

fn mark(input: &mut &str) -> ModalResult<char> {
    one_of(|c: char| c.is_ascii_punctuation() && c != '"').parse_next(input)
}

fn string(input: &mut &str) -> ModalResult<Vec<u8>> {
    let pieces = repeat(0.., alt((escape, none_of(['"', '\\']).map(encoded)))).fold(Vec::new, |mut all, piece| {
        all.extend_from_slice(&piece);
        all
    });
    delimited('"', pieces, '"').parse_next(input)
}

fn encoded(c: char) -> Vec<u8> {
    c.to_string().into_bytes()
}

/// `\n` and its like, `\ooo` in octal from 0 to 3, `\xhh`; any other character stands for itself.
fn escape(input: &mut &str) -> ModalResult<Vec<u8>> {
    let octal = take_while(3..=3, '0'..='7').verify_map(|digits| u8::from_str_radix(digits, 8).ok());
    let hex = preceded('x', take_while(2..=2, |c: char| c.is_ascii_hexdigit()))
        .verify_map(|digits| u8::from_str_radix(digits, 16).ok());
    let named = one_of(['t', 'r', 'n', 'b']).map(|c| match c {
        't' => b'\t',
        'r' => b'\r',
        'n' => b'\n',
        _ => 8,
    });
    let byte = alt((octal, hex, named)).map(|byte| vec![byte]);
    let other = any.verify(|c: &char| !matches!(c, '0'..='3' | 'x')).map(encoded);
    preceded('\\', alt((byte, other))).parse_next(input)
}

/// The parts of a statement, from the first to the last.
pub struct Parts<'a>(std::slice::Iter<'a, Word>);

impl<'a> Parts<'a> {
    pub fn of(words: &'a [Word]) -> Parts<'a> {
        Parts(words.iter())
    }

    /// The next part, if any.
    pub fn part(&mut self) -> Option<&'a Word> {
        self.0.next()
    }

    /// What comes next, without taking it.
    pub fn peek(&self) -> Option<&'a Word> {
        self.0.as_slice().first()
    }

    /// Whether this mark comes after the next part.
    pub fn has_second(&self, mark: char) -> bool {
        self.0.as_slice().get(1) == Some(&Word::Mark(mark))
    }

    /// Takes the next part if it is this mark.
    pub fn takes(&mut self, mark: char) -> bool {
        let is_next = self.peek() == Some(&Word::Mark(mark));
        if is_next {
            self.0.next();
        }
        is_next
    }

    /// A plain word. `what` says which, for the complaint.
    pub fn plain(&mut self, what: &str) -> Result<&'a str, String> {
        match self.part() {
            Some(Word::Plain(text)) => Ok(text),
            other => Err(expected(what, other)),
        }
    }

    /// A string, or a plain word.
    pub fn value(&mut self, what: &str) -> Result<Vec<u8>, String> {
        match self.part() {
            Some(Word::Text(bytes)) => Ok(bytes.clone()),
            Some(Word::Plain(text)) => Ok(text.clone().into_bytes()),
            other => Err(expected(what, other)),
        }
    }

    /// A string, or a name.
    pub fn text(&mut self, what: &str) -> Result<Vec<u8>, String> {
        match self.peek() {
            Some(Word::Plain(text)) if !is_name(text) => Err(expected(what, self.part())),
            _ => self.value(what),
        }
    }

    /// That nothing is left.
    pub fn end(&mut self) -> Result<(), String> {
        match self.part() {
            None => Ok(()),
            other => Err(expected("';'", other)),
        }
    }
}

/// Letters, digits, `-`, `_` and `.`, and not a number or an address.
fn is_name(text: &str) -> bool {
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.bytes().all(is_of_name) && !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// A complaint about what stands where something else is expected.
pub fn expected(what: &str, found: Option<&Word>) -> String {
    match found {
        Some(word) => format!("{what} expected instead of {word}"),
        None => format!("{what} expected before ';'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_strings_marks_and_comments() {
        let plain = |text: &str| Word::Plain(text.into());
        assert_eq!(
            words("# dhcpd's\nsecret +bF==;# end\n option x \"a b\" , 08:0a;").unwrap(),
            [
                plain("secret"),
                plain("+bF"),
                Word::Mark('='),
                Word::Mark('='),
                Word::Mark(';'),
                plain("option"),
                plain("x"),
                Word::Text(b"a b".into()),
                Word::Mark(','),
                plain("08"),
                Word::Mark(':'),
                plain("0a"),
                Word::Mark(';')
            ]
        );
        assert_eq!(words(" # nothing"), Ok(vec![]));
    }

    #[test]
    fn escapes_in_strings() {
        for (written, meant) in [
            (r#""a\"b\\""#, &br#"a"b\"#[..]),
            (r#""\t\r\n\b""#, b"\t\r\n\x08"),
            (r#""\001\377\x41\xfF""#, b"\x01\xff\x41\xff"),
            (r#""\q\9""#, b"q9"),
            ("\"gr\u{f6}\u{df}e\n\"", "gr\u{f6}\u{df}e\n".as_bytes()),
            (r#""""#, b""),
        ] {
            assert_eq!(words(written), Ok(vec![Word::Text(meant.into())]), "{written}");
        }
        for wrong in [r#""no end"#, r#""\x4""#, r#""\01""#, r#""\39""#, "a \0", "a \u{202e}"] {
            assert!(words(wrong).is_err(), "{wrong}");
        }
        assert!(words("good; \"bad").unwrap_err().ends_with(r#": "bad"#));
        assert!(words("# a\x1bb").unwrap_err().ends_with(r"\x1bb"));
    }
}
