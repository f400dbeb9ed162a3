//! What the tests of reinhardt-backends share: private servers that can be broken, and cables that can be cut.

mod harness;
mod proxy;
mod server;

pub use harness::{Boxed, InProcess, OddNamespace, Redis, Shared};
pub use proxy::Proxy;
pub use server::Server;
