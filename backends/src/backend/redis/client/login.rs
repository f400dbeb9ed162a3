//! A login, and the time for which it may be used.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use redis::RedisConnectionInfo;

use super::resp::Command;
use crate::backend::redis::credentials::Credentials;

/// A hundred years. The end of a longer life may be beyond the times that the clock has.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A user and a password. All connections of a backend share a login, and share what one of them
/// learns of it.
pub(super) struct Login {
    user: Option<String>,
    password: String,
    /// None where the end isn't known.
    pub(super) life: Option<LoginLife>,
    /// True once a server has refused this login.
    is_refused: AtomicBool,
}

/// The time for which a login may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LoginLife {
    /// The time from which on another login is asked for.
    pub(super) due: Instant,
    pub(super) end: Instant,
}

impl LoginLife {
    /// Returns the life of credentials that were asked for at a time. `jitter`, between 0 and 1,
    /// sets when they are renewed: after seven to eight tenths of their life.
    fn of(life: Duration, asked: Instant, jitter: f64) -> Self {
        let life = life.min(LONGEST);
        Self {
            due: asked + life.mul_f64(0.8 - 0.1 * jitter),
            end: asked + life,
        }
    }
}

impl Login {
    /// Returns the login in the settings of a server, if there is one.
    pub(super) fn of(settings: &RedisConnectionInfo) -> Option<Self> {
        Self::with(settings.username(), settings.password())
    }

    /// Makes the login of a user and a password, if one of them is given.
    pub(super) fn with(user: Option<&str>, password: Option<&str>) -> Option<Self> {
        (user.is_some() || password.is_some()).then(|| Self {
            user: user.map(str::to_string),
            password: password.unwrap_or_default().to_string(),
            life: None,
            is_refused: AtomicBool::new(false),
        })
    }

    /// Makes the login of credentials that were asked for at a time.
    pub(super) fn provided(credentials: Credentials, asked: Instant) -> Self {
        let life = credentials.life;
        Self {
            user: credentials.user,
            password: credentials.password,
            life: life.map(|life| LoginLife::of(life, asked, fastrand::f64())),
            is_refused: AtomicBool::new(false),
        }
    }

    /// Returns the words of a login in `HELLO`.
    pub(super) fn words(&self) -> [&str; 3] {
        [
            "AUTH",
            self.user.as_deref().unwrap_or("default"),
            &self.password,
        ]
    }

    /// Returns the command that logs in. Servers before Redis 6 know no users.
    pub(super) fn auth(&self) -> Command {
        let auth = Command::new("AUTH");
        match self.user.as_deref() {
            Some(user) => auth.args([user, &self.password]),
            None => auth.arg(&self.password),
        }
    }

    /// Notes that a server has refused the login, and says whether that is news.
    pub(super) fn refuse(&self) -> bool {
        !self.is_refused.swap(true, Ordering::Relaxed)
    }

    pub(super) fn is_refused(&self) -> bool {
        self.is_refused.load(Ordering::Relaxed)
    }

    /// Says whether the login has ended. A login whose end isn't known hasn't.
    pub(super) fn has_ended(&self, now: Instant) -> bool {
        self.life.is_some_and(|life| now >= life.end)
    }

    /// Says whether a server may still take the login.
    pub(super) fn holds(&self, now: Instant) -> bool {
        !self.is_refused() && !self.has_ended(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_renewed_after_seven_to_eight_tenths_of_its_life() {
        let (asked, life) = (Instant::now(), Duration::from_secs(1000));
        for (jitter, after) in [(0.0, 800), (0.5, 750), (1.0, 700)] {
            let life = LoginLife::of(life, asked, jitter);
            let due = life.due - asked;
            assert_eq!(due.as_secs_f64().round(), f64::from(after));
            assert_eq!(life.end - asked, Duration::from_secs(1000));
        }
        assert!(LoginLife::of(Duration::MAX, asked, 0.0).due > asked + life);
    }

    #[test]
    fn a_login_holds_until_it_ends_or_is_refused() {
        let (asked, life) = (Instant::now(), Duration::from_secs(10));
        let login = || {
            let credentials = Credentials::new("app", "pa55").valid_for(life);
            Login::provided(credentials, asked)
        };
        let last = asked + life - Duration::from_millis(1);
        assert!(login().holds(last) && !login().has_ended(last));
        assert!(!login().holds(asked + life) && login().has_ended(asked + life));
        let refused = login();
        assert!(refused.refuse() && !refused.refuse());
        assert!(!refused.holds(asked) && !refused.has_ended(asked));
        let endless = Login::provided(Credentials::password("pa55"), asked);
        assert!(endless.holds(asked + life * 1_000_000));
    }
}
