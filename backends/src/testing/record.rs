//! The record of the calls that a flaky backend was asked for.

use crate::layer::{Op, Operation};

/// A call that a [`Flaky`](super::Flaky) was asked for: its kind and its keys.
///
/// It is equal to a pair of its kind and its key, if it has that key and no other:
///
/// ```
/// use reinhardt_backends::layer::Op;
/// use reinhardt_backends::testing::Flaky;
/// use reinhardt_backends::{Backend, MemoryBackend};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> reinhardt_backends::BackendResult<()> {
/// let flaky = Flaky::new(MemoryBackend::new());
/// flaky.set("user:7", "ann", None).await?;
/// flaky.delete_many(&["user:7", "user:8"]).await?;
/// assert_eq!(flaky.calls()[0], (Op::Write, "user:7"));
/// assert_eq!(flaky.calls()[1].keys, ["user:7", "user:8"]);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedCall {
    /// The kind of the call.
    pub op: Op,
    /// The keys of the call, in its order. Of a scan and a clear this is the prefix.
    pub keys: Vec<String>,
}

impl RecordedCall {
    /// Returns the first key, or the prefix; the empty text for a call without keys.
    pub fn key(&self) -> &str {
        self.keys.first().map_or("", String::as_str)
    }
}

impl From<Operation<'_>> for RecordedCall {
    fn from(operation: Operation<'_>) -> Self {
        Self {
            op: operation.op(),
            keys: operation.keys().map(str::to_string).collect(),
        }
    }
}

impl PartialEq<(Op, &str)> for RecordedCall {
    fn eq(&self, (op, key): &(Op, &str)) -> bool {
        self.op == *op && self.keys == [*key]
    }
}
