//! The task that renews the login of a connection before it ends.
//!
//! A server may end a connection whose token has ended, and some servers do so after a fixed time
//! unless the connection logs in again. `AUTH` goes in one line with the requests of all callers,
//! and none of them waits for it.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::access::Access;
use super::handshake::is_login_for_nobody;
use super::in_flight::{InFlight, Lost};
use super::inbox::Inbox;
use super::login::Login;
use super::logins::{LoginRenewal, Provided};
use super::multiplexer::exchange;
use super::refusal::refusal;
use super::request::Request;
use super::resp::Reply;
use super::task::Task;
use crate::error::{BackendError, ErrorKind};
use crate::time::deadline::Deadlines;

/// The time before a login is tried again that a server didn't take for a reason of its own.
const PAUSE: Duration = Duration::from_secs(1);

/// Begins to renew the login of a connection, on the present runtime, until the returned task is
/// dropped. A login whose end isn't known is never renewed.
pub(super) fn begin(
    provided: &Arc<Provided>,
    login: &Arc<Login>,
    inbox: &Arc<Inbox>,
    deadlines: &'static Deadlines,
) -> Option<Task> {
    let due = login.life?.due;
    let keeper = Keeper {
        provided: Arc::downgrade(provided),
        login: login.clone(),
        inbox: inbox.clone(),
        deadlines,
    };
    Some(Task(tokio::spawn(keeper.run(due)).abort_handle()))
}

/// The keeper of a connection's login.
struct Keeper {
    /// Not held while the task sleeps, so that nothing of the backend outlives it.
    provided: Weak<Provided>,
    /// The login that the server took last.
    login: Arc<Login>,
    inbox: Arc<Inbox>,
    deadlines: &'static Deadlines,
}

impl Keeper {
    /// Renews the login whenever it is due, until it can't be renewed or the connection ends.
    async fn run(mut self, mut next: Instant) {
        loop {
            self.deadlines.at(next).await;
            let Some(provided) = self.provided.upgrade() else {
                return;
            };
            if self.inbox.is_draining.load(Ordering::Relaxed) {
                return;
            }
            let now = Instant::now();
            next = now;
            match provided.renewal(&self.login, now) {
                LoginRenewal::Wait(until) => next = until,
                LoginRenewal::Ask => {
                    let (mut answer, still) = provided.ask(self.deadlines);
                    drop(provided);
                    let end = self.login.life.map_or(still, |life| life.end);
                    let left = still.min(end).saturating_duration_since(now);
                    let answered = pin!(answer.wait_for(Option::is_some));
                    // The next look finds the outcome.
                    let _ = self.deadlines.within(left, answered).await;
                }
                LoginRenewal::Use(login) => {
                    drop(provided);
                    match self.log_in(&login).await {
                        Ok(None) => {}
                        Ok(Some(error)) => {
                            if error.kind() != ErrorKind::Denied {
                                // The login may be as good as any other.
                                let end = self.login.life.map(|life| life.end);
                                next = end.unwrap_or(now).min(Instant::now() + PAUSE);
                            }
                            if let Some(provided) = self.provided.upgrade() {
                                provided.refused(&login, error);
                            }
                            continue;
                        }
                        Err(Lost) => return,
                    }
                    let Some(life) = login.life else { return };
                    (self.login, next) = (login, life.due);
                }
                LoginRenewal::Ended => {
                    // The next call connects anew, and says why it can't.
                    self.inbox.is_draining.store(true, Ordering::Relaxed);
                    return;
                }
            }
        }
    }

    /// Logs in on the connection, after the requests that are before it, and returns the refusal if
    /// the server doesn't take the login.
    async fn log_in(&self, login: &Login) -> Result<Option<BackendError>, Lost> {
        let request = InFlight::new(Request::One(login.auth()), Access::Write);
        Ok(match exchange(&self.inbox, &request).await? {
            Reply::Error(refused) if !is_login_for_nobody(&refused) => Some(refusal(&refused)),
            _ => None,
        })
    }
}
