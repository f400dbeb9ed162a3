//! The error of writing a session.

use std::error::Error;
use std::fmt;

use crate::error::BackendError;

/// Says why a session was not written.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::session::SessionError;
/// use reinhardt_backends::{BackendError, ErrorKind};
///
/// fn status(error: &SessionError) -> u16 {
///     match error {
///         SessionError::Gone => 401,
///         SessionError::Conflict => 409,
///         error if error.is_transient() => 503,
///         // Data that don't encode or decode, or a login over somebody else's session: a bug.
///         _ => 500,
///     }
/// }
///
/// assert_eq!(status(&SessionError::Gone), 401);
/// assert_eq!(status(&BackendError::new(ErrorKind::Timeout, "no reply").into()), 503);
/// assert_eq!(status(&BackendError::new(ErrorKind::Decode, "not a visit").into()), 500);
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionError {
    /// The session has ended, was deleted or has another id by now. Nothing was written, and
    /// nothing brings it back.
    Gone,
    /// Somebody else has saved the session since it was loaded. Nothing was written: load it again,
    /// or use [`update`](super::SessionStore::update).
    Conflict,
    /// The session belongs to another owner than the one it was to get, and its data are theirs.
    /// Nothing was written: delete it and create one.
    OtherOwner,
    /// The backend failed, or the value doesn't encode or decode.
    Backend(BackendError),
}

impl SessionError {
    /// Says whether the same call may succeed later: if the backend's error [is
    /// transient](BackendError::is_transient).
    ///
    /// A [`Conflict`](Self::Conflict) isn't: what was loaded stays outdated however often it is
    /// saved.
    pub fn is_transient(&self) -> bool {
        self.backend().is_some_and(BackendError::is_transient)
    }

    /// Says whether the call may have taken effect although it failed, now or later, as the
    /// backend's error [does](BackendError::outcome_unknown).
    pub fn outcome_unknown(&self) -> bool {
        self.backend().is_some_and(BackendError::outcome_unknown)
    }

    fn backend(&self) -> Option<&BackendError> {
        match self {
            Self::Backend(error) => Some(error),
            Self::Gone | Self::Conflict | Self::OtherOwner => None,
        }
    }
}

impl From<BackendError> for SessionError {
    fn from(error: BackendError) -> Self {
        Self::Backend(error)
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "the session is gone",
            Self::Conflict => "somebody else has saved the session since it was loaded",
            Self::OtherOwner => "the session belongs to another owner",
            Self::Backend(_) => "the session's backend failed",
        })
    }
}

impl Error for SessionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.backend().map(|error| error as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn the_cause_is_kept_and_not_repeated() {
        let error = SessionError::from(BackendError::new(ErrorKind::Timeout, "no reply"));
        let cause = error.source().unwrap().to_string();
        assert_eq!(cause, "timed out: no reply");
        assert!(!error.to_string().contains(&cause));
    }

    #[test]
    fn only_the_backend_makes_an_error_transient_or_its_outcome_unknown() {
        let of = |error: &SessionError| (error.is_transient(), error.outcome_unknown());
        for error in [
            SessionError::Gone,
            SessionError::Conflict,
            SessionError::OtherOwner,
        ] {
            assert_eq!(of(&error), (false, false));
        }
        let timeout = BackendError::new(ErrorKind::Timeout, "no reply").with_outcome_unknown();
        assert_eq!(of(&timeout.into()), (true, true));
        let decode = BackendError::new(ErrorKind::Decode, "no visit");
        assert_eq!(of(&decode.into()), (false, false));
    }
}
