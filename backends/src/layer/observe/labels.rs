//! The labels of a call, as metrics and spans have them.

use super::names::{DROPPED, FAILED, of_error, of_outcome};
use crate::error::ErrorKind;
use crate::layer::{Op, Outcome};

/// The labels of a call that are known when it begins.
pub(super) struct CallLabels {
    pub(super) system: Option<&'static str>,
    pub(super) op: Op,
    pub(super) keyspace: &'static str,
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
            Self::Answered(outcome) => of_outcome(outcome),
            Self::Failed(_) => FAILED,
            Self::Dropped => DROPPED,
        }
    }

    /// Returns the kind of the error as a label.
    pub(super) fn error(self) -> Option<&'static str> {
        match self {
            Self::Failed(kind) => Some(of_error(kind)),
            Self::Answered(_) | Self::Dropped => None,
        }
    }
}
