//! What writing a session can fail with.

use std::error::Error;
use std::fmt;

use crate::error::BackendError;

/// Says why a session was not written.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::session::SessionError;
///
/// fn status(error: &SessionError) -> u16 {
///     match error {
///         SessionError::Gone => 401,
///         SessionError::Conflict => 409,
///         _ => 503,
///     }
/// }
///
/// assert_eq!(status(&SessionError::Gone), 401);
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionError {
    /// The session has ended, was deleted or has another id by now. Nothing was written, and nothing brings it back.
    Gone,
    /// Somebody else has saved the session since it was loaded. Nothing was written: load it again, or use
    /// [`update`](super::SessionStore::update).
    Conflict,
    /// The backend failed, or the value doesn't encode or decode.
    Backend(BackendError),
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
            Self::Backend(_) => "the session's backend failed",
        })
    }
}

impl Error for SessionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Backend(error) => Some(error),
            Self::Gone | Self::Conflict => None,
        }
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
}
