//! The limits of the login form.
//!
//! A user name has five tries a minute *from an address*: five at once, then one every twelve
//! seconds. The address is part of the key, so that nobody can lock somebody else out by trying
//! wrong passwords for their name. The name is part of it too, so that people behind one address
//! don't lock each other out.
//!
//! An address has a hundred tries a minute for all names together, against attackers who try one
//! password on everybody. An attacker with many addresses still has five guesses a minute from
//! each. Long passwords, a second factor and an alarm help against that. A lock on the name
//! doesn't: the attacker could turn it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::response::{IntoResponse, Response};
use reinhardt_backends::throttle::{
    ClientAddress, Decision, Quota, Throttle, ThrottleLayer, WhenDown,
};
use reinhardt_backends::{Backend, BackendError, BackendResult, Keyspace, register_throttle};

use crate::error::AppError;

#[derive(Keyspace)]
#[keyspace(prefix = "login", limit = "5/min")]
struct LoginAttempts<'a> {
    client: IpAddr,
    user: &'a str,
}

/// Takes a try, before the password is looked at, and returns how many are left. Of many tries at
/// once, no more than five get that far.
///
/// # Errors
///
/// `TooManyTries` with the time until the next try; and the errors of the backend, because a limit
/// that can't count lets nobody in.
pub(crate) async fn admit<B>(backend: &B, client: IpAddr, user: &str) -> Result<u64, AppError>
where
    B: Backend + ?Sized,
{
    let decision = LoginAttempts { client, user }.check(backend).await?;
    match decision.retry_after {
        None => Ok(decision.remaining),
        Some(retry_after) => Err(AppError::TooManyTries { retry_after }),
    }
}

/// Gives the tries back to a user who knew the password.
pub(crate) async fn forgive<B>(backend: &B, client: IpAddr, user: &str) -> BackendResult<()>
where
    B: Backend + ?Sized,
{
    let attempts = LoginAttempts { client, user };
    attempts.reset(backend).await.map(drop)
}

const BY_ADDRESS: &str = "login-address";

register_throttle!(BY_ADDRESS);

/// Makes the layer that counts the requests that an address sends to the form.
///
/// Behind a proxy every client has the proxy's address, until `ClientAddress::trusting` names the
/// proxy.
pub(crate) fn by_address(
    backend: Arc<dyn Backend>,
) -> BackendResult<ThrottleLayer<Arc<dyn Backend>, ClientAddress>> {
    let quota = Quota::gcra(100, Duration::from_secs(60));
    let throttle = Throttle::new(BY_ADDRESS, [quota])?;
    let peer = |ConnectInfo(address): &ConnectInfo<SocketAddr>| address.ip();
    let client = ClientAddress::peer_from(peer);
    Ok(ThrottleLayer::new(
        backend,
        throttle,
        client,
        WhenDown::Refuse,
    ))
}

/// Makes a page of each refusal of the layer, which the layer returns without a page.
pub(crate) async fn explain(response: Response) -> Response {
    let decision = response.extensions().get::<Decision>();
    let error = response.extensions().get::<Arc<BackendError>>();
    let page = match (decision.and_then(|decision| decision.retry_after), error) {
        (Some(retry_after), _) => AppError::TooManyTries { retry_after }.into_response(),
        (None, Some(error)) => AppError::Backend(error.clone()).into_response(),
        (None, None) => return response,
    };
    let (mut head, body) = page.into_parts();
    let (refusal, _) = response.into_parts();
    head.headers.extend(refusal.headers);
    Response::from_parts(head, body)
}
