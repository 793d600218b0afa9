//! The time of this machine's time zone.

use std::mem::MaybeUninit;

/// Seconds since the epoch as ISO 8601 has them, with the offset from UTC; as they are if no calendar has them.
#[allow(unsafe_code)]
pub fn local_time(seconds: i64) -> String {
    let mut parts = MaybeUninit::<libc::tm>::uninit();
    // SAFETY: localtime_r(3) reads the one and writes the other, which are both ours. It reads the environment, which this
    // program, of one thread, does not change.
    let is_there = !unsafe { libc::localtime_r(&seconds, parts.as_mut_ptr()) }.is_null();
    if !is_there {
        return seconds.to_string();
    }
    // SAFETY: it has returned its second argument, so it has filled that in.
    let at = unsafe { parts.assume_init() };
    let minutes = at.tm_gmtoff / 60;
    let (sign, minutes) = (if minutes < 0 { '-' } else { '+' }, minutes.abs());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{sign}{:02}:{:02}",
        i64::from(at.tm_year) + 1900,
        at.tm_mon + 1,
        at.tm_mday,
        at.tm_hour,
        at.tm_min,
        at.tm_sec,
        minutes / 60,
        minutes % 60,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_time_of_the_zone() {
        let text = local_time(1_795_884_525);
        let zone = &text[19..];
        let minutes = |text: &str| text[..2].parse::<i64>().unwrap() * 60 + text[3..].parse::<i64>().unwrap();
        let offset = if zone.starts_with('-') { -1 } else { 1 } * minutes(&zone[1..]);
        // 2026-11-28T16:48:45 in UTC.
        let of_day = (16 * 60 + 48 + offset).rem_euclid(24 * 60);
        assert_eq!(minutes(&text[11..16]), of_day, "{text}");
        assert!(text.starts_with("2026-11-2") && text.len() == 25, "{text}");
        assert_eq!(local_time(i64::MAX), i64::MAX.to_string());
    }
}
