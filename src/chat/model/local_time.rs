//! `YYYY-MM-DD HH:MM:SS`: the server's time for messages that bring none.

use super::ids::Millis;

/// Formats seconds, and remembers the last one.
#[derive(Debug, Default)]
pub(crate) struct LocalTime {
    pub(crate) utc_offset_s: i32,
    second: i64,
    text: String,
}

impl LocalTime {
    pub(crate) fn text(&mut self, now: Millis) -> &str {
        let second = (now.0 / 1_000) as i64 + i64::from(self.utc_offset_s);
        if second != self.second || self.text.is_empty() {
            self.second = second;
            self.text = format(second);
        }
        &self.text
    }
}

/// Civil date from days since 1970-01-01, by Howard Hinnant's algorithm ("chrono-Compatible
/// Low-Level Date Algorithms"), which counts years from March so that leap days come last.
fn format(second: i64) -> String {
    let (days, of_day) = (second.div_euclid(86_400), second.rem_euclid(86_400));
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_instants() {
        let mut time = LocalTime::default();
        assert_eq!(time.text(Millis(0)), "1970-01-01 00:00:00");
        assert_eq!(time.text(Millis(951_782_399_999)), "2000-02-28 23:59:59");
        assert_eq!(time.text(Millis(951_782_400_000)), "2000-02-29 00:00:00");
        assert_eq!(time.text(Millis(4_107_542_400_000)), "2100-03-01 00:00:00");
        time.utc_offset_s = 8 * 3_600;
        assert_eq!(time.text(Millis(1_795_392_254_000)), "2026-11-23 08:04:14");
    }
}
