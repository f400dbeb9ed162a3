//! A client: it makes one call after the other, and writes down what it was told.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use reinhardt_backends::store::{Store, Touch};
use reinhardt_backends::{
    Backend, BackendError, BackendResult, Condition, Counted, ErrorKind, Life, Stored, Write,
};

use super::call::{Action, Answer, Call, End};

/// The keys that clients meet on at one time.
const KEYS: u32 = 10;
/// Of ten keys the last ones are counters.
const REGISTERS: u32 = 8;

/// A fault of the library that isn't there: the checks have to find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// An increment whose answer was lost is sent once more.
    SecondSend,
    /// A read that fails finds nothing.
    SwallowedError,
    /// One read of ten answers what an earlier one found.
    StaleRead,
    /// One write of twenty is acknowledged and never sent.
    LostWrite,
    /// One read of twenty is given the answer of another key.
    MixedAnswers,
    /// A write whose outcome is unknown is said to have failed.
    CertainFailure,
    /// The answer `MOVED` is taken for "nothing is there". (It is the cable that changes it.)
    LostMoved,
    /// An owner doesn't look when its lease ends.
    EndlessLease,
    /// A removal that failed is taken for one that was made.
    ForgottenRemoval,
}

/// One client.
pub(super) struct Client {
    pub(super) number: u32,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) rng: Rng,
    pub(super) began: Instant,
    pub(super) planted: Option<Planted>,
    /// The time for which a key is used.
    pub(super) generation: Duration,
    /// The pause between two calls, at most.
    pub(super) pause: Duration,
    seen: HashMap<u32, Stored>,
    written: i64,
}

impl Client {
    pub(super) fn new(
        number: u32,
        backend: Arc<dyn Backend>,
        seed: u64,
        began: Instant,
        [generation, pause]: [Duration; 2],
    ) -> Self {
        Self {
            number,
            backend,
            rng: Rng::with_seed(seed.wrapping_mul(31).wrapping_add(u64::from(number))),
            began,
            planted: None,
            generation,
            pause,
            seen: HashMap::new(),
            written: 0,
        }
    }

    /// Makes calls until the time is over.
    pub(super) async fn run(mut self, time: Duration) -> Vec<Call> {
        let mut calls = Vec::new();
        loop {
            let now = self.began.elapsed();
            if now >= time {
                return calls;
            }
            let generation = (now.as_millis() / self.generation.as_millis()) as u32;
            let key = generation * KEYS + self.rng.u32(..KEYS);
            let action = self.action(key);
            let began = self.nanos();
            let result = self.perform(key, action).await;
            let end = match result {
                Ok(answer) => End::Answered(answer),
                Err(error) if error.kind() == ErrorKind::WrongType => {
                    End::Answered(Answer::Foreign)
                }
                Err(error) => self.end_of(action, &error),
            };
            calls.push(Call {
                client: self.number,
                key,
                action,
                began,
                ended: self.nanos(),
                end,
            });
            let pause = self.pause.mul_f64(self.rng.f64());
            tokio::time::sleep(pause).await;
        }
    }

    fn end_of(&self, action: Action, error: &BackendError) -> End {
        let is_unknown = error.outcome_unknown() && action != Action::Get;
        match is_unknown && self.planted != Some(Planted::CertainFailure) {
            true => End::Unknown,
            false => End::Failed,
        }
    }

    fn nanos(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).expect("some seconds")
    }

    /// Chooses a call. Values differ from all others of all clients.
    fn action(&mut self, key: u32) -> Action {
        if key % KEYS >= REGISTERS {
            return match self.rng.u8(..10) {
                0 => Action::Get,
                _ => Action::Add(self.rng.i64(1..5)),
            };
        }
        self.written += 1;
        let new = i64::from(self.number) * 1_000_000 + self.written;
        let seen = self.seen.get(&key).and_then(|stored| parse(key, stored));
        match (self.rng.u8(..20), seen) {
            (0..6, _) => Action::Get,
            (6..8, _) => Action::Set(new),
            (8..10, _) => Action::SetFor(new, self.rng.u64(20..80)),
            (10..12, _) => Action::SetIfAbsent(new),
            (12, _) => Action::SetIfPresent(new),
            (13..16, Some(seen)) => Action::CompareAndSet(seen, new),
            (16, Some(seen)) => Action::CompareAndDelete(seen),
            (17, _) => Action::Delete,
            (18, _) => Action::Take,
            _ => Action::Get,
        }
    }

    async fn perform(&mut self, key: u32, action: Action) -> BackendResult<Answer> {
        let name = key_of(key);
        let text = |value: i64| format!("{key}:{value}").into_bytes();
        let store: &dyn Store = &*self.backend;
        if self.planted == Some(Planted::LostWrite)
            && let Action::Set(_) | Action::SetFor(..) = action
            && self.rng.u8(..20) == 0
        {
            return Ok(Answer::Done(true));
        }
        let put = async |value: i64, life: Life, condition: Condition<'_>| {
            let options = Write::new(life).when(condition);
            let done = store.put(&name, &text(value), options).await;
            done.map(Answer::Done)
        };
        match action {
            Action::Get => self.read(key, &name).await,
            Action::Set(value) => put(value, Life::Never, Condition::Always).await,
            Action::SetFor(value, millis) => {
                let life = Life::In(Duration::from_millis(millis));
                put(value, life, Condition::Always).await
            }
            Action::SetIfAbsent(value) => put(value, Life::Never, Condition::Absent).await,
            Action::SetIfPresent(value) => put(value, Life::Never, Condition::Present).await,
            Action::CompareAndSet(expected, value) => {
                let expected = text(expected);
                put(value, Life::Never, Condition::Equals(&expected)).await
            }
            Action::CompareAndDelete(expected) => {
                let expected = text(expected);
                let done = store.remove(&name, Some(&expected)).await;
                done.map(Answer::Done)
            }
            Action::Delete => store.remove(&name, None).await.map(Answer::Done),
            Action::Take => {
                let taken = store.take_value(&name).await?;
                Ok(value_of(key, taken.as_ref()))
            }
            Action::Add(delta) => self.add(&name, delta).await,
            other => unreachable!("{other:?} is a call of threads"),
        }
    }

    async fn read(&mut self, key: u32, name: &str) -> BackendResult<Answer> {
        let planted = self.planted;
        if planted == Some(Planted::StaleRead)
            && self.rng.u8(..10) == 0
            && let Some(stored) = self.seen.get(&key)
        {
            return Ok(value_of(key, Some(stored)));
        }
        let asked = match planted == Some(Planted::MixedAnswers) && self.rng.u8(..20) == 0 {
            true => key_of(key ^ 1),
            false => name.to_string(),
        };
        let read = self.backend.read_value(&asked, Touch::Keep).await;
        if planted == Some(Planted::SwallowedError) && read.is_err() {
            return Ok(Answer::Value(None));
        }
        let read = read?;
        let answer = value_of(key, read.as_ref());
        if let Some(stored) = read {
            self.seen.insert(key, stored);
        }
        Ok(answer)
    }

    async fn add(&self, name: &str, delta: i64) -> BackendResult<Answer> {
        let counted = |counted: Counted| Answer::Count(counted.value);
        let result = self.backend.add(name, delta, None).await;
        match result {
            Err(error) if self.planted == Some(Planted::SecondSend) && error.outcome_unknown() => {
                self.backend.add(name, delta, None).await.map(counted)
            }
            result => result.map(counted),
        }
    }
}

/// Returns the text of a key.
pub(super) fn key_of(key: u32) -> String {
    format!("h:{key}")
}

/// Returns the number of a key by its text.
pub(super) fn number_of(text: &str) -> Option<u32> {
    text.strip_prefix("h:")?.parse().ok()
}

/// Says whether two keys are used at the same time.
pub(super) fn are_of_one_time(one: u32, other: u32) -> bool {
    one / KEYS == other / KEYS
}

/// Reads `12:3000001`, the key and the value, or the decimal text of a counter.
fn parse(key: u32, stored: &Stored) -> Option<i64> {
    let text = str::from_utf8(stored.as_bytes()).ok()?;
    if key % KEYS >= REGISTERS {
        return text.parse().ok();
    }
    let (own, value) = text.split_once(':')?;
    (own.parse() == Ok(key)).then(|| value.parse().ok())?
}

fn value_of(key: u32, stored: Option<&Stored>) -> Answer {
    match stored {
        None => Answer::Value(None),
        Some(stored) => match parse(key, stored) {
            Some(value) => Answer::Value(Some(value)),
            None => Answer::Foreign,
        },
    }
}
