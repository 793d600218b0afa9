//! What holds of whatever bytes a client sends: for the fuzzer, and for tests.

use serde_json::{Map, json};

use crate::frame::{self, MESSAGE_BYTES, VALUE_BYTES};
use crate::{keys, statements};

/// A connection's bytes: startup, or messages. What is read is written back.
pub fn frames(data: &[u8]) {
    let _ = frame::read_startup(&mut &*data);
    let mut left = data;
    loop {
        let before = left;
        let Ok(received) = frame::read(&mut left, MESSAGE_BYTES) else { return };
        let taken = &before[..before.len() - left.len()];
        let lists = [&received.frame.message, &received.frame.object];
        assert!(
            lists.iter().all(|list| list.0.iter().all(|(name, value)| !name.is_empty() && value.len() <= VALUE_BYTES))
        );
        assert!(lists.iter().all(|list| list.distinct().count() <= list.0.len()));
        assert_eq!(taken[4..taken.len() - received.frame.signature.len()], received.signed);
        assert_eq!(received.frame.bytes(), taken);
    }
}

/// Statements, and the text of a key file. What is refused is named in one line; what is taken goes into a reservation, and out
/// of it again.
pub fn text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(complaint) = keys::parse(text) {
        assert!(!complaint.is_empty() && complaint.len() < 2 * text.len() + 200);
    }
    match statements::parse(text) {
        Ok(all) => {
            let mut reservation = Map::new();
            statements::put(&all, &mut reservation);
            statements::take(&all, &mut reservation);
            reservation.retain(|_, value| *value != json!([]));
            assert!(reservation.is_empty(), "{reservation:?} is left of {text}");
        }
        Err(complaint) => {
            assert!(!complaint.is_empty() && complaint.len() < 1000, "{complaint}");
            assert!(!complaint.chars().any(char::is_control), "{complaint}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual() {
        let message = [&[0; 24][..], &[0, 4], b"type", &[0, 0, 0, 4], b"host", &[0; 4]].concat();
        frames(&message);
        frames(&[&message[..], &message].concat());
        frames(&frame::startup());
        for sample in [
            "supersede host-name \"pc6\";\n supersede routers 192.0.2.254, 192.0.2.253;",
            "key k { algorithm hmac-md5; secret c2VjcmV0; };",
            "deny booting; filename \"\\x41\"; next-server 192.0.2.1",
            "option domain-search \"a.example\", \"b.example\"; nonsense",
            "option host-name \"\u{202e}",
        ] {
            text(sample.as_bytes());
        }
    }
}
