//! A backend for tests of your own that fails, delays and loses calls where a test says so.
//!
//! [`Flaky`] goes around any backend, follows rules, and records what it was asked. The page
//! [`testing`](crate::guide::testing) has whole tests to copy.

mod fault;
mod flaky;
mod hold;
mod record;
mod rule;
mod script;

pub use self::flaky::Flaky;
pub use self::hold::Held;
pub use self::record::RecordedCall;
pub use self::rule::{NewRule, Rule};
