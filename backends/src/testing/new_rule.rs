//! A rule in the making: which calls it is about, and what happens to these.

use std::time::Duration;

use super::fault::{Effect, Fault, Hook};
use super::hold::Held;
use super::hold_gate::HoldGate;
use super::record::RecordedCall;
use super::rule::Rule;
use super::script::FaultScript;
use super::standing_rule::{RuleKeys, RuleSettings};
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::layer::Op;

/// A rule in the making: [`Flaky::on`](super::Flaky::on) begins one, and the method that says what
/// happens adds it to the rules.
///
/// Until then it says which calls it is about ([`key`](Self::key), [`prefix`](Self::prefix)), and
/// to which of these it is applied: to all, unless [`nth`](Self::nth), [`first`](Self::first),
/// [`after`](Self::after) or [`chance`](Self::chance) says something else. Their numbers count the
/// calls that the rule is about, from when it was added, by all clones.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::layer::Op;
/// use reinhardt_backends::testing::Flaky;
/// use reinhardt_backends::{Backend, ErrorKind, MemoryBackend};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> reinhardt_backends::BackendResult<()> {
/// let flaky = Flaky::new(MemoryBackend::new());
/// let rule = flaky.on(Op::Write).prefix("user:").after(1).first(2).fail(ErrorKind::Full);
/// let mut failed = Vec::new();
/// for id in 1..=5 {
///     failed.push(flaky.set(&format!("user:{id}"), id, None).await.is_err());
///     flaky.set("other", id, None).await?;
/// }
/// assert_eq!(failed, [false, true, true, false, false]);
/// assert_eq!(rule.applied(), 2);
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "a rule is added by the method that says what happens, such as `fail`"]
pub struct NewRule {
    script: FaultScript,
    settings: RuleSettings,
}

impl NewRule {
    pub(super) fn new(script: FaultScript, op: Option<Op>) -> Self {
        let settings = RuleSettings::about(op);
        Self { script, settings }
    }

    /// Makes the rule one about calls that name this key, alone or among others. Of a scan and a
    /// clear the prefix counts as their key. Replaces an earlier [`prefix`](Self::prefix).
    pub fn key(mut self, key: impl AsRef<str>) -> Self {
        self.settings.keys = RuleKeys::Equal(key.as_ref().to_string());
        self
    }

    /// Makes the rule one about calls that name a key that begins with `prefix`, alone or among
    /// others. Replaces an earlier [`key`](Self::key).
    pub fn prefix(mut self, prefix: impl AsRef<str>) -> Self {
        self.settings.keys = RuleKeys::Under(prefix.as_ref().to_string());
        self
    }

    /// Applies the rule to one call alone: the first is number 1. There is no call number 0, so
    /// with it the rule is never applied.
    pub fn nth(mut self, number: usize) -> Self {
        self.settings.skipped = number.saturating_sub(1);
        self.settings.most = usize::from(number > 0);
        self
    }

    /// Applies the rule to so many calls at most: to the first ones, or, with
    /// [`after`](Self::after), to those that follow. With 0 it is never applied.
    pub fn first(mut self, most: usize) -> Self {
        self.settings.most = most;
        self
    }

    /// Lets so many calls pass before the rule is applied.
    pub fn after(mut self, skipped: usize) -> Self {
        self.settings.skipped = skipped;
        self
    }

    /// Applies the rule by chance: to a call with this probability, from 0 (never) to 1 (always).
    ///
    /// The [seed](super::Flaky::seeded) decides. For the rule that is the n-th to be added, the
    /// answer for the m-th call that it is about is always the same. What isn't a number means
    /// never.
    pub fn chance(mut self, probability: f64) -> Self {
        self.settings.chance = probability;
        self
    }

    /// The call is that of the backend inside: an exception from the rules that are added later.
    ///
    /// # Examples
    ///
    /// ```
    /// # use reinhardt_backends::layer::Op;
    /// # use reinhardt_backends::testing::Flaky;
    /// # use reinhardt_backends::{Backend, ErrorKind, MemoryBackend};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> reinhardt_backends::BackendResult<()> {
    /// let flaky = Flaky::new(MemoryBackend::new());
    /// flaky.on(Op::Read).pass();
    /// flaky.on_any().fail(ErrorKind::Full);
    /// assert_eq!(flaky.get::<String>("user:7").await?, None);
    /// assert!(flaky.set("user:7", "ann", None).await.is_err());
    /// # Ok(()) }
    /// ```
    pub fn pass(self) -> Rule {
        self.add(Fault::before(Effect::Pass))
    }

    /// The call fails, and has no effect. The error has the text that the Redis backend would give
    /// it: for `Unavailable` that of a server that nobody listens for, and so on.
    pub fn fail(self, kind: ErrorKind) -> Rule {
        self.add(Fault::before(Effect::Fail(kind)))
    }

    /// The call fails with this error, and has no effect.
    pub fn fail_with(self, error: BackendError) -> Rule {
        self.add(Fault::before(Effect::FailWith(error)))
    }

    /// The request is lost: the call has no effect, and fails with `Unavailable`, as when the
    /// connection breaks. The caller can't tell this from [`lose_after`](Self::lose_after): the
    /// error of a call that changes something says that its
    /// [outcome is unknown](BackendError::outcome_unknown).
    ///
    /// The Redis backend asks for a plain read once more before it fails.
    pub fn lose_before(self) -> Rule {
        self.add(Fault::before(Effect::Lose))
    }

    /// The answer is lost: the call has its effect, and fails with `Unavailable`, as when the
    /// connection breaks. The error of a call that changes something says that its
    /// [outcome is unknown](BackendError::outcome_unknown).
    ///
    /// A scan yields all keys, and the error in place of the end.
    pub fn lose_after(self) -> Rule {
        self.add(Fault::after(Effect::Lose))
    }

    /// The request is lost and nobody notices: the call has no effect, and fails with `Timeout`
    /// when `limit` has passed on tokio's clock. The error of a call that changes something says
    /// that its [outcome is unknown](BackendError::outcome_unknown).
    pub fn time_out_before(self, limit: Duration) -> Rule {
        self.add(Fault::before(Effect::TimeOut(limit)))
    }

    /// The answer is lost and nobody notices: the call has its effect, and fails with `Timeout`
    /// when `limit` has passed on tokio's clock. The error of a call that changes something says
    /// that its [outcome is unknown](BackendError::outcome_unknown).
    pub fn time_out_after(self, limit: Duration) -> Rule {
        self.add(Fault::after(Effect::TimeOut(limit)))
    }

    /// The call waits for so long on tokio's clock, and has its effect then. A call that is dropped
    /// while it waits has no effect.
    pub fn delay(self, time: Duration) -> Rule {
        self.add(Fault::before(Effect::Delay(time)))
    }

    /// The call has its effect at once, and is answered after so long on tokio's clock. A call that
    /// is dropped while it waits has had its effect.
    pub fn delay_after(self, time: Duration) -> Rule {
        self.add(Fault::after(Effect::Delay(time)))
    }

    /// The call has no effect and is never answered, for callers with a limit of time of their own.
    pub fn hang(self) -> Rule {
        self.add(Fault::before(Effect::Hang))
    }

    /// The call has its effect and is never answered.
    pub fn hang_after(self) -> Rule {
        self.add(Fault::after(Effect::Hang))
    }

    /// The call waits until the test lets it go on by the [`Held`] that is returned, and has its
    /// effect then: for tests of what others do meanwhile. A call that is dropped while it waits
    /// has no effect.
    ///
    /// # Examples
    ///
    /// ```
    /// use reinhardt_backends::layer::Op;
    /// use reinhardt_backends::testing::Flaky;
    /// use reinhardt_backends::{Backend, MemoryBackend};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> reinhardt_backends::BackendResult<()> {
    /// let flaky = Flaky::new(MemoryBackend::new());
    /// let held = flaky.on(Op::Write).nth(1).hold();
    /// let late = tokio::spawn({
    ///     let flaky = flaky.clone();
    ///     async move { flaky.set_if_absent("user:7", "late", None).await }
    /// });
    /// held.reached(1).await;
    /// assert!(flaky.set_if_absent("user:7", "first", None).await?);
    /// held.open();
    /// assert!(!late.await.unwrap()?);
    /// # Ok(()) }
    /// ```
    pub fn hold(self) -> Held {
        let gate = HoldGate::new();
        let rule = self.add(Fault::before(Effect::Hold(gate.clone())));
        Held::new(gate, rule)
    }

    /// The call has its effect, and waits for its answer until the test lets it go on by the
    /// [`Held`] that is returned.
    pub fn hold_after(self) -> Held {
        let gate = HoldGate::new();
        let rule = self.add(Fault::after(Effect::Hold(gate.clone())));
        Held::new(gate, rule)
    }

    /// Runs `hook` before the call has its effect, which it has when the hook's future has ended. A
    /// call whose hook fails has no effect, and fails with that error.
    ///
    /// No lock is held while the hook runs: it may call the flaky backend.
    ///
    /// # Examples
    ///
    /// Another process is faster between two calls of an update:
    ///
    /// ```
    /// use reinhardt_backends::layer::Op;
    /// use reinhardt_backends::testing::Flaky;
    /// use reinhardt_backends::{Backend, Keyspace, MemoryBackend};
    ///
    /// #[derive(Keyspace)]
    /// #[keyspace(prefix = "stock", ttl = never, value = u32)]
    /// struct Stock {
    ///     article: u32,
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> reinhardt_backends::BackendResult<()> {
    /// let memory = MemoryBackend::new();
    /// let stock = Stock { article: 7 };
    /// stock.set(&memory, &5).await?;
    /// let flaky = Flaky::new(memory.clone());
    /// flaky.on(Op::Write).nth(1).run(move |_call| {
    ///     let memory = memory.clone();
    ///     async move { Stock { article: 7 }.set(&memory, &4).await }
    /// });
    /// assert_eq!(stock.update(&flaky, |left| *left -= 1).await?, Some(3));
    /// assert_eq!(flaky.count(Op::Write), 2);
    /// # Ok(()) }
    /// ```
    pub fn run<F, Fut>(self, hook: F) -> Rule
    where
        F: Fn(RecordedCall) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = BackendResult<()>> + Send + 'static,
    {
        self.add(Fault::before(Effect::Run(Hook::new(hook))))
    }

    /// Runs `hook` when the call had its effect; the caller gets the answer when the hook's future
    /// has ended. The error of a hook takes the place of the answer.
    pub fn run_after<F, Fut>(self, hook: F) -> Rule
    where
        F: Fn(RecordedCall) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = BackendResult<()>> + Send + 'static,
    {
        self.add(Fault::after(Effect::Run(Hook::new(hook))))
    }

    fn add(self, fault: Fault) -> Rule {
        self.add_one_of(vec![fault])
    }

    /// Adds a rule one of whose faults happens to each call, by chance.
    pub(super) fn add_one_of(self, faults: Vec<Fault>) -> Rule {
        let Self { script, settings } = self;
        let (number, applied) = script.add(settings, faults);
        Rule::new(script, number, applied)
    }
}
