//! Cases that are measured in turn, and their samples.

use std::fmt;

/// Named measurements; each call of a measurement measures one round.
#[derive(Default)]
pub struct Cases<'a> {
    cases: Vec<(String, Box<dyn FnMut() -> f64 + 'a>)>,
}

/// The sample of each case in each round.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    cases: Vec<(String, Vec<f64>)>,
}

impl fmt::Debug for Cases<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.cases.iter().map(|(name, _)| name);
        f.debug_list().entries(names).finish()
    }
}

impl<'a> Cases<'a> {
    /// Begins without any case.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a case; `round` measures it once.
    pub fn case(&mut self, name: &str, round: impl FnMut() -> f64 + 'a) {
        self.cases.push((name.to_string(), Box::new(round)));
    }

    /// Measures every case once a round, after one round that doesn't count. Each round begins with
    /// the next case, so that no case always finds the traces of the same neighbour in the caches.
    pub fn measure(mut self, rounds: usize) -> Measured {
        let count = self.cases.len();
        let mut measured = Measured::default();
        for (name, round) in &mut self.cases {
            round();
            measured.cases.push((name.clone(), vec![f64::NAN; rounds]));
        }
        for round in 0..rounds {
            for turn in 0..count {
                let case = (round + turn) % count;
                measured.cases[case].1[round] = self.cases[case].1();
            }
        }
        measured
    }
}

impl Measured {
    /// Adds a case that was measured elsewhere, one sample a round.
    pub fn add(&mut self, name: &str, samples: Vec<f64>) {
        self.cases.push((name.to_string(), samples));
    }

    /// Returns the names, in the order in which the cases were added.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.cases.iter().map(|(name, _)| name.as_str())
    }

    /// Returns the median of the rounds.
    pub fn median(&self, case: &str) -> f64 {
        median(self.samples(case))
    }

    /// Returns the smallest and the largest of the rounds.
    pub fn extremes(&self, case: &str) -> (f64, f64) {
        extremes(self.samples(case))
    }

    /// Returns the median of the rounds' ratios of `case` to `baseline`.
    pub fn ratio(&self, case: &str, baseline: &str) -> f64 {
        median(&self.ratios(case, baseline))
    }

    /// Returns the quartiles of the rounds' ratios of `case` to `baseline`: half of the rounds are
    /// between them.
    pub fn quartile_ratios(&self, case: &str, baseline: &str) -> (f64, f64) {
        let ratios = self.ratios(case, baseline);
        (quantile(&ratios, 0.25), quantile(&ratios, 0.75))
    }

    /// Returns the ratio of `case` to `baseline` of each round.
    pub fn ratios(&self, case: &str, baseline: &str) -> Vec<f64> {
        let rounds = self.samples(case).iter().zip(self.samples(baseline));
        rounds.map(|(sample, base)| sample / base).collect()
    }

    fn samples(&self, case: &str) -> &[f64] {
        let found = self.cases.iter().find(|(name, _)| name == case);
        &found
            .unwrap_or_else(|| panic!("there is no case `{case}`"))
            .1
    }
}

fn median(samples: &[f64]) -> f64 {
    quantile(samples, 0.5)
}

/// Returns the value below which this part of the samples is. The value lies between two samples if
/// need be.
fn quantile(samples: &[f64], part: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let position = part * (sorted.len() - 1) as f64;
    let (below, above) = (position.floor(), position.ceil());
    let (low, high) = (sorted[below as usize], sorted[above as usize]);
    low + (high - low) * (position - below)
}

fn extremes(samples: &[f64]) -> (f64, f64) {
    let smallest = samples.iter().copied().fold(f64::INFINITY, f64::min);
    let largest = samples.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (smallest, largest)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn a_median_is_the_middle_or_the_mean_of_two() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn a_ratio_is_the_median_of_the_rounds_ratios() {
        let mut measured = Measured::default();
        measured.add("case", vec![2.0, 30.0, 3.0]);
        measured.add("baseline", vec![1.0, 10.0, 3.0]);
        assert_eq!(measured.ratio("case", "baseline"), 2.0);
        assert_eq!(measured.quartile_ratios("case", "baseline"), (1.5, 2.5));
        assert_eq!(measured.median("case"), 3.0);
        assert_eq!(measured.extremes("case"), (2.0, 30.0));
    }

    #[test]
    fn each_round_begins_with_the_next_case() {
        let order = RefCell::new(String::new());
        let mut cases = Cases::new();
        for name in ["a", "b", "c"] {
            let order = &order;
            cases.case(name, move || {
                order.borrow_mut().push_str(name);
                1.0
            });
        }
        let measured = cases.measure(3);
        assert_eq!(*order.borrow(), "abcabcbcacab");
        assert_eq!(measured.names().collect::<String>(), "abc");
        assert_eq!(measured.extremes("b"), (1.0, 1.0));
    }
}
