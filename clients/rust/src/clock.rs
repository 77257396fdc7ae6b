//! The clock on the wall, as people read it in this system.

use chatd_chat::model::ids::Millis;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};

const SHOWN: &str = "%Y-%m-%d %H:%M:%S";

/// The local time: `YYYY-MM-DD HH:MM:SS`.
pub fn local_time() -> String {
    Zoned::now().strftime(SHOWN).to_string()
}

/// The local time at a moment, if there is one so far away.
pub fn local_time_at(moment: Millis) -> Option<String> {
    let moment = Timestamp::from_millisecond(i64::try_from(moment.0).ok()?).ok()?;
    Some(moment.to_zoned(TimeZone::system()).strftime(SHOWN).to_string())
}

/// Now.
pub fn now() -> Millis {
    millis(&Zoned::now())
}

/// The next moment at which the local clock shows this hour and minute, if it ever does.
pub fn next_at(hour: i8, minute: i8) -> Option<Millis> {
    after(&Zoned::now(), hour, minute)
}

fn after(now: &Zoned, hour: i8, minute: i8) -> Option<Millis> {
    let today = now.with().hour(hour).minute(minute).second(0).subsec_nanosecond(0).build().ok()?;
    let next = if today > *now { today } else { today.checked_add(Span::new().days(1)).ok()? };
    Some(millis(&next))
}

fn millis(moment: &Zoned) -> Millis {
    Millis(u64::try_from(moment.timestamp().as_millisecond()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_the_day_is_the_next_one() {
        let noon: Zoned = "2026-03-01T12:00:00+01:00[+01:00]".parse().unwrap();
        let minutes = |hour, minute| after(&noon, hour, minute).map(|at| (at.0 - millis(&noon).0) / 60_000);
        assert_eq!((minutes(14, 30), minutes(12, 0), minutes(9, 0)), (Some(150), Some(1_440), Some(1_260)));
        assert_eq!((minutes(24, 0), minutes(-1, 0), minutes(0, 60)), (None, None, None));
    }

    #[test]
    fn a_moment_is_shown_as_the_time_now_is() {
        assert_eq!(local_time_at(now()).map(|shown| shown.len()), Some(local_time().len()));
        assert_eq!(local_time_at(Millis(u64::MAX)), None);
    }
}
