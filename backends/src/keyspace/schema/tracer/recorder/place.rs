//! A place of a type that a trace goes to.

use crate::keyspace::schema::tracer::state::{NamedType, Stop, TraceState};

/// A place of a type and the words of its node besides the kind.
#[derive(Debug, Clone)]
pub(super) struct ValuePlace {
    pub(super) path: String,
    /// The words before the kind, for the content of a newtype variant.
    pub(super) prefix: &'static str,
    pub(super) default: bool,
    pub(super) depth: usize,
    /// The map that this is the key of, if it is one: a flattened struct asks for it as the name of
    /// a field.
    pub(super) key_of: Option<NamedType>,
}

impl ValuePlace {
    pub(super) fn below(&self, step: &str) -> Self {
        self.at(format!("{}{step}", self.path))
    }

    pub(super) fn at(&self, path: String) -> Self {
        Self {
            path,
            prefix: "",
            default: false,
            depth: self.depth + 1,
            key_of: None,
        }
    }

    /// Ends the pass that was to get here.
    pub(super) fn conclude<T>(
        &self,
        trace: &mut TraceState,
        outcome: Result<T, Stop>,
    ) -> Result<T, Stop> {
        trace.conclude(&self.path, self.prefix, self.default, outcome.is_err());
        outcome
    }
}
