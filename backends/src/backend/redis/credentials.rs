//! Logins that change while a program runs: the credentials, and the provider that is asked for
//! them.

use std::error::Error;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::error::{BackendError, BackendResult, ErrorKind};

/// A user and a password, or a token in its place, as a
/// [provider](super::RedisBackendBuilder::credentials) returns them.
///
/// Its `Debug` shows nothing.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::Credentials;
/// use std::time::Duration;
///
/// let token = Credentials::new("app", "token").valid_for(Duration::from_secs(900));
/// assert_eq!(format!("{token:?}"), "Credentials { .. }");
/// ```
#[derive(Clone)]
#[must_use]
pub struct Credentials {
    pub(super) user: Option<String>,
    pub(super) password: String,
    pub(super) life: Option<Duration>,
}

impl Credentials {
    /// Makes the credentials of a user.
    ///
    /// A user or a password that is empty is refused when a provider returns it (`InvalidConfig`).
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            user: Some(user.into()),
            password: password.into(),
            life: None,
        }
    }

    /// Makes credentials of a password alone, which is that of the user `default`, for a server
    /// with `requirepass`.
    pub fn password(password: impl Into<String>) -> Self {
        Self {
            user: None,
            password: password.into(),
            life: None,
        }
    }

    /// Sets the time for which the credentials are valid, from the time at which the provider was
    /// asked: 15 minutes for a token of ElastiCache. For a token that was made earlier, set the
    /// time that is left.
    ///
    /// Unless this is set, the credentials serve one attempt to connect.
    pub fn valid_for(mut self, life: Duration) -> Self {
        self.life = Some(life);
        self
    }
}

impl Credentials {
    /// Checks credentials that a provider returned.
    ///
    /// # Errors
    ///
    /// `InvalidConfig`.
    pub(super) fn check(&self) -> BackendResult<()> {
        let empty = match (self.user.as_deref(), self.password.as_str()) {
            (Some(""), _) => "user: `Credentials::password` makes those of the user `default`",
            (_, "") => "password",
            _ => return Ok(()),
        };
        let message = format!("the provider of `credentials` returned an empty {empty}");
        Err(BackendError::new(ErrorKind::InvalidConfig, message))
    }
}

/// Shows nothing, not even the user: an account id may be in it.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// The user's closure that returns credentials.
#[derive(Clone)]
pub(crate) struct Provider(Arc<Ask>);

type Ask =
    dyn Fn() -> BoxFuture<'static, Result<Credentials, Box<dyn Error + Send + Sync>>> + Send + Sync;

/// The reason why a provider returned no credentials. An error is not kept: it may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoCredentials {
    Failed,
    Panicked,
}

impl Provider {
    pub(super) fn new<P, F>(provider: P) -> Self
    where
        P: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<Credentials, Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        Self(Arc::new(move || provider().boxed()))
    }

    /// Asks the closure. A panic of the closure, of its future or of its error ends here.
    pub(super) async fn ask(&self) -> Result<Credentials, NoCredentials> {
        let provided = async { (self.0)().await.map_err(drop) };
        match AssertUnwindSafe(provided).catch_unwind().await {
            Ok(Ok(credentials)) => Ok(credentials),
            Ok(Err(())) => Err(NoCredentials::Failed),
            Err(_) => Err(NoCredentials::Panicked),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// An error whose owner doesn't get rid of it.
    #[derive(Debug)]
    struct Sticky;

    impl fmt::Display for Sticky {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("sticky")
        }
    }

    impl Error for Sticky {}

    impl Drop for Sticky {
        fn drop(&mut self) {
            panic!("it can't be dropped");
        }
    }

    #[tokio::test]
    async fn a_panic_of_the_closure_its_future_or_its_error_is_caught() {
        let failed = Provider::new(|| async { Err(io::Error::other("topsecret"))? });
        let failed = failed.ask().await.unwrap_err();
        assert_eq!(failed, NoCredentials::Failed);
        let future = Provider::new(|| async { panic!("in the future") });
        let sticky = Provider::new(|| async { Err(Sticky)? });
        let closure = Provider::new(|| {
            assert!(size_of::<usize>() == 0, "in the closure");
            async { Ok(Credentials::password("pa55")) }
        });
        for provider in [future, sticky, closure] {
            let panicked = provider.ask().await.unwrap_err();
            assert_eq!(panicked, NoCredentials::Panicked);
        }
    }

    #[test]
    fn no_debug_shows_credentials() {
        let life = Duration::from_secs(7);
        for credentials in [
            Credentials::new("topsecret", "topsecret"),
            Credentials::password("topsecret").valid_for(life),
        ] {
            let shown = format!("{credentials:?} {credentials:#?}");
            assert!(!shown.contains("topsecret"), "{shown}");
            assert!(!shown.contains('7'), "{shown}");
        }
    }
}
