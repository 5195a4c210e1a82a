//! Durations as users of schedulers write them.

use std::time::Duration;

/// `90s`, `10m`, `2h`, `MM:SS` is refused as ambiguous, `HH:MM:SS`, `D-HH:MM:SS`.
///
/// # Errors
/// What is allowed, in a sentence.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    seconds(text)
        .filter(|seconds| *seconds > 0)
        .map(Duration::from_secs)
        .ok_or_else(|| "a duration is 90s, 10m, 2h, HH:MM:SS or D-HH:MM:SS, and more than nothing".to_owned())
}

fn seconds(text: &str) -> Option<u64> {
    for (suffix, unit) in [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)] {
        if let Some(number) = text.strip_suffix(suffix) {
            return digits(number)?.checked_mul(unit);
        }
    }
    let (days, clock) = match text.split_once('-') {
        Some((days, clock)) => (digits(days)?, clock),
        None => (0, text),
    };
    let fields: Vec<u64> = clock.split(':').map(digits).collect::<Option<_>>()?;
    let [hours, minutes, seconds] = fields[..] else { return None };
    if minutes > 59 || seconds > 59 {
        return None;
    }
    let hours = days.checked_mul(24)?.checked_add(hours)?;
    hours.checked_mul(3600)?.checked_add(minutes * 60 + seconds)
}

/// Digits only: no sign, no blank.
fn digits(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// A duration for people: `42 s`, `3 min 20 s`, `2 h 05 min`, `3 d 04 h`.
pub fn show_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        for (text, expected) in
            [("90s", 90), ("10m", 600), ("2h", 7200), ("01:30:05", 5405), ("1-02:00:00", 93_600)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(expected)), "{text}");
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for text in
            ["", "10", "-5s", "5:00", "1:60:00", "1:00:60", "s", "1.5h", "0s", "99999999999999999999h", "+5s"]
        {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn people_read_them() {
        for (seconds, expected) in
            [(3, "3.0 s"), (42, "42 s"), (200, "3 min 20 s"), (7500, "2 h 05 min"), (273_600, "3 d 04 h")]
        {
            assert_eq!(show_duration(Duration::from_secs(seconds)), expected);
        }
    }
}
