//! A backend for tests of your own that fails, delays and loses calls where a test says so.
//!
//! [`Flaky`] goes around any backend, follows rules, and records what it was asked. The page
//! [`testing`](crate::guide::testing) has whole tests to copy.

mod fault;
mod flaky;
mod hold;
mod hold_gate;
mod new_rule;
mod record;
mod rule;
mod script;
mod standing_rule;

pub use self::flaky::Flaky;
pub use self::hold::Held;
pub use self::new_rule::NewRule;
pub use self::record::RecordedCall;
pub use self::rule::Rule;
