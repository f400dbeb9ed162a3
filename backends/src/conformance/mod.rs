//! The contract of [`Backend`] as a test suite, for authors of backends.
//!
//! Each clause is a function here. An author writes a small [`Harness`] and calls
//! [`conformance_suite!`](crate::conformance_suite) in a test target; every clause becomes a
//! `#[test]` of its name.
//!
//! ```
//! use reinhardt_backends::{MemoryBackend, conformance::Harness};
//!
//! #[derive(Default)]
//! struct Memory;
//!
//! impl Harness for Memory {
//!     type Backend = MemoryBackend;
//!
//!     async fn backend(&self) -> MemoryBackend {
//!         MemoryBackend::new()
//!     }
//! }
//!
//! mod memory {
//!     reinhardt_backends::conformance_suite!(super::Memory);
//! }
//! # fn main() {}
//! ```
//!
//! Concurrency is tested on threads of their own, so backends see real contention. Time is measured
//! around each call: an answer is held against a deadline only if it can't have been on the other
//! side of it, so a slow machine fails no clause.

mod conditions;
mod counters;
mod entries;
mod failure;
mod life;
mod many;
mod runtimes;
mod threads;
mod throttles;
mod user_code;
mod values;

use std::fmt;
use std::future::Future;
use std::time::Duration;

use tokio::runtime::Builder;

use crate::backend::Backend;

pub use conditions::*;
pub use counters::*;
pub use entries::*;
pub use failure::*;
pub use life::*;
pub use many::*;
pub use runtimes::*;
pub use throttles::*;
pub use user_code::*;
pub use values::*;

/// Tells the suite what it needs to know of a backend.
pub trait Harness: Default + Send + Sync + 'static {
    /// The backend under test.
    type Backend: Backend + 'static;

    /// Makes an empty backend that shares no entry with any other backend that this or another
    /// harness has made.
    fn backend(&self) -> impl Future<Output = Self::Backend> + Send;

    /// Runs a clause; on a current-thread runtime unless overridden, for instance by one with a
    /// paused clock.
    fn run(clause: impl Future<Output = ()>) {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime can be built").block_on(clause);
    }

    /// Lets time pass for the backend; a sleep on tokio's clock unless overridden.
    fn pass(&self, time: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(time)
    }

    /// Returns the time past its end for which an entry may still be seen: a millisecond, or zero
    /// for a clock of one's own.
    fn grace(&self) -> Duration {
        Duration::from_millis(1)
    }

    /// Returns the server that the backends of this harness talk to, if the suite can break it.
    fn server(&self) -> Option<&dyn Server> {
        None
    }
}

/// A server that can be broken. Each method returns when its effect is complete.
pub trait Server: Sync {
    /// Stops the server's process with all that it was doing.
    fn pause(&self);
    /// Lets a stopped process go on.
    fn resume(&self);
    /// Kills the process.
    fn kill(&self);
    /// Starts the process again, on the same address.
    fn restart(&self);
}

/// Makes a `#[test]` of every clause, for the [`Harness`](crate::conformance::Harness) of the given
/// type.
///
/// `conformance_suite!(Harness, server)` adds the clauses that can only be asked of a backend with
/// a [`Server`](crate::conformance::Server).
#[macro_export]
macro_rules! conformance_suite {
    ($harness:ty, server) => {
        $crate::conformance_suite!($harness);
        $crate::__clauses_of_a_server! { ($crate::__conformance_tests) $harness }
    };
    ($harness:ty) => {
        $crate::__clauses! { ($crate::__conformance_tests) $harness }
    };
}

/// Passes the names of the clauses on to a macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __clauses {
    (($($macro:tt)*) $harness:ty) => {
        $($macro)*! { $harness;
            a_ttl_is_kept_to_the_millisecond
            an_impossible_ttl_is_refused
            an_expired_entry_is_absent_for_every_operation
            set_replaces_value_and_life_together
            nothing_changes_a_life_unasked
            increments_are_atomic
            a_missing_counter_starts_at_zero
            a_window_closes_under_steady_traffic
            overflow_is_an_error_and_changes_nothing
            counting_something_else_is_an_error_and_changes_nothing
            integers_and_counters_are_the_same_thing
            a_cancelled_increment_leaves_no_immortal_counter
            set_if_absent_has_one_winner
            set_if_present_never_resurrects
            compare_and_set_loses_no_update
            take_gives_a_value_to_at_most_one_caller
            lazy_removal_never_removes_a_fresh_value
            get_many_is_positional
            scan_yields_what_was_there_throughout
            clear_takes_only_its_own
            odd_values_round_trip
            bytes_cost_their_length
            hostile_bytes_are_a_decode_error
            a_value_that_fails_to_encode_stores_nothing
            user_code_never_runs_under_a_lock
            every_call_ends
            errors_show_no_secret_and_no_value
            oversized_and_empty_keys_are_refused
            no_answer_reaches_the_wrong_caller
            a_write_is_seen_by_the_next_read
            a_renewing_read_never_shortens_a_life
            a_move_is_whole_or_does_not_happen
            a_throttle_allows_exactly_what_fits
            a_refused_attempt_uses_nothing_up
            a_throttle_lets_pass_when_it_says
            throttling_something_else_is_an_error_and_changes_nothing
            a_throttle_lives_as_long_as_it_matters
            an_impossible_attempt_is_refused
            an_attempt_leaves_what_others_go_by
            what_is_stored_can_be_read
            an_entry_comes_back_under_the_key_that_was_asked_for
            no_runtime_waits_for_another
            closing_ends
        }
    };
}

/// Passes the names of the clauses that need a server to break on to a macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __clauses_of_a_server {
    (($($macro:tt)*) $harness:ty) => {
        $($macro)*! { $harness;
            every_call_to_a_stopped_server_ends
            a_dead_backend_is_an_error_not_a_miss
            nothing_is_written_twice
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    ($harness:ty; $($clause:ident)*) => {
        $(#[test]
        fn $clause() {
            <$harness as $crate::conformance::Harness>::run(async {
                let harness = <$harness as ::core::default::Default>::default();
                $crate::conformance::$clause(&harness).await;
            });
        })*
    };
}

/// A clause of the contract, to be asked of a backend outside of a test.
pub struct Clause {
    /// The name, by which the [contract](crate::Backend) lists it.
    pub name: &'static str,
    ask: fn(),
}

impl Clause {
    /// Asks the clause, as its `#[test]` does.
    ///
    /// # Panics
    ///
    /// If the backend doesn't keep it. The message says how.
    pub fn ask(&self) {
        (self.ask)();
    }
}

impl fmt::Debug for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clause({})", self.name)
    }
}

macro_rules! list {
    ($harness:ty; $($clause:ident)*) => {
        vec![$(Clause {
            name: stringify!($clause),
            ask: || H::run(async {
                $clause(&<$harness>::default()).await;
            }),
        }),*]
    };
}

/// Lists the clauses that can be asked of a backend without breaking its server, in the order of
/// their numbers.
///
/// [`conformance_suite!`](crate::conformance_suite) makes tests of them.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::MemoryBackend;
/// use reinhardt_backends::conformance::{Harness, clauses};
///
/// #[derive(Default)]
/// struct Memory;
///
/// impl Harness for Memory {
///     type Backend = MemoryBackend;
///
///     async fn backend(&self) -> MemoryBackend {
///         MemoryBackend::new()
///     }
/// }
///
/// let clauses = clauses::<Memory>();
/// assert_eq!(clauses[0].name, "a_ttl_is_kept_to_the_millisecond");
/// clauses[1].ask();
/// ```
pub fn clauses<H: Harness>() -> Vec<Clause> {
    __clauses! { (list) H }
}

const HOUR: Duration = Duration::from_secs(3600);

/// A life that ends soon, but not before a few calls have been made.
const MOMENT: Duration = Duration::from_millis(60);
