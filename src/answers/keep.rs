//! The key `keep-for`: for how long an answer holds. It changes nothing at Kea, so [`super::ROWS`] has no row for it.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value;

use crate::verdict::Wishes;

pub const NAME: &str = "keep-for";

/// In seconds: up to a day.
const BOUNDS: RangeInclusive<u64> = 1..=86_400;
/// The docs' words for the type, with its bounds.
pub const BOUNDS_TEXT: &str = "whole seconds, 1 to 86400";

/// Takes it out of what a script has said.
pub fn take(wishes: &mut Wishes) -> Option<Value> {
    let at = wishes.0.iter().position(|(name, _)| name == NAME)?;
    Some(wishes.0.remove(at).1)
}

/// The time, or why the value will not do.
pub fn time(value: &Value) -> Result<Duration, String> {
    let seconds = value.as_u64().filter(|seconds| BOUNDS.contains(seconds));
    let remedy = || format!("give a whole number of seconds from {} to {}", BOUNDS.start(), BOUNDS.end());
    seconds.map(Duration::from_secs).ok_or_else(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_whole_seconds_up_to_a_day() {
        for (value, seconds) in [("1", 1), ("60", 60), ("86400", 86_400)] {
            assert_eq!(time(&serde_json::from_str(value).unwrap()), Ok(Duration::from_secs(seconds)));
        }
        for value in ["0", "86401", "-1", "1.5", "60.0", "\"60\"", "null", "true", "[60]", "1e99"] {
            let refusal = time(&serde_json::from_str(value).unwrap()).expect_err(value);
            assert_eq!(refusal, "give a whole number of seconds from 1 to 86400");
        }
    }

    #[test]
    fn the_rest_of_the_answer_stays() {
        let pair = |name: &str| (name.to_string(), Value::from(1));
        let mut wishes = Wishes(vec![pair("subnet-id"), pair(NAME), pair("valid-lft")]);
        assert_eq!(take(&mut wishes), Some(Value::from(1)));
        assert_eq!(wishes, Wishes(vec![pair("subnet-id"), pair("valid-lft")]));
        assert_eq!(take(&mut wishes), None);
    }
}
