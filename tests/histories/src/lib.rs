//! Histories: what many clients saw of a store while it broke, held against what the contract
//! promises.
//!
//! A schedule is made of a seed: clients that call a store at the same time, and faults that befall
//! its servers meanwhile. Every call is recorded with the times of its beginning and its end. The
//! checks know nothing but the record: they find an order of the calls in which each answer is
//! right, or there is none.

mod call;
mod client;
mod clock;
mod faults;
mod judge;
mod linear;
mod loss;
mod model;
mod plan;
mod pulse;
mod schedule;
mod shrink;
mod special;
pub mod threads;

pub use call::{Action, Answer, Call, End, FOR_EVER, Lasts, When};
pub use client::Planted;
pub use judge::Violation;
pub use linear::{Order, order, order_by};
pub use model::Rules;
pub use plan::{Plan, Stage};
pub use schedule::{Outcome, run};
pub use shrink::{shrink, shrink_by};
pub use special::Seen;
