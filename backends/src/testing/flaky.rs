//! The backend that fails where a test says so.

use std::fmt;

use super::fault::{Effect, Fault};
use super::new_rule::NewRule;
use super::record::RecordedCall;
use super::rule::Rule;
use super::script::FaultScript;
use crate::backend::store::forward::forward_store;
use crate::backend::store::{Layer, Store};
use crate::error::ErrorKind;
use crate::layer::{Intercepted, Op};

/// A backend around another one that fails, delays and loses calls by rules, and records what it
/// was asked.
///
/// It is a backend: pass it to the code under test. Clones share the rules and the record, so a
/// test keeps one. Without rules each call is that of the backend inside, and every clause of the
/// contract holds.
///
/// # What becomes of a call
///
/// 1. The call is recorded ([`calls`](Self::calls)).
/// 2. While the store is [down](Self::down), the call fails at once. No rule counts it.
/// 3. Otherwise every rule that is about the call counts it, also if another rule is applied to it.
/// 4. Of the rules whose turn it is (its number is right, and so is its chance), the one that was
///    added first is applied, and no other one.
/// 5. If it is no rule's turn, the backend inside answers.
///
/// All this happens when the call is polled for the first time: a call that is never polled is
/// neither recorded nor counted. [`close`](crate::Backend::close) goes straight to the backend
/// inside.
///
/// # Errors
///
/// The errors have the kinds and the texts of the Redis backend, so code that handles them meets in
/// a test what it will meet later. A call that was lost or timed out says that its
/// [outcome is unknown](crate::BackendError::outcome_unknown), unless it only reads. A `set_many`
/// names all of its entries as failed. What is refused before it is sent (`InvalidKey`,
/// `InvalidTtl`, `TooLarge`) has no answer that could be lost, and meets no fault after its effect.
///
/// # Cancel safety
///
/// A call that is dropped while it waits for [`delay`](NewRule::delay), [`hang`](NewRule::hang),
/// [`hold`](NewRule::hold) or [`run`](NewRule::run) has no effect. It stays recorded and counted.
///
/// # Time
///
/// What waits does so on tokio's clock, so a test with paused time doesn't wait. A memory backend
/// answers at once; behind a `Flaky` no call takes the fast path, so that each can be delayed.
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
/// flaky.on(Op::Write).nth(2).lose_after();
///
/// flaky.set("user:7", "ann", None).await?;
/// let error = flaky.set("user:7", "bob", None).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Unavailable);
/// assert!(error.outcome_unknown());
/// // It was written all the same.
/// assert_eq!(flaky.get::<String>("user:7").await?.as_deref(), Some("bob"));
/// assert_eq!(flaky.count(Op::Write), 2);
/// # Ok(()) }
/// ```
pub struct Flaky<B> {
    scripted: Intercepted<FaultScript, B>,
}

impl<B: Store> Flaky<B> {
    /// Wraps a backend, with the seed 0.
    pub fn new(inner: B) -> Self {
        Self::seeded(inner, 0)
    }

    /// Wraps a backend, and decides by this seed what happens by chance.
    ///
    /// The same seed, the same rules and the same calls in the same order give the same faults. On
    /// several threads the order of calls differs from run to run, and so do the faults. The text
    /// of `Debug` has the seed: a test that takes another seed each time prints the backend where
    /// it fails.
    ///
    /// # Examples
    ///
    /// ```
    /// use reinhardt_backends::testing::Flaky;
    /// use reinhardt_backends::{Backend, MemoryBackend};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// async fn failures(seed: u64) -> Vec<bool> {
    ///     let flaky = Flaky::seeded(MemoryBackend::new(), seed);
    ///     flaky.chaos(0.2);
    ///     let mut failures = Vec::new();
    ///     for _ in 0..100 {
    ///         failures.push(flaky.increment("hits", None).await.is_err());
    ///     }
    ///     failures
    /// }
    ///
    /// assert_eq!(failures(7).await, failures(7).await);
    /// assert_ne!(failures(7).await, failures(8).await);
    /// # }
    /// ```
    pub fn seeded(inner: B, seed: u64) -> Self {
        Self {
            scripted: FaultScript::new(seed).layer(inner),
        }
    }
}

impl<B> Flaky<B> {
    /// Begins a rule about the calls of one kind. [`NewRule`] has what a rule may say.
    pub fn on(&self, op: Op) -> NewRule {
        NewRule::new(self.script().clone(), Some(op))
    }

    /// Begins a rule about calls of every kind.
    pub fn on_any(&self) -> NewRule {
        NewRule::new(self.script().clone(), None)
    }

    /// Adds a rule by which each call fails with this probability, in one of three ways that are
    /// equally likely: the server refuses the connection ([`fail`](NewRule::fail)), the request is
    /// lost ([`lose_before`](NewRule::lose_before)), or its answer is
    /// ([`lose_after`](NewRule::lose_after)).
    ///
    /// The [seed](Self::seeded) decides. As other rules, this one is applied to a call if it isn't
    /// the turn of one that was added before.
    pub fn chaos(&self, probability: f64) -> Rule {
        self.on_any().chance(probability).add_one_of(vec![
            Fault::before(Effect::Fail(ErrorKind::Unavailable)),
            Fault::before(Effect::Lose),
            Fault::after(Effect::Lose),
        ])
    }

    /// Removes all rules. The store stays up or down, and the record stays.
    pub fn clear_rules(&self) {
        self.script().clear_rules();
    }

    /// Takes the store down: from now on each call fails at once with `Unavailable`, has no effect,
    /// and says so, until the store is [up](Self::up) again. A call that has begun goes on.
    ///
    /// # Examples
    ///
    /// ```
    /// use reinhardt_backends::testing::Flaky;
    /// use reinhardt_backends::{Backend, MemoryBackend};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> reinhardt_backends::BackendResult<()> {
    /// let flaky = Flaky::new(MemoryBackend::new());
    /// flaky.down();
    /// let error = flaky.ping().await.unwrap_err();
    /// assert_eq!(error.to_string(), "backend unavailable: flaky:6379 refused the connection");
    /// flaky.up();
    /// flaky.ping().await?;
    /// # Ok(()) }
    /// ```
    pub fn down(&self) {
        self.script().set_down(true);
    }

    /// Takes the store up again, with all that was stored before. Without effect on a store that is
    /// up.
    pub fn up(&self) {
        self.script().set_down(false);
    }

    /// Says whether the store is down.
    pub fn is_down(&self) -> bool {
        self.script().is_down()
    }

    /// Returns the calls so far, in the order in which they began, whatever became of them.
    pub fn calls(&self) -> Vec<RecordedCall> {
        self.script().calls()
    }

    /// Returns the calls so far, and begins the record anew.
    pub fn take_calls(&self) -> Vec<RecordedCall> {
        self.script().take_calls()
    }

    /// Returns the number of calls of this kind so far.
    pub fn count(&self, op: Op) -> usize {
        self.script().count(|call| call.op == op)
    }

    /// Begins the record anew. Rules go on counting where they are.
    pub fn clear_calls(&self) {
        drop(self.take_calls());
    }

    /// Returns the seed.
    pub fn seed(&self) -> u64 {
        self.script().seed()
    }

    /// Returns the backend inside: its calls meet no rule and aren't recorded.
    pub fn inner(&self) -> &B {
        self.scripted.inner()
    }

    fn script(&self) -> &FaultScript {
        self.scripted.intercept()
    }
}

forward_store! {
    [B: Store] Flaky<B>: |self| self.scripted;
}

impl<B> Clone for Flaky<B> {
    fn clone(&self) -> Self {
        Self {
            scripted: self.scripted.clone(),
        }
    }
}

impl<B: Store + Default> Default for Flaky<B> {
    fn default() -> Self {
        Self::new(B::default())
    }
}

/// Shows the seed, the rules with their keys, and the number of calls.
impl<B: fmt::Debug> fmt::Debug for Flaky<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Flaky");
        self.script().describe(&mut fields);
        fields.field("inner", self.inner()).finish()
    }
}
