//! A client: it makes one call after the other, and writes down what it was told.

mod many;

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use reinhardt_backends::store::{Store, Touch};
use reinhardt_backends::{
    Backend, BackendError, BackendResult, Counted, ErrorKind, Life, Stored, Write,
};
use tokio::time::{sleep, timeout};

use crate::call::{Action, Answer, Call, End, Lasts, When};
use crate::clock::Clock;

/// The keys that clients meet on at one time.
const KEYS: u32 = 10;
/// The number of the time that has keys which are used all the time.
const LASTING: u32 = 1_000_000;
/// No call takes longer, and a store that was mended answers within it.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
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
    /// A session whose deletion failed is taken for one that is deleted.
    ForgottenDeletion,
    /// One attempt of ten at a throttle passes whatever it says.
    FreeAttempt,
    /// A server forgets what it acknowledged when it is killed. (It keeps no log.)
    ForgetfulServer,
    /// A backend that has met an error answers nothing any more.
    NeverBack,
    /// Of the entries of one call the last one is acknowledged and never sent.
    LostPart,
    /// One list of keys in four lacks one of them.
    SkippedKey,
    /// One session of ten that gets a new id keeps the old one as well.
    KeptId,
    /// A session that is to get a new id is deleted.
    LostSession,
    /// A list of some thousand keys lacks the last one.
    ShortList,
    /// One call of a hundred looks for its answer for three seconds more.
    NoDeadline,
}

/// One client.
pub(super) struct Client {
    pub(super) number: u32,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) rng: Rng,
    pub(super) clock: Clock,
    pub(super) planted: Option<Planted>,
    /// The time for which a key is used.
    pub(super) generation: Duration,
    /// The pause between two calls, at most.
    pub(super) pause: Duration,
    /// Whether an entry may move in several steps, as in a cluster: also within a slot, if that is
    /// being moved.
    pub(super) moves_in_steps: bool,
    seen: HashMap<u32, Stored>,
    written: i64,
    /// Whether a fault that was planted keeps everything from it.
    is_gone: bool,
}

impl Client {
    pub(super) fn new(
        number: u32,
        backend: Arc<dyn Backend>,
        seed: u64,
        clock: Clock,
        [generation, pause]: [Duration; 2],
    ) -> Self {
        Self {
            number,
            backend,
            rng: Rng::with_seed(seed.wrapping_mul(31).wrapping_add(u64::from(number))),
            clock,
            planted: None,
            generation,
            pause,
            moves_in_steps: false,
            seen: HashMap::new(),
            written: 0,
            is_gone: false,
        }
    }

    /// Makes calls until the time is over.
    pub(super) async fn run(mut self) -> (Self, Vec<Call>) {
        let mut calls = Vec::new();
        while !self.clock.is_over() {
            calls.extend(self.next().await);
            let pause = self.pause.mul_f64(self.rng.f64());
            sleep(pause).await;
        }
        (self, calls)
    }

    async fn next(&mut self) -> Vec<Call> {
        match self.rng.u8(..30) {
            // The planted fault is one of single calls.
            _ if self.is_gone => vec![self.call(LASTING * KEYS, Action::Get).await],
            0 | 1 => self.get_many().await,
            2 => self.set_many().await,
            3 => self.delete_many().await,
            4 => self.move_one().await,
            5 => self.scan().await,
            _ => {
                let key = self.key();
                let action = self.action(key);
                vec![self.call(key, action).await]
            }
        }
    }

    /// Reads every key once when all is over, each until it is answered.
    ///
    /// # Errors
    ///
    /// The call that was not answered in time.
    pub(super) async fn read_all(
        mut self,
        keys: impl IntoIterator<Item = u32>,
    ) -> Result<Vec<Call>, Call> {
        let mut calls = Vec::new();
        for key in keys {
            let patience = self.clock.now() + PATIENCE;
            loop {
                let call = self.call(key, Action::Get).await;
                match call.end {
                    End::Answered(_) => break calls.push(call),
                    _ if self.clock.now() > patience => return Err(call),
                    _ => sleep(self.pause).await,
                }
            }
        }
        Ok(calls)
    }

    /// Chooses a key: one of this time, or one of those that are used all the time.
    fn key(&mut self) -> u32 {
        let time = match self.rng.u8(..5) {
            0 => LASTING,
            _ => (self.clock.now().as_millis() / self.generation.as_millis()) as u32,
        };
        time * KEYS + self.rng.u32(..KEYS)
    }

    async fn call(&mut self, key: u32, action: Action) -> Call {
        let began = self.clock.nanos();
        let patience = self.patience();
        let result = match self.is_gone {
            true => Err(BackendError::new(ErrorKind::Unavailable, "gone for good")),
            false => patience.of(self.perform(key, action)).await,
        };
        if self.planted == Some(Planted::NoDeadline) && self.rng.u8(..100) == 0 {
            sleep(Duration::from_secs(3)).await;
        }
        self.is_gone |= self.planted == Some(Planted::NeverBack) && result.is_err();
        self.made(began, key, action, self.end(action, result))
    }

    /// Returns a call that ends now.
    fn made(&self, began: u64, key: u32, action: Action, end: End) -> Call {
        Call {
            client: self.number,
            key,
            action,
            began,
            ended: self.clock.nanos(),
            end,
        }
    }

    fn end(&self, action: Action, result: BackendResult<Answer>) -> End {
        let error = match result {
            Ok(answer) => return End::Answered(answer),
            Err(error) if error.kind() == ErrorKind::WrongType => {
                return End::Answered(Answer::Foreign);
            }
            Err(error) => error,
        };
        let is_unknown = error.outcome_unknown() && !action.only_reads();
        match is_unknown && self.planted != Some(Planted::CertainFailure) {
            true => End::Unknown,
            false => End::Failed,
        }
    }

    /// Chooses a call. Values differ from all others of all clients.
    fn action(&mut self, key: u32) -> Action {
        if key % KEYS >= REGISTERS {
            return match self.rng.u8(..10) {
                0 => Action::Get,
                1 | 2 => Action::AddFor(self.rng.i64(1..5), self.rng.u64(10..60)),
                3 => Action::Ttl,
                _ => Action::Add(self.rng.i64(1..5)),
            };
        }
        let new = self.new_value();
        let seen = self.seen_value(key);
        let millis = self.rng.u64(20..80);
        let lasts = match self.rng.u8(..3) {
            0 => Lasts::Ever,
            1 => Lasts::For(millis),
            _ => Lasts::Kept,
        };
        match (self.rng.u8(..25), seen) {
            (0..6, _) => Action::Get,
            (6..10, _) => Action::Put(new, lasts, When::Always),
            (10..12, _) => Action::Put(new, lasts, When::Absent),
            (12, _) => Action::Put(new, lasts, When::Present),
            (13..16, Some(seen)) => Action::Put(new, lasts, When::Equals(seen)),
            (16, Some(seen)) => Action::CompareAndDelete(seen),
            (17, _) => Action::Delete,
            (18, _) => Action::Take,
            (19, _) => Action::Exists,
            (20, _) => Action::Expire(Some(millis)),
            (21, _) => Action::Expire(None),
            (22, _) => Action::Restart(millis),
            (23, _) => Action::Extend(millis),
            (24, _) => Action::Ttl,
            _ => Action::Get,
        }
    }

    /// Chooses when a call is given up: most of them only if they never end.
    fn patience(&mut self) -> Patience {
        Patience(match self.rng.u8(..40) {
            0 => Duration::from_micros(self.rng.u64(..3_000)),
            _ => PATIENCE,
        })
    }

    /// Returns a value that no other call of any client writes.
    fn new_value(&mut self) -> i64 {
        self.written += 1;
        i64::from(self.number) * 1_000_000 + self.written
    }

    fn seen_value(&self, key: u32) -> Option<i64> {
        self.seen.get(&key).and_then(|stored| parse(key, stored))
    }

    async fn perform(&mut self, key: u32, action: Action) -> BackendResult<Answer> {
        let name = key_of(key);
        let text = |value: i64| text_of(key, value).into_bytes();
        let store: &dyn Store = &*self.backend;
        if self.planted == Some(Planted::LostWrite)
            && let Action::Put(.., When::Always) = action
            && self.rng.u8(..20) == 0
        {
            return Ok(Answer::Done(true));
        }
        let touch = async |touch: Touch| {
            let read = store.read_value(&name, touch).await;
            read.map(|read| value_of(key, read.as_ref()))
        };
        match action {
            Action::Get => self.read(key, &name).await,
            Action::Put(value, lasts, when) => {
                let expected = when.expected().map(text);
                let condition = when.condition(expected.as_deref());
                let options = Write::new(lasts.life()).when(condition);
                let done = store.put(&name, &text(value), options).await;
                done.map(Answer::Done)
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
            Action::Add(delta) => self.add(&name, delta, None).await,
            Action::AddFor(delta, millis) => {
                let window = Duration::from_millis(millis);
                self.add(&name, delta, Some(window)).await
            }
            Action::Exists => self.backend.exists(&name).await.map(Answer::Done),
            Action::Ttl => self.backend.ttl(&name).await.map(Answer::left),
            Action::Expire(millis) => {
                let life = millis
                    .map(Duration::from_millis)
                    .map_or(Life::Never, Life::In);
                self.backend.expire(&name, life).await.map(Answer::Done)
            }
            Action::Restart(millis) => touch(Touch::Restart(Duration::from_millis(millis))).await,
            Action::Extend(millis) => touch(Touch::Extend(Duration::from_millis(millis))).await,
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

    async fn add(&self, name: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Answer> {
        let counted = |counted: Counted| Answer::Count(counted.value);
        let result = self.backend.add(name, delta, ttl).await;
        match result {
            Err(error) if self.planted == Some(Planted::SecondSend) && error.outcome_unknown() => {
                self.backend.add(name, delta, ttl).await.map(counted)
            }
            result => result.map(counted),
        }
    }
}

/// The time after which a call is dropped.
struct Patience(Duration);

impl Patience {
    /// Waits for a call. One that is dropped has an outcome that nobody knows.
    async fn of<T>(self, call: impl Future<Output = BackendResult<T>>) -> BackendResult<T> {
        match timeout(self.0, call).await {
            Ok(result) => result,
            Err(_) => {
                let dropped = BackendError::new(ErrorKind::Timeout, "the call was dropped");
                Err(dropped.with_outcome_unknown())
            }
        }
    }
}

/// Returns the text of a key.
pub(super) fn key_of(key: u32) -> String {
    format!("{}{}", prefix_of(key / KEYS), key % KEYS)
}

/// Returns what the keys of a time begin with. Those of every other time have a tag: in a cluster
/// they are on one server.
fn prefix_of(time: u32) -> String {
    match is_tagged(time) {
        true => format!("h:{{{time}}}:"),
        false => format!("h:{time}:"),
    }
}

fn is_tagged(time: u32) -> bool {
    time % 2 == 1
}

/// Returns the number of a key by its text.
pub(super) fn number_of(text: &str) -> Option<u32> {
    let (time, key) = text.strip_prefix("h:")?.split_once(':')?;
    let time = time.trim_start_matches('{').trim_end_matches('}');
    Some(time.parse::<u32>().ok()? * KEYS + key.parse::<u32>().ok()?)
}

/// Returns the number of the time at which a key is used, `None` if it is used all the time.
pub(super) fn time_of(key: u32) -> Option<u32> {
    let time = key / KEYS;
    (time != LASTING).then_some(time)
}

/// Returns the text of a register, which names its key.
fn text_of(key: u32, value: i64) -> String {
    format!("{key}:{value}")
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
