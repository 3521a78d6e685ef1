//! Times as people read them.

/// Milliseconds since the Unix epoch as `YYYY-MM-DD HH:MM:SSZ` (RFC 3339 with a space, UTC).
pub(crate) fn moment(millis: u64) -> String {
    let seconds = millis / 1_000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}

/// Year, month and day of the Gregorian calendar, from days since 1970-01-01. Counts in cycles of 400 years that begin
/// on a first of March, so that the leap day ends a year.
const fn civil(days: u64) -> (u64, u64, u64) {
    const CYCLE: u64 = 146_097;
    let since_march = days + 719_468;
    let (cycle, of_cycle) = (since_march / CYCLE, since_march % CYCLE);
    let year = (of_cycle - of_cycle / 1_460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (cycle * 400 + year + if month <= 2 { 1 } else { 0 }, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_what_the_calendar_says() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00Z"),
            (951_782_399, "2000-02-28 23:59:59Z"),
            (951_782_400, "2000-02-29 00:00:00Z"),
            (1_709_251_199, "2024-02-29 23:59:59Z"),
            (1_790_000_000, "2026-09-21 14:13:20Z"),
            (4_107_542_400, "2100-03-01 00:00:00Z"),
        ] {
            assert_eq!(moment(seconds * 1_000 + 999), text);
        }
    }

    #[test]
    fn every_day_of_eight_centuries_follows_the_one_before() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..300_000 {
            assert_eq!(civil(days), (year, month, day));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            let (ends, year_ends) = (day == last[usize::try_from(month - 1).unwrap()], month == 12);
            (year, month, day) = match (ends, year_ends) {
                (true, true) => (year + 1, 1, 1),
                (true, false) => (year, month + 1, 1),
                (false, _) => (year, month, day + 1),
            };
        }
    }
}
