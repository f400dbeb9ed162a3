#![doc = include_str!("../../docs/layers.md")]

mod answer;
mod intercept;
mod intercepted;
#[cfg(any(feature = "metrics", feature = "tracing"))]
mod observe;
mod operation;
mod parts;

pub use self::answer::{Answer, Outcome};
pub use self::intercept::{Intercept, Next};
pub use self::intercepted::Intercepted;
#[cfg(any(feature = "metrics", feature = "tracing"))]
pub use self::observe::{Observe, names};
pub use self::operation::{Op, Operation};
pub use crate::backend::store::layer::Layer;
