//! The names of the metrics, and of the labels and fields that they and spans have.
//!
//! Those that begin with `db.` and `error.` are of the semantic conventions of OpenTelemetry for
//! databases, version 1.36; the others are this library's own. Prometheus writes them with `_` in
//! place of each dot.

use crate::error::ErrorKind;
use crate::layer::Outcome;

/// The time that a call took, in seconds: a histogram, with the labels [`SYSTEM`],
/// [`OPERATION`], [`KEYSPACE`], [`OUTCOME`] and, for an error, [`ERROR`].
pub const DURATION: &str = "db.client.operation.duration";
/// The number of scans that began: a counter, with the labels [`SYSTEM`] and [`KEYSPACE`].
pub const SCANS: &str = "reinhardt.scans";
/// The number of entries that reads asked for: a counter, with the labels [`SYSTEM`],
/// [`KEYSPACE`] and [`OUTCOME`], which is `hit` or `miss`.
pub const ENTRIES: &str = "reinhardt.entries";
/// The store, as [`with_system`](super::Observe::with_system) names it.
pub const SYSTEM: &str = "db.system.name";
/// The kind of the call: [`Op::name`](crate::layer::Op::name).
pub const OPERATION: &str = "db.operation.name";
/// The prefix of the keyspace, or `other`.
pub const KEYSPACE: &str = "db.collection.name";
/// What the answer says: `hit`, `miss`, `found`, `done`, `not_done`, `removed`, `allowed`,
/// `refused`, `error`, or `dropped` for a call whose caller left.
pub const OUTCOME: &str = "reinhardt.outcome";
/// The kind of the error, such as `timeout`.
pub const ERROR: &str = "error.type";

/// The outcome of a call that failed.
pub(super) const FAILED: &str = "error";
/// The outcome of a call whose caller left before it was answered.
pub(super) const DROPPED: &str = "dropped";

pub(super) fn of_outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Hit => "hit",
        Outcome::Miss => "miss",
        Outcome::Found { .. } => "found",
        Outcome::Done => "done",
        Outcome::NotDone => "not_done",
        Outcome::Removed(_) => "removed",
        Outcome::Allowed => "allowed",
        Outcome::Refused => "refused",
    }
}

pub(super) fn of_error(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Unavailable => "unavailable",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Denied => "denied",
        ErrorKind::WrongType => "wrong_type",
        ErrorKind::Overflow => "overflow",
        ErrorKind::Encode => "encode",
        ErrorKind::Decode => "decode",
        ErrorKind::InvalidTtl => "invalid_ttl",
        ErrorKind::InvalidKey => "invalid_key",
        ErrorKind::InvalidConfig => "invalid_config",
        ErrorKind::TooLarge => "too_large",
        ErrorKind::Conflict => "conflict",
        ErrorKind::Full => "full",
        ErrorKind::Unsupported => "unsupported",
        ErrorKind::Other => "other",
    }
}
