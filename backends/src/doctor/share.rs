//! Shares of a population, by a sample of it.

use serde::Serialize;

/// The quantile of the normal distribution for 95 % confidence.
const Z: f64 = 1.96;

/// A share of all entries, as a sample tells it: with 95 % confidence it is between these two.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Share {
    /// The lower bound, from 0 to 1.
    pub low: f64,
    /// The upper bound, from 0 to 1.
    pub high: f64,
}

impl Share {
    /// Returns the share of which `part` of `read` entries were. The interval is that of Wilson,
    /// "Probable inference, the law of succession, and statistical inference", 1927.
    pub(super) fn of(part: u64, read: u64) -> Self {
        if read == 0 {
            return Self {
                low: 0.0,
                high: 1.0,
            };
        }
        let (part, read) = (part.min(read) as f64, read as f64);
        let (share, z) = (part / read, Z * Z / read);
        let middle = (share + z / 2.0) / (1.0 + z);
        let half = Z / (1.0 + z) * (share * (1.0 - share) / read + z / (4.0 * read)).sqrt();
        Self {
            low: (middle - half).max(0.0),
            high: (middle + half).min(1.0),
        }
    }

    /// Returns the share of a whole that was read.
    pub(super) fn exact(part: u64, read: u64) -> Self {
        let share = part as f64 / read.max(1) as f64;
        Self {
            low: share,
            high: share,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of the formula, to three digits.
    #[test]
    fn a_share_is_between_the_bounds_of_wilson() {
        for (part, read, low, high) in [
            (0, 200, 0.0, 0.019),
            (1, 500, 0.0004, 0.0113),
            (100, 200, 0.431, 0.569),
            (200, 200, 0.981, 1.0),
            (0, 0, 0.0, 1.0),
        ] {
            let share = Share::of(part, read);
            assert!(
                (share.low - low).abs() < 6e-4,
                "{part} of {read}: {share:?}"
            );
            assert!(
                (share.high - high).abs() < 6e-4,
                "{part} of {read}: {share:?}"
            );
        }
        assert_eq!(
            Share::exact(1, 4),
            Share {
                low: 0.25,
                high: 0.25
            }
        );
    }
}
