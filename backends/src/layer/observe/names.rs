//! The names of the metrics, and of the labels and fields that they and spans have.
//!
//! Those that begin with `db.` and `error.` are named after the semantic conventions of
//! OpenTelemetry for databases, version 1.36. The operations are this library's, not the commands
//! of a server, and the other names are its own. Prometheus writes them with `_` in
//! place of each dot.

/// The time that a call took, in seconds: a histogram, with the labels [`SYSTEM`],
/// [`OPERATION`], [`KEYSPACE`], [`OUTCOME`] and, for an error, [`ERROR`].
pub const DURATION: &str = "db.client.operation.duration";
/// The number of scans that have ended: a counter, with the labels [`SYSTEM`], [`KEYSPACE`],
/// [`OUTCOME`] and, for an error, [`ERROR`].
pub const SCANS: &str = "reinhardt.scans";
/// The number of entries that reads of the store asked for: a counter, with the labels [`SYSTEM`],
/// [`KEYSPACE`] and [`OUTCOME`], which is `hit` or `miss`.
pub const ENTRIES: &str = "reinhardt.entries";
/// The number of [events](crate::store::Event) that calls don't show: a counter, with the labels
/// [`SYSTEM`], [`KEYSPACE`] and [`EVENT`], and of a refused attempt [`QUOTA`].
pub const EVENTS: &str = "reinhardt.events";
/// The time that an event took, in seconds: a histogram, with the labels [`SYSTEM`], [`KEYSPACE`]
/// and [`EVENT`], which is `computed`, `compute_failed`, `compute_dropped`, `waited` or
/// `store_back`.
pub const EVENT_DURATION: &str = "reinhardt.event.duration";
/// The store, as [`with_system`](super::Observe::with_system) names it.
pub const SYSTEM: &str = "db.system.name";
/// The kind of the call: [`Op::name`](crate::layer::Op::name).
pub const OPERATION: &str = "db.operation.name";
/// The prefix of the keyspace, or `_other`, `_none`, `_lease`.
pub const KEYSPACE: &str = "db.collection.name";
/// The meaning of the answer ([`Outcome::name`](crate::layer::Outcome::name)), `error`, or
/// `dropped` for a call whose caller left.
pub const OUTCOME: &str = "reinhardt.outcome";
/// The kind of the error: [`ErrorKind::name`](crate::ErrorKind::name).
pub const ERROR: &str = "error.type";

/// The name of an event: [`Event::name`](crate::store::Event::name).
pub const EVENT: &str = "reinhardt.event";
/// The quota that refused an attempt, as a declaration writes it, such as `100/min`.
pub const QUOTA: &str = "reinhardt.quota";

/// The outcome of a call that failed.
pub(super) const FAILED: &str = "error";
/// The outcome of a call whose caller left before it was answered.
pub(super) const DROPPED: &str = "dropped";
