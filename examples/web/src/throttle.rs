//! The limit of the login form: five tries a minute for a user name from an address.
//!
//! The address is part of the key, so that nobody can lock somebody else out by trying wrong passwords for their name. The
//! name is, so that people behind one address don't lock each other out. What is left to one who has many addresses is five
//! guesses a minute from each: against that help long passwords, a second factor, and an alarm, not a lock.

use std::net::IpAddr;
use std::time::Duration;

use reinhardt_backends::{Backend, BackendResult, Expiry, Keyspace};

use crate::error::AppError;

#[derive(Keyspace)]
#[keyspace(prefix = "login", ttl = "1m", counter)]
struct LoginAttempts<'a> {
    client: IpAddr,
    user: &'a str,
}

const LIMIT: i64 = 5;

/// Counts a try, before the password is looked at: of many tries at once no more than five get that far.
///
/// # Errors
///
/// `TooManyTries` with the time until the next one; and what the backend fails with, because a limit that can't count lets
/// nobody in.
pub(crate) async fn admit<B>(backend: &B, client: IpAddr, user: &str) -> Result<(), AppError>
where
    B: Backend + ?Sized,
{
    let counted = LoginAttempts { client, user }.hit(backend).await?;
    if counted.value <= LIMIT {
        return Ok(());
    }
    let retry_after = match counted.expiry {
        Expiry::In(left) => left,
        Expiry::Never => Duration::ZERO,
    };
    Err(AppError::TooManyTries { retry_after })
}

/// Gives the tries back to one who knew the password.
pub(crate) async fn forgive<B>(backend: &B, client: IpAddr, user: &str) -> BackendResult<()>
where
    B: Backend + ?Sized,
{
    LoginAttempts { client, user }
        .reset(backend)
        .await
        .map(drop)
}
