//! What the tests of reinhardt-backends share: private servers that can be broken, cables that can be cut, and measuring.

mod harness;
pub mod measure;
mod proxy;
mod second;
mod server;

pub use harness::{Bounded, Boxed, InProcess, OddNamespace, Redis, Shared};
pub use proxy::Proxy;
pub use second::Second;
pub use server::Server;

/// The code of the README, compiled and run with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
