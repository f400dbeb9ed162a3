#![doc = include_str!("../../docs/layers.md")]

mod answer;
mod intercept;
mod intercepted;
mod operation;
mod parts;

pub use self::answer::{Answer, Outcome};
pub use self::intercept::{Intercept, Next};
pub use self::intercepted::Intercepted;
pub use self::operation::{Op, Operation};
pub use crate::backend::store::layer::Layer;
