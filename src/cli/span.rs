//! Lengths of time as people type them.

use std::time::Duration;

/// Reads a whole number with its unit: `ms`, `s`, `m`, `h`, `d` or `w`.
pub(crate) fn parse_span(text: &str) -> Result<Duration, String> {
    let form = || "expected a number and a unit (ms, s, m, h, d, w), as in 500ms, 10s or 7d".to_owned();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or_else(form)?;
    let number: u64 = number.parse().map_err(|_| form())?;
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 604_800_000,
        _ => return Err(form()),
    };
    let span = number.checked_mul(millis).ok_or_else(|| "that is longer than time itself".to_owned())?;
    if span == 0 { Err("it must be longer than nothing".to_owned()) } else { Ok(Duration::from_millis(span)) }
}

/// The longest a node honours a link or an invoice, in days.
const LONGEST: u64 = 366;

/// Reads for how long a link or an invoice is honoured.
pub(crate) fn parse_lifetime(text: &str) -> Result<Duration, String> {
    let span = parse_span(text)?;
    if span > Duration::from_secs(LONGEST * 86_400) {
        return Err(format!("it works for {LONGEST} days at most, as in {LONGEST}d"));
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        for (text, millis) in
            [("1ms", 1), ("10s", 10_000), ("2m", 120_000), ("3h", 10_800_000), ("7d", 604_800_000), ("1w", 604_800_000)]
        {
            assert_eq!(parse_span(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in
            ["", "10", "s", "-1s", "1.5h", "1 s", "0s", "1y", "1é", "99999999999999999999s", "18446744073709551615w"]
        {
            assert!(parse_span(text).is_err(), "{text}");
        }
    }
}
