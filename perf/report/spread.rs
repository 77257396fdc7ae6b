//! A set of ratios as its median and spread: one number alone is never reported.

#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Spread {
    pub count: usize,
    pub min: f64,
    pub quartile_1: f64,
    pub median: f64,
    pub quartile_3: f64,
    pub max: f64,
}

impl Spread {
    /// `None` of nothing.
    pub fn of(values: &[f64]) -> Option<Spread> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Some(Spread {
            count: sorted.len(),
            min: *sorted.first()?,
            quartile_1: at(&sorted, 0.25),
            median: at(&sorted, 0.5),
            quartile_3: at(&sorted, 0.75),
            max: *sorted.last()?,
        })
    }

    /// Of each value to the one before it: how much the same thing differs from itself.
    pub fn of_neighbours(values: &[f64]) -> Option<Spread> {
        let ratios: Vec<f64> = values.windows(2).map(|two| two[1] / two[0]).collect();
        Spread::of(&ratios)
    }

    pub fn text(&self) -> String {
        format!(
            "median {:.3}   quartiles {:.3}–{:.3}   min–max {:.3}–{:.3}   of {}",
            self.median, self.quartile_1, self.quartile_3, self.min, self.max, self.count
        )
    }
}

/// The quantile of sorted values, interpolated between neighbours.
fn at(sorted: &[f64], quantile: f64) -> f64 {
    let place = quantile * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_quartiles() {
        let spread = Spread::of(&[5.0, 1.0, 3.0, 2.0, 4.0]).unwrap();
        assert_eq!((spread.min, spread.quartile_1, spread.median), (1.0, 2.0, 3.0));
        assert_eq!((spread.quartile_3, spread.max, spread.count), (4.0, 5.0, 5));
        assert_eq!(Spread::of(&[1.0, 2.0]).unwrap().median, 1.5);
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn neighbours_need_two() {
        assert_eq!(Spread::of_neighbours(&[1.0]), None);
        assert_eq!(Spread::of_neighbours(&[2.0, 4.0, 4.0]).unwrap().max, 2.0);
    }
}
