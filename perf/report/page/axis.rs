//! An axis of a chart: from values to places, and where its lines are.

use crate::report::time_text;

/// How values lie on an axis.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Scale {
    Even,
    Logarithmic,
}

/// `low < high`; a logarithmic axis has `low > 0`.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    /// An axis that shows all of these values between the two places.
    pub fn of(scale: Scale, values: impl Iterator<Item = f64>, from: f64, to: f64) -> Axis {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite() && (scale == Scale::Even || *value > 0.0)) {
            low = low.min(value);
            high = high.max(value);
        }
        if low > high {
            (low, high) = (1.0, 10.0);
        }
        if scale == Scale::Logarithmic {
            // A little air at both ends, and never less than a third of a decade.
            (low, high) = (low / 1.15, high * 1.15);
            if high / low < 2.0 {
                (low, high) = (low / 1.4, high * 1.4);
            }
        } else {
            high = if high > low { high } else { low + 1.0 };
        }
        Axis { scale, low, high, from, to }
    }

    pub fn at(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Even => (value - self.low) / (self.high - self.low),
            Scale::Logarithmic => (value.max(self.low) / self.low).ln() / (self.high / self.low).ln(),
        };
        self.from + share * (self.to - self.from)
    }

    /// Where lines belong: round values, few enough to be read.
    pub fn ticks(&self) -> Vec<f64> {
        match self.scale {
            Scale::Even => {
                let rough = (self.high - self.low) / 5.0;
                let decade = 10_f64.powf(rough.log10().floor());
                let step =
                    [1.0, 2.0, 5.0, 10.0].map(|times| times * decade).into_iter().find(|step| *step >= rough);
                let step = step.unwrap_or(10.0 * decade);
                let first = (self.low / step).ceil() as i64;
                (first..).map(|number| number as f64 * step).take_while(|tick| *tick <= self.high).collect()
            }
            Scale::Logarithmic => {
                let decades = (self.high / self.low).log10();
                let times: &[f64] = if decades > 3.5 { &[1.0] } else { &[1.0, 2.0, 5.0] };
                let first = self.low.log10().floor() as i32;
                let ticks = (first..=self.high.log10().ceil() as i32)
                    .flat_map(|power| times.iter().map(move |times| times * 10_f64.powi(power)));
                ticks.filter(|tick| (self.low..=self.high).contains(tick)).collect()
            }
        }
    }
}

/// A round time without decimals that say nothing.
pub fn short_time(ns: f64) -> String {
    let text = time_text(ns.round() as u64);
    let (number, unit) = text.split_once(' ').unwrap_or((&text, ""));
    let number =
        if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
    format!("{number} {unit}")
}

/// 12,345 as `12.3k`.
pub fn short_count(value: f64) -> String {
    match value {
        ..1_000.0 => format!("{value:.0}"),
        ..10_000.0 => format!("{:.1}k", value / 1e3),
        ..1_000_000.0 => format!("{:.0}k", value / 1e3),
        _ => format!("{:.1}M", value / 1e6),
    }
}

/// 1234567 as `1,234,567`.
pub fn grouped(count: f64) -> String {
    let digits = format!("{count:.0}");
    let group = |(place, digit): (usize, char)| {
        let comma = place > 0 && (digits.len() - place).is_multiple_of(3);
        comma.then_some(',').into_iter().chain([digit])
    };
    digits.chars().enumerate().flat_map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        let even = Axis::of(Scale::Even, [0.0, 23.0].into_iter(), 0.0, 100.0);
        assert_eq!(even.ticks(), [0.0, 5.0, 10.0, 15.0, 20.0]);
        assert_eq!(even.at(23.0), 100.0);
        let log = Axis::of(Scale::Logarithmic, [9_000.0, 1_200_000.0].into_iter(), 100.0, 0.0);
        assert_eq!(log.ticks(), [1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6].map(f64::round));
        assert!(log.at(10_000.0) > log.at(20_000.0));
    }

    #[test]
    fn an_axis_of_nothing_is_an_axis() {
        for scale in [Scale::Even, Scale::Logarithmic] {
            assert!(Axis::of(scale, std::iter::empty(), 0.0, 1.0).at(5.0).is_finite());
            assert!(Axis::of(scale, [3.0].into_iter(), 0.0, 1.0).at(3.0).is_finite());
        }
    }

    #[test]
    fn labels_are_short() {
        assert_eq!((short_time(20_000.0), short_time(1.5e6)), ("20 µs".into(), "1.5 ms".into()));
        assert_eq!(
            (short_count(950.0), short_count(9_500.0), short_count(52_000.0)),
            ("950".into(), "9.5k".into(), "52k".into())
        );
    }
}
