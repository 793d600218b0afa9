//! When a handler wants to have an event once more.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

/// The longest time that an answer may name, in seconds.
const MOST: f64 = 3600.0;

/// In so many seconds, as an answer says it.
pub struct Again(pub f64);

impl<'de> Deserialize<'de> for Again {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seconds;
        impl Visitor<'_> for Seconds {
            type Value = Again;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                write!(f, "a number of seconds from 0 to {MOST}")
            }

            fn visit_f64<E: Error>(self, seconds: f64) -> Result<Again, E> {
                match (0.0..=MOST).contains(&seconds) {
                    true => Ok(Again(seconds)),
                    false => Err(E::invalid_value(Unexpected::Float(seconds), &self)),
                }
            }

            fn visit_u64<E: Error>(self, seconds: u64) -> Result<Again, E> {
                self.visit_f64(seconds as f64)
            }

            fn visit_i64<E: Error>(self, seconds: i64) -> Result<Again, E> {
                self.visit_f64(seconds as f64)
            }
        }
        deserializer.deserialize_f64(Seconds)
    }
}

#[cfg(test)]
mod tests {
    use crate::verdict::Answer;

    fn read(again: &str) -> Result<Answer, serde_json::Error> {
        serde_json::from_str(&format!(r#"{{"seq":17,"again":{again}}}"#))
    }

    #[test]
    fn a_time_is_a_number_of_seconds() {
        for (said, seconds) in [("0", 0.0), ("30", 30.0), ("0.25", 0.25), ("3600", 3600.0), ("-0", 0.0)] {
            assert_eq!(read(said).unwrap(), Answer { seq: 17, again: Some(seconds), ..Answer::default() });
        }
        assert_eq!(read("null").unwrap().again, None);
        assert_eq!(serde_json::to_string(&read("30").unwrap()).unwrap(), r#"{"seq":17,"again":30.0}"#);
    }

    #[test]
    fn another_time_is_no_answer() {
        for said in ["-1", "-0.5", "3600.5", "3601", "1e300", "18446744073709551615", "true", "\"30\"", "[]", "{}"] {
            let error = read(said).unwrap_err().to_string();
            assert!(error.contains("expected a number of seconds from 0 to 3600"), "{error}");
        }
        assert!(read("1e999").is_err() && read("NaN").is_err());
        assert!(read("1,\"again\":2").unwrap_err().to_string().starts_with("duplicate field"));
    }
}
