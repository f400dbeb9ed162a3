//! One thread that calls, and the calls that code of its values and closures makes.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use futures::StreamExt;
use reinhardt_backends::store::{NewEntry, Store};
use reinhardt_backends::{Backend, BackendResult, Cause, ErrorKind, Life};
use tokio::runtime::Handle;

use super::keys::{self, KEYS, Register, Slot};
use super::listener::Departure;
use super::log::{Clear, Log};
use super::{Planted, Scene, wait};
use crate::{Action, Answer, Call, End, Lasts, When};

/// A caller: a thread that makes one call after the other. Calls of code within a call are its own
/// as well.
pub(super) struct Caller {
    pub(super) scene: Arc<Scene>,
    number: u32,
    rng: RefCell<Rng>,
    /// The values that were read last.
    seen: RefCell<HashMap<u32, i64>>,
    written: Cell<i64>,
    /// The number of calls that code within calls is in.
    depth: Cell<u32>,
    /// The time at which the innermost call began.
    began: Cell<u64>,
    pub(super) log: RefCell<Log>,
}

thread_local! {
    static CALLER: RefCell<Option<Rc<Caller>>> = const { RefCell::new(None) };
}

/// The depth of calls within calls.
const DEEPEST: u32 = 2;
/// Code makes a call at one of so many opportunities.
const SELDOM: u32 = 6;

/// A call that hasn't ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    doing: Doing,
    key: u32,
    began: u64,
}

/// What a thread is at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Doing {
    Call(Action),
    Compute,
    GetMany,
    SetMany,
    DeleteMany,
    Move,
    Scan,
    Clear,
    Noise,
}

/// `CompareAndDelete(7) on key 17 since 42 ms`
impl fmt::Display for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { doing, key, began } = self;
        match doing {
            Doing::Call(action) => write!(f, "{action:?}")?,
            other => write!(f, "{other:?}")?,
        }
        write!(f, " on key {key} since {} ms", began / 1_000_000)
    }
}

/// For code of values, closures and layers: makes a call on this thread now and then, most often on
/// the key that it is about.
pub(super) fn meddle(key: Option<u32>) {
    if let Some(caller) = Caller::of_this_thread() {
        caller.meddle(key);
    }
}

impl Caller {
    /// Makes calls on this thread until the time is over.
    pub(super) fn run(scene: Arc<Scene>, number: u32) -> Log {
        let _context = scene.runtime.as_ref().map(Handle::enter);
        let seed = scene.settings.seed.wrapping_mul(31) + u64::from(number);
        let time = scene.settings.time;
        let caller = Rc::new(Self {
            scene: scene.clone(),
            number,
            rng: RefCell::new(Rng::with_seed(seed)),
            seen: RefCell::default(),
            written: Cell::new(0),
            depth: Cell::new(0),
            began: Cell::new(0),
            log: RefCell::default(),
        });
        CALLER.set(Some(caller.clone()));
        while scene.began.elapsed() < time {
            caller.next();
        }
        CALLER.set(None);
        caller.log.take()
    }

    pub(super) fn number(&self) -> u32 {
        self.number
    }

    pub(super) fn of_this_thread() -> Option<Rc<Self>> {
        CALLER.with_borrow(Clone::clone)
    }

    fn next(&self) {
        let now = self.scene.nanos();
        let is_about_ends = self.scene.settings.is_about_ends;
        if self.below(100) == 0 && !is_about_ends {
            self.use_computed(now);
        } else if let Some(generation) = self.scene.keys.lasting(now, self.chance()) {
            self.next_of(generation, false);
        } else if is_about_ends && self.below(50) != 0 {
            std::hint::spin_loop();
        } else if let Some(generation) = self.scene.keys.brief(now) {
            if let Some(old) = self.scene.keys.left_behind(generation)
                && self.below(50) == 0
            {
                self.clear(old);
            }
            self.next_of(generation, true);
        } else {
            self.make_noise();
        }
    }

    fn next_of(&self, generation: u32, is_brief: bool) {
        match self.below(40) {
            0 => self.scan(generation),
            1 => self.get_many(generation),
            2 if is_brief => self.set_many(generation),
            3 if is_brief => self.delete_many(generation),
            4 => self.move_one(generation),
            5 if is_brief && self.below(4) == 0 => self.clear(generation),
            _ => {
                let key = self.key_of(generation);
                self.call(key, self.action(key));
            }
        }
    }

    /// Makes a call within another one, if it is time for one.
    pub(super) fn meddle(&self, key: Option<u32>) {
        let depth = self.depth.get();
        if !self.scene.settings.calls_back || depth >= DEEPEST || self.below(SELDOM) != 0 {
            return;
        }
        self.depth.set(depth + 1);
        let now = self.scene.nanos();
        match key.filter(|_| self.below(4) != 0) {
            Some(key) if keys::is_lasting(key) => {
                if self.scene.keys.lasting(now, self.chance()).is_some() {
                    self.call(key, self.action(key));
                }
            }
            Some(key) if keys::is_slot(key) => {
                if self.scene.keys.brief(now).is_some() {
                    self.call(key, self.action(key));
                }
            }
            _ => self.make_noise(),
        }
        self.depth.set(depth);
    }

    /// Notes that an entry has left by a call of this thread.
    pub(super) fn note(&self, departure: Departure) {
        let mut log = self.log.borrow_mut();
        log.departures.push(departure);
        if let (Cause::Evicted, Some(value)) = (departure.cause, departure.value) {
            drop(log);
            let end = End::Answered(Answer::Done(true));
            let times = [self.began.get(), self.scene.nanos()];
            self.note_call(departure.key, Action::Evicted(value), end, times);
        }
    }

    /// Makes a call and writes it down.
    pub(super) fn call(&self, key: u32, action: Action) {
        let doing = Doing::Call(action);
        let (result, began, ended) = self.within(doing, key, || self.perform(key, action));
        if let Ok(Answer::Value(Some(value))) = &result {
            self.seen.borrow_mut().insert(key, *value);
        }
        self.record(key, action, result, began, ended);
    }

    /// Does something that calls the store, and returns when it began and ended.
    pub(super) fn within<T>(
        &self,
        doing: Doing,
        key: u32,
        work: impl FnOnce() -> T,
    ) -> (T, u64, u64) {
        let began = self.scene.nanos();
        self.pending().push(Pending { doing, key, began });
        let outer = self.began.replace(began);
        let done = work();
        self.began.set(outer);
        self.pending().pop();
        (done, began, self.scene.nanos())
    }

    fn pending(&self) -> MutexGuard<'_, Vec<Pending>> {
        let pending = &self.scene.pending[self.number as usize];
        pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn record(
        &self,
        key: u32,
        action: Action,
        result: BackendResult<Answer>,
        began: u64,
        ended: u64,
    ) {
        let end = match result {
            Ok(answer) => End::Answered(answer),
            // What a store in memory may say. Nothing was changed then.
            Err(error) if matches!(error.kind(), ErrorKind::Full | ErrorKind::Conflict) => {
                End::Failed
            }
            Err(_) => End::Answered(Answer::Foreign),
        };
        self.note_call(key, action, end, [began, ended]);
    }

    pub(super) fn note_call(&self, key: u32, action: Action, end: End, times: [u64; 2]) {
        let [began, ended] = times;
        self.log.borrow_mut().calls.push(Call {
            client: self.number,
            key,
            action,
            began,
            ended,
            end,
        });
    }

    pub(super) fn below(&self, most: u32) -> u32 {
        self.rng.borrow_mut().u32(..most)
    }

    pub(super) fn chance(&self) -> u64 {
        self.rng.borrow_mut().u64(..)
    }

    /// Returns a value that no other call writes.
    pub(super) fn new_value(&self) -> i64 {
        self.written.set(self.written.get() + 1);
        i64::from(self.number + 1) * 10_000_000 + self.written.get()
    }

    pub(super) fn seen(&self, key: u32) -> Option<i64> {
        self.seen.borrow().get(&key).copied()
    }

    pub(super) fn is_planted(&self, planted: Planted) -> bool {
        self.scene.planted == Some(planted)
    }

    fn key_of(&self, generation: u32) -> u32 {
        generation * KEYS + self.below(KEYS)
    }

    /// Chooses a call.
    fn action(&self, key: u32) -> Action {
        let is_about_ends = self.scene.settings.is_about_ends;
        let longest = if is_about_ends { 12 } else { 40 };
        let millis = u64::from(self.below(longest) + 1);
        if keys::is_counter(key) {
            let delta = i64::from(self.below(4) + 1);
            return match self.below(20) {
                0..3 => Action::Get,
                3 => Action::Delete,
                4 => Action::Ttl,
                5 => Action::Expire(Some(millis)),
                6..9 => Action::AddFor(delta, millis),
                _ => Action::Add(delta),
            };
        }
        let seen = self.seen(key);
        if is_about_ends && self.below(3) == 0 {
            // What began before an end must not take effect after it.
            return match (self.below(5), seen) {
                (0, _) => Action::Expire(None),
                (1, _) => Action::Expire(Some(millis)),
                (2, _) => Action::Restart(millis),
                (3, Some(seen)) => self.writing(Lasts::Ever, When::Equals(seen)),
                _ => self.writing(Lasts::Ever, When::Present),
            };
        }
        // A lasting key stays without a value for a while.
        let writes = !keys::is_lasting(key) || self.below(6) == 0;
        match (self.below(40), seen) {
            (0..3, _) if writes => self.writing(Lasts::Ever, When::Always),
            (3..8, _) if writes => self.writing(Lasts::For(millis), When::Always),
            (8..12, _) if writes => self.writing(self.lasts(millis), When::Absent),
            (12..14, _) => self.writing(self.lasts(millis), When::Present),
            (14..18, Some(seen)) => self.writing(self.lasts(millis), When::Equals(seen)),
            (18, Some(seen)) => Action::CompareAndDelete(seen),
            (19, _) if writes => Action::Delete,
            (20, _) if writes => Action::Take,
            (21, _) => Action::Expire(None),
            (22..24, _) => Action::Expire(Some(millis)),
            (24..26, _) => Action::Restart(millis),
            (26..28, _) => Action::Extend(millis),
            (28..30, _) => Action::Ttl,
            (30..32, _) => Action::Exists,
            (32..35, _) => Action::Update(self.new_value()),
            _ => Action::Get,
        }
    }

    fn writing(&self, lasts: Lasts, when: When) -> Action {
        Action::Put(self.new_value(), lasts, when)
    }

    /// Chooses how long a value lasts.
    fn lasts(&self, millis: u64) -> Lasts {
        match self.below(3) {
            0 => Lasts::Ever,
            1 => Lasts::For(millis),
            _ => Lasts::Kept,
        }
    }

    /// Reads some keys in one call, and one of them twice.
    fn get_many(&self, generation: u32) {
        let mut keys: Vec<u32> = (0..3).map(|_| self.key_of(generation)).collect();
        keys.push(keys[0]);
        let names: Vec<String> = keys.iter().map(|key| keys::name(*key)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let read = || wait(self.scene.backend.read_values(&names, Default::default()));
        let (read, began, ended) = self.within(Doing::GetMany, keys[0], read);
        let Ok(read) = read else {
            return self.record(keys[0], Action::Get, Ok(Answer::Foreign), began, ended);
        };
        for (key, stored) in keys.into_iter().zip(read) {
            let value = match &stored {
                None => Answer::Value(None),
                Some(stored) => match Register::read(key, stored) {
                    Some(value) => Answer::Value(Some(value)),
                    None => Answer::Foreign,
                },
            };
            self.record(key, Action::Get, Ok(value), began, ended);
        }
    }

    /// Writes some registers in one call.
    fn set_many(&self, generation: u32) {
        let first = generation * KEYS;
        let new: Vec<(u32, i64)> = [0, 1, 2].map(|at| (first + at, self.new_value())).to_vec();
        let names: Vec<String> = new.iter().map(|(key, _)| keys::name(*key)).collect();
        let bytes: Vec<Vec<u8>> = new.iter().map(|(k, v)| Register::bytes(*k, *v)).collect();
        let millis = u64::from(self.below(40) + 1);
        let life = Life::In(Duration::from_millis(millis));
        let both = names.iter().zip(&bytes);
        let entries = both.map(|(key, value)| NewEntry { key, value, life });
        let entries: Vec<NewEntry<'_>> = entries.collect();
        let (written, began, ended) = self.within(Doing::SetMany, first, || {
            wait(self.scene.backend.put_many(&entries))
        });
        for (at, (key, value)) in new.into_iter().enumerate() {
            let failed = written.as_ref().err();
            let failed = failed.filter(|error| error.failed_indices().contains(&at));
            let answer = failed.map_or(Ok(Answer::Done(true)), |error| Err(error.clone()));
            let action = Action::Put(value, Lasts::For(millis), When::Always);
            self.record(key, action, answer, began, ended);
        }
    }

    /// Removes some keys in one call. How many there were is told, but not which.
    fn delete_many(&self, generation: u32) {
        let keys = [0, 3, 6].map(|at| generation * KEYS + at);
        let names = keys.map(keys::name);
        let names = names.each_ref().map(String::as_str);
        let (removed, began, ended) = self.within(Doing::DeleteMany, keys[0], || {
            wait(self.scene.backend.delete_many(&names))
        });
        let action = match removed {
            Ok(0 | 3) => Action::Delete,
            _ => Action::Clear,
        };
        for key in keys {
            let answer = removed.clone().map(|count| Answer::Done(count > 0));
            self.record(key, action, answer, began, ended);
        }
    }

    /// Moves a value from one register to another one that has none.
    fn move_one(&self, generation: u32) {
        let [from, to] = [0, 1].map(|at| generation * KEYS + at);
        let Some(expected) = self.seen(from) else {
            return self.call(from, Action::Get);
        };
        let new = self.new_value();
        let (name, expected_bytes) = (keys::name(from), Register::bytes(from, expected));
        let (key, value) = (keys::name(to), Register::bytes(to, new));
        let (moved, began, ended) = self.within(Doing::Move, from, || {
            let to = NewEntry {
                key: &key,
                value: &value,
                life: Life::Never,
            };
            let backend = &self.scene.backend;
            wait(backend.move_entry(&name, &expected_bytes, to, None))
        });
        // A move that isn't done says that one of the two wasn't as it had to be, but not which.
        if matches!(moved, Ok(false)) {
            return;
        }
        let answer = moved.map(Answer::Done);
        let removal = Action::CompareAndDelete(expected);
        self.record(from, removal, answer.clone(), began, ended);
        let writing = Action::Put(new, Lasts::Ever, When::Absent);
        self.record(to, writing, answer, began, ended);
    }

    /// Lists the keys of a generation: each was there at some moment, and each other wasn't.
    fn scan(&self, generation: u32) {
        let prefix = Slot::prefix(generation);
        let first = generation * KEYS;
        let (found, began, ended) = self.within(Doing::Scan, first, || {
            wait(self.scene.backend.scan(&prefix).collect::<Vec<_>>())
        });
        let mut is_there = [false; KEYS as usize];
        for name in found {
            let key = name.as_deref().ok().and_then(keys::key_of);
            let index = key.and_then(|key| key.checked_sub(first));
            match index.and_then(|index| is_there.get_mut(index as usize)) {
                Some(it) => *it = !(self.is_planted(Planted::SkippedKey) && self.below(20) == 0),
                None => {
                    let text = format!("a scan of `{prefix}` has found {name:?}");
                    self.log.borrow_mut().broken.push(text);
                }
            }
        }
        for (key, is_there) in (first..).zip(is_there) {
            let answer = Ok(Answer::Done(is_there));
            self.record(key, Action::List, answer, began, ended);
        }
    }

    /// Removes all keys of a generation.
    fn clear(&self, generation: u32) {
        let prefix = Slot::prefix(generation);
        let (cleared, began, ended) = self.within(Doing::Clear, generation * KEYS, || {
            wait(self.scene.backend.clear_prefix(&prefix))
        });
        let mut log = self.log.borrow_mut();
        match cleared {
            Ok(cleared) => log.clears.push(Clear {
                client: self.number,
                generation,
                cleared: cleared as usize,
                began,
                ended,
            }),
            Err(error) => log
                .broken
                .push(format!("`{prefix}` isn't cleared: {error}")),
        }
    }

    /// Makes a call that nobody judges.
    fn make_noise(&self) {
        let name = format!("noise:{}", self.below(24));
        let store: &dyn Backend = &*self.scene.backend;
        let (chance, life) = (self.below(8), Duration::from_millis(1 + self.chance() % 3));
        let (made, ..) = self.within(Doing::Noise, 0, || match chance {
            0 => wait(store.remove(&name, None)).map(drop),
            1..4 => wait((&store).set(&name, "noise", Some(life))),
            _ => wait(store.exists(&name)).map(drop),
        });
        if let Err(error) = made
            && error.kind() != ErrorKind::Full
        {
            let text = format!("noise has failed: {error}");
            self.log.borrow_mut().broken.push(text);
        }
    }
}
