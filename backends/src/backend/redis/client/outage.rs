//! The time that a server has been down, and the times of the attempts to reach it, which keep the
//! [pauses](crate::time::attempts) between them.

use std::time::{Duration, Instant};

use crate::error::{BackendError, ErrorKind};
use crate::time::attempts::{LONGEST, SHORTEST, pause};

/// The shortest pause after a login was refused, which servers log and may lock a user out for.
const SHORTEST_AFTER_DENIAL: Duration = Duration::from_millis(100);
/// A connection that lasted no longer doesn't end an outage: some servers greet, and hang up.
const SETTLED: Duration = Duration::from_secs(1);

/// The failure of an attempt to connect.
#[derive(Debug, Clone)]
pub(super) struct ConnectFailure {
    pub(super) error: BackendError,
    /// True if there was no login to try, which says nothing of the server.
    pub(super) lacks_login: bool,
}

/// No `From`: the compiler would name it to users whose own errors come from a `BackendError`.
impl ConnectFailure {
    pub(super) fn of(error: BackendError) -> Self {
        Self {
            error,
            lacks_login: false,
        }
    }
}

/// Attempts that bring nothing, and the pauses between them.
#[derive(Debug, Default)]
struct Pauses {
    /// The time of the first attempt that brought nothing.
    since: Option<Instant>,
    /// The time before which no further attempt begins.
    next: Option<Instant>,
    shortest: Duration,
}

impl Pauses {
    fn are_over(&self, now: Instant) -> bool {
        self.next.is_none_or(|next| now >= next)
    }

    fn begin(&mut self, now: Instant) {
        if self.next.is_some_and(|next| now >= next + LONGEST) {
            // Nobody needed an attempt meanwhile, so nobody knows how long it was in vain.
            self.since = None;
        }
        let since = *self.since.get_or_insert(now);
        let pause = pause(now.saturating_duration_since(since)).max(self.shortest);
        self.next = Some(now + pause);
    }
}

/// The searches for a server that takes writes, while the known server doesn't. All runtimes share
/// this state, and each search is made by one of them.
#[derive(Debug, Default)]
pub(super) struct Searches {
    pauses: Pauses,
    /// The number of searches that reached a server.
    pub(super) ended: u64,
}

impl Searches {
    /// Returns the time before which no search is to begin.
    pub(super) fn next(&self) -> Option<Instant> {
        self.pauses.next
    }

    /// Takes the turn to search.
    pub(super) fn claim(&mut self, now: Instant) {
        self.pauses.begin(now);
    }
}

/// The outage of a server. All runtimes share this state, and each attempt is made by one of them.
#[derive(Debug, Default)]
pub(super) struct Outage {
    pauses: Pauses,
    /// The time at which a connection was made last, unless an attempt has failed after it.
    up: Option<Instant>,
    /// The last failure, and the number of failures so far.
    failure: Option<ConnectFailure>,
    failures: u64,
}

impl Outage {
    /// Returns the time before which no attempt is to begin.
    pub(super) fn next(&self) -> Option<Instant> {
        self.pauses.next
    }

    /// Takes the turn to make an attempt, if it is time for one.
    pub(super) fn claim(&mut self, now: Instant) -> bool {
        if !self.pauses.are_over(now) {
            return false;
        }
        if self.pauses.next.is_some() {
            self.pauses.begin(now);
        }
        true
    }

    /// Notes that an attempt failed.
    pub(super) fn failed(&mut self, now: Instant, failure: &ConnectFailure) {
        if self.up.is_some_and(|up| now >= up + SETTLED) {
            self.pauses.since = None;
        }
        self.pauses.shortest = match failure.error.kind() {
            ErrorKind::Denied => SHORTEST_AFTER_DENIAL,
            _ => SHORTEST,
        };
        self.up = None;
        self.failure = Some(failure.clone());
        self.failures += 1;
        self.pauses.begin(now);
    }

    /// Notes that there is a connection.
    pub(super) fn ended(&mut self, now: Instant) {
        self.up = Some(now);
        self.pauses.next = None;
        self.failure = None;
    }

    /// Notes that a connection was lost.
    pub(super) fn lost(&mut self, now: Instant) {
        let was_brief = self.up.is_some_and(|up| now < up + SETTLED);
        if was_brief && self.pauses.next.is_none() {
            self.pauses.shortest = SHORTEST;
            self.pauses.begin(now);
        }
    }

    /// Returns the last failure, if there was one after the first `seen`.
    pub(super) fn failure_after(&self, seen: u64) -> Option<&ConnectFailure> {
        self.failure.as_ref().filter(|_| self.failures > seen)
    }

    /// Returns the last failure, if an attempt is due, or was so just now.
    pub(super) fn recent_failure(&self, now: Instant) -> Option<&BackendError> {
        let is_recent = self.pauses.next.is_some_and(|next| now < next + LONGEST);
        self.failure().filter(|_| is_recent)
    }

    /// Returns the failure of the last attempt, unless one has succeeded after it.
    pub(super) fn failure(&self) -> Option<&BackendError> {
        self.failure.as_ref().map(|failure| &failure.error)
    }

    /// Returns the number of failures so far.
    pub(super) fn failures(&self) -> u64 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> ConnectFailure {
        ConnectFailure::of(BackendError::new(ErrorKind::Unavailable, "refused"))
    }

    /// Makes attempts that fail at once, each as soon as it may, and returns their times in
    /// milliseconds.
    fn attempts(outage: &mut Outage, failure: &ConnectFailure, time: Duration) -> Vec<u128> {
        let begin = Instant::now();
        let mut now = begin;
        let mut times = Vec::new();
        while now < begin + time {
            assert!(outage.claim(now));
            times.push((now - begin).as_millis());
            outage.failed(now, failure);
            assert!(!outage.claim(now), "two attempts at once");
            now = outage.next().unwrap();
        }
        times
    }

    #[test]
    fn a_server_that_stays_away_is_asked_less_and_less() {
        let times = attempts(&mut Outage::default(), &refused(), Duration::from_secs(60));
        for pair in times.windows(2) {
            let (down, pause) = (pair[0], pair[1] - pair[0]);
            let most = (down / 10).clamp(25, 1000);
            let least = (most * 4 / 5).max(25);
            assert!(
                pause + 1 >= least && pause <= most + 1,
                "{pause} after {down}"
            );
        }
        let second = times.iter().filter(|time| **time < 1000).count();
        assert!(second >= 20, "{second} attempts in the first second");
    }

    #[test]
    fn a_refused_login_is_tried_again_less_often() {
        let denied = ConnectFailure::of(BackendError::new(ErrorKind::Denied, "no"));
        let times = attempts(&mut Outage::default(), &denied, Duration::from_secs(4));
        assert!((15..=35).contains(&times.len()), "{times:?}");
    }

    #[test]
    fn pauses_start_over_after_a_success_that_lasted() {
        let mut outage = Outage::default();
        attempts(&mut outage, &refused(), Duration::from_secs(20));
        let up = outage.next().unwrap();
        outage.ended(up);
        assert!(outage.next().is_none() && outage.claim(up));
        let brief = up + Duration::from_millis(10);
        outage.lost(brief);
        assert!(outage.next().unwrap() > brief + SHORTEST * 4, "it hung up");
        outage.ended(up + LONGEST);
        let later = up + LONGEST + SETTLED;
        outage.lost(later);
        assert_eq!(outage.next(), None);
        outage.failed(later, &refused());
        assert_eq!(outage.next(), Some(later + SHORTEST));
    }

    #[test]
    fn pauses_start_over_after_nobody_needed_an_attempt_for_a_while() {
        let mut outage = Outage::default();
        attempts(&mut outage, &refused(), Duration::from_secs(20));
        let later = outage.next().unwrap() + LONGEST;
        assert!(outage.claim(later));
        assert_eq!(outage.next(), Some(later + SHORTEST));
    }

    #[test]
    fn a_server_that_takes_no_writes_is_left_less_and_less_often() {
        let begin = Instant::now();
        let mut searches = Searches::default();
        let (mut now, mut count) = (begin, 0);
        while now < begin + Duration::from_secs(20) {
            searches.claim(now);
            let next = searches.next().unwrap();
            assert!(next > now, "two searches at once");
            now = next;
            count += 1;
        }
        assert!((50..=80).contains(&count), "{count} searches");
        let later = now + LONGEST;
        searches.claim(later);
        assert_eq!(searches.next(), Some(later + SHORTEST));
    }

    #[test]
    fn a_failure_is_told_to_those_who_waited_for_it() {
        let mut outage = Outage::default();
        let seen = outage.failures();
        assert!(outage.failure_after(seen).is_none());
        outage.failed(Instant::now(), &refused());
        assert!(outage.failure_after(seen).is_some());
        assert!(outage.failure_after(outage.failures()).is_none());
    }
}
