//! The script of a flaky backend: its rules in their order, and what becomes of a call.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use fastrand::Rng;
use futures_util::{StreamExt, stream};

use super::fault::{Asked, Effect, Fault, When, was_not_sent};
use super::record::RecordedCall;
use super::standing_rule::{AppliedCount, RuleSettings, StandingRule};
use crate::backend::KeyStream;
use crate::error::{BackendResult, ErrorKind};
use crate::layer::{Answer, Intercept, Next, Operation};

/// The rules and the record, which all clones share.
#[derive(Clone)]
pub(super) struct FaultScript(Arc<Shared>);

struct Shared {
    seed: u64,
    /// Held for a look at the rules or the record. No code of a test runs meanwhile.
    state: Mutex<State>,
}

struct State {
    is_down: bool,
    rules: Vec<StandingRule>,
    calls: Vec<RecordedCall>,
    /// The number of the next rule.
    next: u64,
    /// The source of the random numbers of each rule: that of a rule depends on the seed, and on
    /// how many rules there were before it.
    random: Rng,
}

impl FaultScript {
    pub(super) fn new(seed: u64) -> Self {
        let state = State {
            is_down: false,
            rules: Vec::new(),
            calls: Vec::new(),
            next: 0,
            random: Rng::with_seed(seed),
        };
        let state = Mutex::new(state);
        Self(Arc::new(Shared { seed, state }))
    }

    pub(super) fn seed(&self) -> u64 {
        self.0.seed
    }

    /// Does something under the lock. What is taken out is dropped by the caller: a hook that goes
    /// is code of a test.
    fn locked<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds a rule behind all others. Returns its number, and the count of the calls that it is
    /// applied to.
    pub(super) fn add(&self, settings: RuleSettings, faults: Vec<Fault>) -> (u64, AppliedCount) {
        self.locked(|state| {
            let number = state.next;
            state.next += 1;
            let random = state.random.fork();
            let rule = StandingRule::new(number, settings, faults, random);
            let applied = rule.applied_count();
            state.rules.push(rule);
            (number, applied)
        })
    }

    pub(super) fn remove(&self, number: u64) {
        let removed = self.locked(|state| {
            let mut rules = state.rules.iter();
            let at = rules.position(|rule| rule.number() == number)?;
            Some(state.rules.remove(at))
        });
        drop(removed);
    }

    pub(super) fn clear_rules(&self) {
        let removed = self.locked(|state| std::mem::take(&mut state.rules));
        drop(removed);
    }

    pub(super) fn set_down(&self, is_down: bool) {
        self.locked(|state| state.is_down = is_down);
    }

    pub(super) fn is_down(&self) -> bool {
        self.locked(|state| state.is_down)
    }

    pub(super) fn calls(&self) -> Vec<RecordedCall> {
        self.locked(|state| state.calls.clone())
    }

    /// Returns the calls so far, and begins the record anew.
    pub(super) fn take_calls(&self) -> Vec<RecordedCall> {
        self.locked(|state| std::mem::take(&mut state.calls))
    }

    pub(super) fn count(&self, is_meant: impl Fn(&RecordedCall) -> bool) -> usize {
        self.locked(|state| state.calls.iter().filter(|call| is_meant(call)).count())
    }

    /// Writes the script into the fields of its owner's text. The keys of calls stay out.
    pub(super) fn describe(&self, fields: &mut fmt::DebugStruct<'_, '_>) {
        // The text is made first: the writer is code of others.
        let (is_down, rules, calls) = self.locked(|state| {
            let rules: Vec<_> = state.rules.iter().map(|rule| format!("{rule:?}")).collect();
            (state.is_down, rules.join(", "), state.calls.len())
        });
        fields
            .field("seed", &self.0.seed)
            .field("is_down", &is_down)
            .field("rules", &format_args!("[{rules}]"))
            .field("calls", &calls);
    }

    /// Records a call that begins, and returns the fault that happens to it.
    fn begin(&self, asked: &Asked) -> Option<Fault> {
        let call = asked.call.clone();
        self.locked(|state| {
            state.calls.push(call);
            if state.is_down {
                return Some(Fault::before(Effect::Fail(ErrorKind::Unavailable)));
            }
            let mut first = None;
            for rule in &mut state.rules {
                // Each rule counts the call, whoever is applied to it.
                let turn = rule.meet(&asked.call);
                if first.is_none() {
                    first = turn.map(|turn| rule.apply(turn));
                }
            }
            first
        })
    }
}

impl Intercept for FaultScript {
    async fn call<T: Answer>(
        &self,
        operation: Operation<'_>,
        next: Next<'_, T>,
    ) -> BackendResult<T> {
        let asked = Asked::from(operation);
        let Some(fault) = self.begin(&asked) else {
            return next.run().await;
        };
        match fault.when {
            When::Before => {
                fault.happen(&asked).await?;
                next.run().await
            }
            When::After => {
                let answer = next.run().await;
                if !was_not_sent(&answer) {
                    fault.happen(&asked).await?;
                }
                answer
            }
        }
    }

    /// As a call, a scan begins when it is polled for the first time.
    fn keys<'a>(&'a self, operation: Operation<'_>, next: KeyStream<'a>) -> KeyStream<'a> {
        let asked = Asked::from(operation);
        let begun = async move {
            match self.begin(&asked) {
                None => next,
                Some(fault) if fault.when == When::Before => match fault.happen(&asked).await {
                    Ok(()) => next,
                    Err(error) => stream::iter([Err(error)]).boxed(),
                },
                Some(fault) => {
                    let end = async move { fault.happen(&asked).await.err().map(Err) };
                    let end = stream::once(end).filter_map(std::future::ready);
                    next.chain(end).boxed()
                }
            }
        };
        stream::once(begun).flatten().boxed()
    }
}

impl From<Operation<'_>> for Asked {
    fn from(operation: Operation<'_>) -> Self {
        Self {
            is_read: operation.is_read(),
            call: operation.into(),
        }
    }
}

impl fmt::Debug for FaultScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("FaultScript");
        self.describe(&mut fields);
        fields.finish()
    }
}
