//! The labels of a call, as metrics and spans have them.

use super::names::{DROPPED, FAILED};
use crate::error::ErrorKind;
use crate::keyspace::label;
use crate::layer::{Op, Operation, Outcome};

/// The labels of a call that are known when it begins.
#[derive(Clone, Copy)]
pub(super) struct CallLabels {
    pub(super) system: Option<&'static str>,
    pub(super) op: Op,
    pub(super) keyspace: &'static str,
}

impl CallLabels {
    pub(super) fn new(system: Option<&'static str>, operation: Operation<'_>) -> Self {
        Self {
            system,
            op: operation.op(),
            keyspace: label(operation.key()),
        }
    }
}

/// The end of a call.
#[derive(Clone, Copy)]
pub(super) enum CallEnd {
    Answered(Outcome),
    Failed(ErrorKind),
    /// The caller left before there was an answer.
    Dropped,
}

impl CallEnd {
    /// Returns the outcome as a label.
    pub(super) fn outcome(self) -> &'static str {
        match self {
            Self::Answered(outcome) => outcome.name(),
            Self::Failed(_) => FAILED,
            Self::Dropped => DROPPED,
        }
    }

    /// Returns the kind of the error as a label.
    pub(super) fn error(self) -> Option<&'static str> {
        match self {
            Self::Failed(kind) => Some(kind.name()),
            Self::Answered(_) | Self::Dropped => None,
        }
    }
}
