//! The servers that answer plain reads.

/// The servers that answer plain reads; see
/// [`RedisBackend::reading_from`](super::RedisBackend::reading_from).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ReadFrom {
    /// The primary, which has every write that was acknowledged.
    #[default]
    Primary,
    /// A replica, which may be behind; the primary where none is up.
    Replica,
}
