//! The fuzz target of the text that throttles store.

use std::time::Duration;

use super::algorithm::Algorithm;
use super::attempt::{Attempt, Decision};
use super::decide::{Decided, decide, record_end};
use super::limit::Quota;
use super::record::LATEST;
use crate::error::ErrorKind;

/// Decides by any text, or decides some calls that begin with nothing.
///
/// The first bytes are the quotas, the cost, the time and what follows: the text, or calls of three
/// bytes each.
pub fn stored_text(data: &[u8]) {
    let mut input = Input(data);
    let [how] = input.take();
    let count = 1 + how % 3;
    let quotas: Vec<Quota> = (0..count).filter_map(|_| input.quota()).collect();
    let cost = u16::from_le_bytes(input.take()).into();
    let now = u64::from_le_bytes(input.take());
    let mut attempt = Attempt::new(&quotas).with_cost(cost);
    if how & 0x40 != 0 {
        attempt = attempt.peeking();
    }
    if attempt.check().is_err() {
        return;
    }
    match how & 0x80 {
        0 => by_text(attempt, input.0, now),
        _ => by_model(&quotas, input.0, now),
    }
}

/// The bytes of the fuzzer, with zeros behind them.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let count = N.min(self.0.len());
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        let mut array = [0; N];
        array[..count].copy_from_slice(taken);
        array
    }

    /// The algorithm, a limit, a burst, and a period in steps that grow; `None` for a quota that
    /// can't be.
    fn quota(&mut self) -> Option<Quota> {
        let [algorithm, scale] = self.take();
        let limit = u32::from_le_bytes(self.take()) >> (scale % 32);
        let burst = u32::from(u16::from_le_bytes(self.take()));
        let period = u64::from(u16::from_le_bytes(self.take())) << (scale / 32 * 4);
        let period = Duration::from_millis(period);
        let quota = match algorithm % 4 {
            0 => Quota::gcra(limit, period),
            1 => Quota::gcra(limit, period).with_burst(burst),
            2 => Quota::fixed_window(limit, period),
            _ => Quota::sliding_window(limit, period),
        };
        quota.check().is_ok().then_some(quota)
    }
}

fn by_text(attempt: Attempt<'_>, text: &[u8], now: u64) {
    let Decided { decision, spent } = match decide(&attempt, Some(text), now) {
        Ok(decided) => decided,
        Err(error) => {
            let is_read = record_end(text).is_ok();
            let expected = match is_read {
                true => ErrorKind::InvalidConfig,
                false => ErrorKind::WrongType,
            };
            assert_eq!(error.kind(), expected);
            return;
        }
    };
    assert!(record_end(text).is_ok());
    is_sane(&attempt, &decision);
    let now = now.min(LATEST);
    let peek = attempt.peeking();
    if let Some(spent) = spent {
        assert!(!attempt.peek && attempt.cost > 0);
        let life = u64::try_from(spent.life.as_micros()).expect("a life is bounded");
        assert_eq!(record_end(&spent.bytes).ok(), Some(now + life));
        assert!(life > 0);
        let next = decide(&peek, Some(&spent.bytes), now).expect("what is written can be read");
        is_sane(&attempt, &next.decision);
        let again = decide(&attempt, Some(&spent.bytes), now).expect("what is written can be read");
        is_sane(&attempt, &again.decision);
        leaves_others(&attempt, &decision, now, text, &spent.bytes);
    }
    if let Some(wait) = decision.retry_after {
        waits(peek, text, now, wait);
    }
}

/// A wait is the shortest that helps, and a clock that was set back makes no wait longer.
fn waits(peek: Attempt<'_>, text: &[u8], now: u64, wait: Duration) {
    let wait_at = |at: u64| {
        let decided = decide(&peek, Some(text), at).expect("it was read");
        decided.decision.retry_after.unwrap_or_default()
    };
    let written = time_of_write(text);
    if now >= written {
        let later = now + u64::try_from(wait.as_micros()).expect("a wait is bounded");
        if later <= LATEST {
            assert_eq!(wait_at(later), Duration::ZERO);
            assert_eq!(wait_at(later - 1), Duration::from_micros(1));
        }
        return;
    }
    // No clock is set back to its very beginning, before which no time can be told.
    let is_late = |quota: &Quota| u128::from(now) > 2 * quota.period().as_micros();
    if peek.quotas.iter().all(is_late) {
        // A window goes by milliseconds.
        assert!(wait <= wait_at(written) + Duration::from_millis(1));
    }
}

/// Quotas that the attempt doesn't ask go by what they went by before, and after a refusal all do.
fn leaves_others(
    attempt: &Attempt<'_>,
    decision: &Decision,
    now: u64,
    before: &[u8],
    after: &[u8],
) {
    for other in OTHERS {
        let is_asked = attempt
            .quotas
            .iter()
            .any(|quota| quota.head() == other.head());
        if decision.allowed && is_asked {
            continue;
        }
        let quotas = [other];
        let peek = Attempt::new(&quotas).peeking();
        let decisions = [before, after].map(|text| {
            let decided = decide(&peek, Some(text), now).expect("it was read");
            decided.decision
        });
        assert_eq!(decisions[0], decisions[1], "{other:?}");
    }
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const OTHERS: [Quota; 6] = [
    Quota::gcra(100, SECOND),
    Quota::gcra(7, MINUTE).with_burst(9),
    Quota::fixed_window(3, SECOND),
    Quota::fixed_window(1000, MINUTE),
    Quota::sliding_window(4, SECOND),
    Quota::sliding_window(50, MINUTE),
];

/// Returns the time at which a text was written.
fn time_of_write(text: &[u8]) -> u64 {
    let digits = text[1..].iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

fn is_sane(attempt: &Attempt<'_>, decision: &Decision) {
    let quota = attempt.quotas[decision.quota];
    assert_eq!(decision.limit, u64::from(quota.capacity()));
    assert!(decision.remaining <= decision.limit);
    assert_eq!(decision.allowed, decision.retry_after.is_none());
    assert_ne!(decision.retry_after, Some(Duration::ZERO));
    let is_used = decision.remaining < decision.limit;
    assert_eq!(is_used, decision.next_after > Duration::ZERO);
    assert!(!is_used || decision.reset_after > Duration::ZERO);
    assert!(decision.next_after <= decision.reset_after);
}

/// Calls of a pause, in steps that grow, and a cost.
fn by_model(quotas: &[Quota], calls: &[u8], start: u64) {
    let mut now = start % (1 << 51);
    let mut models: Vec<Model> = quotas.iter().map(Model::new).collect();
    let least = quotas.iter().map(Quota::capacity).min().unwrap_or(0);
    let mut stored: Option<Vec<u8>> = None;
    for call in calls.chunks_exact(3).take(MOST_CALLS) {
        now += u64::from(call[0]) << (call[1] % 24);
        let cost = u32::from(call[2]).min(least);
        let attempt = Attempt::new(quotas).with_cost(cost);
        let decided = decide(&attempt, stored.as_deref(), now).expect("the text is our own");
        let Decided { decision, spent } = decided;
        is_sane(&attempt, &decision);
        for model in &mut models {
            model.advance(now.into());
        }
        let cost = u128::from(cost);
        let wait = models.iter().map(|model| model.wait(cost)).max();
        let wait = wait.expect("there is a quota");
        assert_eq!(decision.retry_after.unwrap_or_default().as_micros(), wait);
        if decision.allowed {
            models.iter_mut().for_each(|model| model.spend(cost));
        }
        let model = &models[decision.quota];
        assert_eq!(u128::from(decision.remaining), model.remaining());
        assert_eq!(decision.reset_after.as_micros(), model.reset());
        if let Some(spent) = spent {
            stored = Some(spent.bytes);
        }
        let strictest = models.iter().map(Model::remaining).min();
        assert!(!decision.allowed || strictest == Some(model.remaining()));
    }
}

/// Each call is decided once and modelled for each quota.
const MOST_CALLS: usize = 300;

/// A quota by its definition, in numbers that nothing is rounded in.
struct Model {
    quota: Quota,
    now: u128,
    /// GCRA: the arrival time in units of a microsecond over the limit. Windows: the time at which
    /// the window ends, or at which the bucket begins.
    time: u128,
    current: u128,
    previous: u128,
}

impl Model {
    fn new(quota: &Quota) -> Self {
        Self {
            quota: *quota,
            now: 0,
            time: 0,
            current: 0,
            previous: 0,
        }
    }

    fn limit(&self) -> u128 {
        self.quota.limit().into()
    }

    fn period(&self) -> u128 {
        self.quota.period().as_micros()
    }

    fn advance(&mut self, now: u128) {
        self.now = now;
        match self.quota.algorithm() {
            Algorithm::Gcra => self.time = self.time.max(now * self.limit()),
            Algorithm::FixedWindow if self.time <= now || self.current == 0 => {
                (self.time, self.current) = (now + self.period(), 0);
            }
            Algorithm::FixedWindow => {}
            Algorithm::SlidingWindow => {
                (self.time, self.current, self.previous) = self.buckets(now);
            }
        }
    }

    /// Returns the beginning of a window's bucket, in milliseconds, and both counts, as they are
    /// later if nothing is used up meanwhile.
    fn buckets(&self, now: u128) -> (u128, u128, u128) {
        let (now, period) = (now / 1000, self.period() / 1000);
        let (mut start, mut current, mut previous) = (self.time, self.current, self.previous);
        for _ in 0..2 {
            if start + period <= now {
                (start, current, previous) = (start + period, 0, current);
            }
        }
        match current + previous {
            0 => (now, 0, 0),
            _ if start + period <= now => (now, 0, 0),
            _ => (start, current, previous),
        }
    }

    /// Says whether a cost fits into a sliding window at a time.
    fn fits(&self, cost: u128, at: u128) -> bool {
        let (start, current, previous) = self.buckets(at);
        let period = self.period() / 1000;
        let overlap = start + period - at / 1000;
        previous * overlap + (current + cost) * period <= self.limit() * period
    }

    fn wait(&self, cost: u128) -> u128 {
        if cost == 0 {
            return 0;
        }
        match self.quota.algorithm() {
            Algorithm::Gcra => {
                let capacity = u128::from(self.quota.capacity());
                let over = (self.time + cost * self.period())
                    .saturating_sub(self.now * self.limit() + capacity * self.period());
                over.div_ceil(self.limit())
            }
            Algorithm::FixedWindow if self.current + cost <= self.limit() => 0,
            Algorithm::FixedWindow => self.time - self.now,
            // A window empties as time goes on: the first time at which the cost fits is searched.
            Algorithm::SlidingWindow => {
                let (mut early, mut late) = (self.now, self.now + 2 * self.period() + 1000);
                while early < late {
                    let middle = (early + late) / 2;
                    match self.fits(cost, middle) {
                        true => late = middle,
                        false => early = middle + 1,
                    }
                }
                early - self.now
            }
        }
    }

    fn spend(&mut self, cost: u128) {
        match self.quota.algorithm() {
            Algorithm::Gcra => self.time += cost * self.period(),
            Algorithm::FixedWindow | Algorithm::SlidingWindow => self.current += cost,
        }
    }

    fn remaining(&self) -> u128 {
        let limit = self.limit();
        match self.quota.algorithm() {
            Algorithm::Gcra => {
                let capacity = u128::from(self.quota.capacity());
                (self.now * limit + capacity * self.period() - self.time) / self.period()
            }
            Algorithm::FixedWindow => limit - self.current,
            Algorithm::SlidingWindow => {
                // The largest cost that fits is searched.
                let (mut least, mut most) = (0, limit);
                while least < most {
                    let middle = (least + most).div_ceil(2);
                    match self.fits(middle, self.now) {
                        true => least = middle,
                        false => most = middle - 1,
                    }
                }
                least
            }
        }
    }

    fn reset(&self) -> u128 {
        let (now, period) = (self.now, self.period());
        match self.quota.algorithm() {
            Algorithm::Gcra => (self.time - now * self.limit()).div_ceil(self.limit()),
            Algorithm::FixedWindow if self.current == 0 => 0,
            Algorithm::FixedWindow => self.time - now,
            Algorithm::SlidingWindow => {
                let start = self.time * 1000;
                match (self.current, self.previous) {
                    (0, 0) => 0,
                    (0, _) => start + period - now,
                    _ => start + 2 * period - now,
                }
            }
        }
    }
}
