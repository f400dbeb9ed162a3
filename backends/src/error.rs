//! The one error type of this crate and the meaning of its kinds.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// The result of every call to a backend.
pub type BackendResult<T> = Result<T, BackendError>;

/// Says why a call failed, and whether it may have taken effect all the same.
///
/// An error never carries a stored value, a key or a credential: not in `Display`, not in `Debug`,
/// not in `source()`. A clone shares the cause. [When things break](crate::guide::failures) has
/// every error, and what to do about it.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::{BackendError, ErrorKind};
///
/// let error = BackendError::new(ErrorKind::Unavailable, "connection refused");
/// assert_eq!(error.kind(), ErrorKind::Unavailable);
/// assert!(error.is_transient() && !error.outcome_unknown());
/// assert_eq!(error.to_string(), "backend unavailable: connection refused");
/// ```
#[derive(Clone)]
pub struct BackendError(Box<ErrorParts>);

#[derive(Clone)]
struct ErrorParts {
    kind: ErrorKind,
    message: Cow<'static, str>,
    outcome_unknown: bool,
    failed: Vec<usize>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// The kind of a failure, independent of the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The backend can't be reached or can't serve now: a closed socket, too many waiting calls, or
    /// a server that answers `LOADING`, `READONLY`, `MASTERDOWN`, `CLUSTERDOWN`, `BUSY`, `MISCONF`
    /// or `TRYAGAIN`.
    Unavailable,
    /// The call's time limit passed.
    Timeout,
    /// The server refused the credentials or the permission (`NOAUTH`, `WRONGPASS`, `NOPERM`, a
    /// refused certificate).
    Denied,
    /// The value could not be encoded; nothing was stored.
    Encode,
    /// The stored bytes are not a value of the type that was asked for.
    Decode,
    /// The stored value doesn't support the operation: counting something that is not an integer in
    /// the range of `i64`, or touching a key of a foreign Redis type.
    WrongType,
    /// The counter would leave the range of `i64`; it is unchanged.
    Overflow,
    /// A TTL of zero or of more than 10,000 years.
    InvalidTtl,
    /// An empty key, one over the limit, or an entry whose key was changed by an update.
    InvalidKey,
    /// A URL or a setting that can't be right.
    InvalidConfig,
    /// A value over the limit.
    TooLarge,
    /// Other writers were faster in every one of the bounded tries.
    Conflict,
    /// No room: the server's `OOM`, or a memory backend with bounds that doesn't evict, or that the
    /// value could never fit.
    Full,
    /// The backend can't do this, for instance because the server is too old to know the command.
    Unsupported,
    /// Any other failure.
    Other,
}

impl ErrorKind {
    /// Returns the name of the kind in lower case, such as `wrong_type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Denied => "denied",
            Self::WrongType => "wrong_type",
            Self::Overflow => "overflow",
            Self::Encode => "encode",
            Self::Decode => "decode",
            Self::InvalidTtl => "invalid_ttl",
            Self::InvalidKey => "invalid_key",
            Self::InvalidConfig => "invalid_config",
            Self::TooLarge => "too_large",
            Self::Conflict => "conflict",
            Self::Full => "full",
            Self::Unsupported => "unsupported",
            Self::Other => "other",
        }
    }
}

impl BackendError {
    /// Makes an error; `message` is lower case, has no full stop, and holds neither value, key nor
    /// credential.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(ErrorParts {
            kind,
            message: message.into(),
            outcome_unknown: false,
            failed: Vec::new(),
            source: None,
        }))
    }

    /// Keeps the cause; the rule about values, keys and credentials holds for it as well.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into().into());
        self
    }

    /// Marks that the call may have taken effect although no answer arrived.
    #[must_use]
    pub fn with_outcome_unknown(mut self) -> Self {
        self.0.outcome_unknown = true;
        self
    }

    /// Names the positions, in the caller's slice, of the entries that were not handled.
    #[must_use]
    pub fn with_failed_indices(mut self, failed: Vec<usize>) -> Self {
        self.0.failed = failed;
        self
    }

    /// Marks the outcome as unknown if a part of the work was done before the failure.
    pub(crate) fn after(self, part_was_done: bool) -> Self {
        if part_was_done {
            self.with_outcome_unknown()
        } else {
            self
        }
    }

    /// Returns the text without the kind.
    #[cfg(feature = "redis-backend")]
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the kind of the failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Says whether the same call may succeed later: `Unavailable`, `Timeout` and `Conflict`.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Conflict
        )
    }

    /// Says whether the call may have taken effect although it failed: no answer arrived, or a part
    /// of it was done.
    ///
    /// The call may even take effect *later*: a request that was sent over a connection that was
    /// given up can still be on its way, and be executed after calls that were made and answered
    /// since. If that matters (a save before a logout), use `set_if_present` or `compare_and_set`,
    /// which find the entry gone or changed.
    ///
    /// Repeating a call with an unknown outcome may count twice or take a second value, so the
    /// library never repeats such a call.
    pub fn outcome_unknown(&self) -> bool {
        self.0.outcome_unknown
    }

    /// Returns the positions of the entries that a `set_many` failed for; empty for every other
    /// call.
    ///
    /// For bad input, which is refused as a whole, these are the entries at fault, and nothing is
    /// stored. Otherwise they are the entries that were not stored or not acknowledged, and the
    /// others are stored.
    pub fn failed_indices(&self) -> &[usize] {
        &self.0.failed
    }
}

/// The failures of a call on many entries: which entries failed, if that is told, the first error,
/// and whether any outcome is unknown.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    first: Option<BackendError>,
    failed: Vec<usize>,
}

impl Failures {
    /// Notes that the entries at `failed` met with `error`.
    pub(crate) fn add(&mut self, failed: impl IntoIterator<Item = usize>, error: BackendError) {
        self.failed.extend(failed);
        let unknown = error.outcome_unknown();
        let first = self.first.take().unwrap_or(error);
        self.first = Some(first.after(unknown));
    }

    /// Returns the first error with all positions, if there is one.
    pub(crate) fn into_result(self) -> BackendResult<()> {
        match self.first {
            Some(error) => Err(error.with_failed_indices(self.failed)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind, self.0.message)?;
        if !self.0.failed.is_empty() {
            write!(f, " (entries {:?})", self.0.failed)?;
        }
        if self.0.outcome_unknown {
            f.write_str(" (outcome unknown)")?;
        }
        Ok(())
    }
}

impl fmt::Debug for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackendError")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("outcome_unknown", &self.0.outcome_unknown)
            .field("failed_indices", &self.0.failed)
            .field("source", &self.0.source)
            .finish()
    }
}

impl Error for BackendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unavailable => "backend unavailable",
            Self::Timeout => "timed out",
            Self::Denied => "denied",
            Self::Encode => "value does not encode",
            Self::Decode => "stored bytes do not decode",
            Self::WrongType => "wrong type",
            Self::Overflow => "counter overflow",
            Self::InvalidTtl => "invalid ttl",
            Self::InvalidKey => "invalid key",
            Self::InvalidConfig => "invalid configuration",
            Self::TooLarge => "value too large",
            Self::Conflict => "conflict",
            Self::Full => "no room",
            Self::Unsupported => "unsupported",
            Self::Other => "backend error",
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io;

    use super::*;

    pub(crate) const ALL_KINDS: [ErrorKind; 15] = [
        ErrorKind::Unavailable,
        ErrorKind::Timeout,
        ErrorKind::Denied,
        ErrorKind::Encode,
        ErrorKind::Decode,
        ErrorKind::WrongType,
        ErrorKind::Overflow,
        ErrorKind::InvalidTtl,
        ErrorKind::InvalidKey,
        ErrorKind::InvalidConfig,
        ErrorKind::TooLarge,
        ErrorKind::Conflict,
        ErrorKind::Full,
        ErrorKind::Unsupported,
        ErrorKind::Other,
    ];

    #[test]
    fn an_error_is_small_enough_to_pass_by_value() {
        assert_eq!(size_of::<BackendError>(), size_of::<usize>());
    }

    #[test]
    fn a_clone_shares_the_cause() {
        let cause = io::Error::new(io::ErrorKind::ConnectionRefused, "refused");
        let error = BackendError::new(ErrorKind::Unavailable, "no connection").with_source(cause);
        let shared = error.clone();
        assert_eq!(format!("{error:?}"), format!("{shared:?}"));
        let address = |error: &BackendError| {
            let source = error.source().unwrap().downcast_ref::<io::Error>();
            std::ptr::from_ref(source.unwrap())
        };
        assert_eq!(address(&error), address(&shared));
    }

    #[test]
    fn an_error_crosses_threads() {
        fn check<T: Send + Sync + 'static>() {}
        check::<BackendError>();
    }

    #[test]
    fn only_what_may_pass_by_itself_is_transient() {
        use ErrorKind::*;
        let transient: Vec<_> = ALL_KINDS
            .into_iter()
            .filter(|&kind| BackendError::new(kind, "").is_transient())
            .collect();
        assert_eq!(transient, [Unavailable, Timeout, Conflict]);
    }

    #[test]
    fn of_several_failures_the_first_is_told_with_all_positions() {
        let mut failures = Failures::default();
        failures.add([1], BackendError::new(ErrorKind::Full, "first"));
        let lost = BackendError::new(ErrorKind::Unavailable, "second");
        failures.add(3..5, lost.with_outcome_unknown());
        let error = failures.into_result().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Full);
        assert_eq!(error.failed_indices(), [1, 3, 4]);
        assert!(error.outcome_unknown(), "a later one is unknown");
        assert!(Failures::default().into_result().is_ok());
    }

    #[test]
    fn the_text_tells_what_is_unknown_and_what_failed() {
        let error = BackendError::new(ErrorKind::Timeout, "no reply within 1s")
            .with_failed_indices(vec![1, 3])
            .with_outcome_unknown();
        assert_eq!(
            error.to_string(),
            "timed out: no reply within 1s (entries [1, 3]) (outcome unknown)"
        );
    }
}
