//! Values that one caller computes and others wait for.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use reinhardt_backends::store::Store;
use reinhardt_backends::{BackendError, BackendResult, Condition, ErrorKind, Life, Write};

use super::caller::{Caller, Doing, meddle};
use super::keys::{self, Leased, Page, Register};
use super::wait::give_way;
use super::{Planted, wait};
use crate::{Action, Answer, End, Lasts, When};

/// A computation: what it made, and when it ran.
#[derive(Debug, Clone, Copy)]
pub(super) struct Computation {
    pub(super) key: u32,
    pub(super) value: i64,
    pub(super) began: u64,
    pub(super) ended: u64,
    /// False if it has failed or was dropped.
    pub(super) is_whole: bool,
}

/// A value that a caller got which asked for a computed one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Served {
    pub(super) client: u32,
    pub(super) key: u32,
    pub(super) value: i64,
    pub(super) began: u64,
    pub(super) ended: u64,
}

/// The text of the error that a closure fails with.
const FAILED: &str = "the closure has failed";

impl Caller {
    /// Asks for a value that is computed, or reads, writes or removes it.
    pub(super) fn use_computed(&self, now: u64) {
        let key = self.scene.keys.computed(now, self.chance());
        match self.below(10) {
            0..2 => self.call(key, Action::Delete),
            2 => self.call(key, Action::Get),
            3 => self.call(key, Action::set(self.new_value())),
            // Some callers leave before they have the value.
            4 => self.get_or_compute(key, Some(self.below(4) + 1)),
            _ => self.get_or_compute(key, None),
        }
    }

    fn get_or_compute(&self, key: u32, most_polls: Option<u32>) {
        let computation = Cell::new(None);
        let value = self.new_value();
        let compute = async || self.compute(key, value, &computation).await;
        let (got, began, ended) = self.within(Doing::Compute, key, || {
            let backend = &self.scene.backend;
            if self.is_planted(Planted::TwoComputations) {
                return poll_at_most(most_polls, self.compute_beside_others(key, compute));
            }
            let got = match keys::is_leased(key) {
                true => {
                    let leased = Leased::of(key);
                    poll_at_most(most_polls, leased.get_or_set_with(backend, compute))
                }
                false => {
                    let page = Page::of(key);
                    poll_at_most(most_polls, page.get_or_set_with(backend, compute))
                }
            };
            if self.is_planted(Planted::StoredLate)
                && let Some(Ok(register)) = &got
                && register.value == value
            {
                let _ = wait(self.store(key, value));
            }
            got
        });
        let computation: Option<Computation> = computation.get();
        if let Some(computation) = computation {
            self.log.borrow_mut().computations.push(computation);
            if computation.is_whole {
                let action = Action::Put(value, Lasts::Ever, When::Absent);
                self.note_call(key, action, End::Perhaps, [computation.ended, ended]);
            }
        }
        match got {
            None => {}
            Some(Ok(register)) => self.serve(key, &register, began, ended),
            Some(Err(error)) => self.refuse(&error, computation),
        }
    }

    /// The closure. It gives way to others, calls the store and fails now and then.
    async fn compute(
        &self,
        key: u32,
        value: i64,
        noted: &Cell<Option<Computation>>,
    ) -> BackendResult<Register> {
        let mut running = Running {
            caller: self,
            noted,
            computation: Computation {
                key,
                value,
                began: self.scene.nanos(),
                ended: 0,
                is_whole: false,
            },
        };
        give_way(self.below(4)).await;
        meddle(None);
        if self.below(20) == 0 {
            return Err(BackendError::new(ErrorKind::Other, FAILED));
        }
        running.computation.is_whole = true;
        Ok(Register { key, value })
    }

    /// The planted fault: reads, computes and stores, whoever else does.
    async fn compute_beside_others<F>(
        &self,
        key: u32,
        compute: impl FnOnce() -> F,
    ) -> BackendResult<Register>
    where
        F: Future<Output = BackendResult<Register>>,
    {
        let name = keys::name(key);
        let read = self.scene.backend.read_value(&name, Default::default());
        if let Some(stored) = read.await? {
            let value = Register::read(key, &stored).unwrap_or_default();
            return Ok(Register { key, value });
        }
        let register = compute().await?;
        self.store(key, register.value).await?;
        Ok(register)
    }

    /// Stores a value where there is none.
    async fn store(&self, key: u32, value: i64) -> BackendResult<bool> {
        let options = Write::new(Life::Never).when(Condition::Absent);
        let (name, bytes) = (keys::name(key), Register::bytes(key, value));
        self.scene.backend.put(&name, &bytes, options).await
    }

    fn serve(&self, key: u32, register: &Register, began: u64, ended: u64) {
        if register.key != key {
            return self.record(key, Action::Get, Ok(Answer::Foreign), began, ended);
        }
        self.log.borrow_mut().served.push(Served {
            client: self.number(),
            key,
            value: register.value,
            began,
            ended,
        });
    }

    /// An error of a closure is its own caller's alone; what a full store refuses is anybody's.
    fn refuse(&self, error: &BackendError, computation: Option<Computation>) {
        let has_failed = computation.is_some_and(|computation| !computation.is_whole);
        let is_own = error.kind() == ErrorKind::Other && has_failed;
        if !is_own && error.kind() != ErrorKind::Full {
            let text = format!("a caller got the error of somebody else: {error}");
            self.log.borrow_mut().broken.push(text);
        }
    }
}

/// Notes a computation when it ends, however it does.
struct Running<'a> {
    caller: &'a Caller,
    noted: &'a Cell<Option<Computation>>,
    computation: Computation,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.noted.set(Some(Computation {
            ended: self.caller.scene.nanos(),
            ..self.computation
        }));
    }
}

/// Waits for a future, or polls it so many times and drops it.
fn poll_at_most<T>(most: Option<u32>, future: impl Future<Output = T>) -> Option<T> {
    let Some(most) = most else {
        return Some(wait(future));
    };
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..most {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
    }
    None
}
