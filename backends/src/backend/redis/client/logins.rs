//! The source of the connections' logins: the settings of the server, or a provider that is asked
//! once at a time for all runtimes.
//!
//! The provider's future is the user's code. It runs as a task of the runtime that needs a login
//! first, under no lock and with a limit of time, and the other runtimes wait for its result. The
//! task gives signs of life meanwhile. If these stay away its runtime has ended or stands still,
//! and another runtime asks.

use std::convert::Infallible;
use std::pin::pin;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use parking_lot::Mutex;
use redis::RedisConnectionInfo;
use tokio::runtime::{Handle, Id};
use tokio::sync::watch;

use super::location::ServerLocation;
use super::login::Login;
use super::task::Task;
use crate::backend::redis::credentials::{Credentials, NoCredentials, Provider};
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::time::deadline::Deadlines;

/// A question gives a sign of life at this interval.
const SIGN: Duration = Duration::from_millis(50);
/// The runtime of a question that has given no sign of life for so long stands still.
const STILL: Duration = Duration::from_millis(500);
/// While a login still holds, a failed renewal is tried again after a tenth of the time that is
/// left, within these bounds.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The source of logins of a server's connections.
#[derive(Clone)]
pub(super) enum Logins {
    Fixed(Option<Arc<Login>>),
    Provided(Arc<Provided>),
}

/// A login for an attempt to connect.
pub(super) struct Chosen {
    pub(super) login: Option<Arc<Login>>,
    /// True if this attempt asked the provider for the login.
    pub(super) is_fresh: bool,
}

impl Logins {
    /// Takes the logins from the provider, if there is one. `limit` bounds a question to it.
    pub(super) fn new(
        settings: &RedisConnectionInfo,
        provider: Option<Provider>,
        limit: Duration,
        location: &ServerLocation,
    ) -> Self {
        match provider {
            None => Self::Fixed(Login::of(settings).map(Arc::new)),
            Some(provider) => Self::Provided(Arc::new(Provided {
                provider,
                limit,
                location: location.clone(),
                state: Mutex::new(LoginState::new()),
            })),
        }
    }

    /// Returns the login for an attempt to connect that ends by a time.
    ///
    /// # Errors
    ///
    /// `InvalidConfig` for credentials that can't be right, `Unavailable` if there are none.
    pub(super) async fn choose(
        &self,
        deadlines: &'static Deadlines,
        by: Instant,
    ) -> BackendResult<Chosen> {
        match self {
            Self::Fixed(login) => Ok(Chosen {
                login: login.clone(),
                is_fresh: false,
            }),
            Self::Provided(provided) => provided.choose(deadlines, by).await,
        }
    }

    /// Says whether an attempt that failed is to ask the provider: the server has refused a login
    /// that this attempt didn't ask for.
    pub(super) fn should_ask_again(&self, login: Option<&Arc<Login>>, is_fresh: bool) -> bool {
        let is_refused = login.is_some_and(|login| login.is_refused());
        is_refused && !is_fresh && self.provided().is_some()
    }

    /// Returns the reason for which a login couldn't be renewed, unless one has been since.
    pub(super) fn failure(&self) -> Option<BackendError> {
        self.provided()?.failure()
    }

    pub(super) fn provided(&self) -> Option<&Arc<Provided>> {
        match self {
            Self::Fixed(_) => None,
            Self::Provided(provided) => Some(provided),
        }
    }
}

/// The logins that a provider returns.
pub(super) struct Provided {
    provider: Provider,
    /// The limit of one question.
    limit: Duration,
    location: ServerLocation,
    /// Held to look at the state, to change it or to spawn a question, never while the provider
    /// runs.
    state: Mutex<LoginState>,
}

struct LoginState {
    given: Given,
    question: Option<LoginQuestion>,
}

/// The answer to a question, for all callers that wait for it.
type LoginOutcome = watch::Receiver<Option<BackendResult<Arc<Login>>>>;

/// A question to the provider that is under way.
struct LoginQuestion {
    answer: LoginOutcome,
    runtime: Id,
    begun: Instant,
    /// The time of the question's last sign of life, in milliseconds after its beginning.
    alive: Arc<AtomicU64>,
    limit: Duration,
    /// The process that asked. The child of a `fork` never gets the answer.
    process: u32,
    _task: Task,
}

impl LoginState {
    fn new() -> Self {
        Self {
            given: Given::new(1.0 - fastrand::f64() / 5.0),
            question: None,
        }
    }
}

impl Drop for LoginState {
    fn drop(&mut self) {
        if let Some(question) = self.question.take() {
            question.end();
        }
    }
}

impl LoginQuestion {
    fn is_under_way(&self, asker: Id, now: Instant) -> bool {
        let is_own = self.process == process::id();
        is_own && self.answer.has_changed().is_ok() && now < self.still(asker)
    }

    /// Returns the time from which on the question's runtime counts as standing still for another
    /// runtime, unless there is a further sign. For its own runtime the question is under way:
    /// something may block a thread there, and would do so again.
    fn still(&self, asker: Id) -> Instant {
        match self.runtime == asker {
            true => self.begun + self.limit + STILL,
            false => self.begun + Duration::from_millis(self.alive.load(Ordering::Relaxed)) + STILL,
        }
    }

    /// Ends the question.
    fn end(self) {
        if self.process != process::id() {
            // Its task is one of a runtime whose threads the child of a `fork` doesn't have.
            std::mem::forget(self);
        }
    }
}

impl Provided {
    async fn choose(
        self: &Arc<Self>,
        deadlines: &'static Deadlines,
        by: Instant,
    ) -> BackendResult<Chosen> {
        loop {
            if let Some(login) = self.state.lock().given.reusable(Instant::now()) {
                return Ok(Chosen {
                    login: Some(login),
                    is_fresh: false,
                });
            }
            let (mut answer, still) = self.ask(deadlines);
            let answered = pin!(answer.wait_for(Option::is_some));
            let left = still.min(by).saturating_duration_since(Instant::now());
            match deadlines.within(left, answered).await {
                Some(Ok(answer)) => {
                    let login = answer.clone().unwrap_or_else(|| Err(self.late()))?;
                    return Ok(Chosen {
                        login: Some(login),
                        is_fresh: true,
                    });
                }
                _ if Instant::now() >= by => return Err(self.late()),
                // Its runtime may have ended, or stand still.
                Some(Err(_)) | None => {}
            }
        }
    }

    /// Asks the provider, or returns the question that is under way, and the time at which to look
    /// again whether it still is.
    pub(super) fn ask(self: &Arc<Self>, deadlines: &'static Deadlines) -> (LoginOutcome, Instant) {
        let mut state = self.state.lock();
        let (runtime, now) = (Handle::current().id(), Instant::now());
        let under_way = state.question.as_ref();
        if let Some(question) = under_way.filter(|question| question.is_under_way(runtime, now)) {
            return (question.answer.clone(), question.still(runtime));
        }
        let (tell, answer) = watch::channel(None);
        let (provider, limit) = (self.provider.clone(), self.limit);
        let (of_task, asker) = (answer.clone(), Arc::downgrade(self));
        let alive = Arc::new(AtomicU64::new(0));
        let signs = signs_of_life(alive.clone(), now, deadlines);
        let task = tokio::spawn(async move {
            let asked = Instant::now();
            let (asking, signs) = (pin!(provider.ask()), pin!(signs));
            let provided = match deadlines.within(limit, select(asking, signs)).await {
                Some(Either::Left((provided, _))) => Some(provided),
                Some(Either::Right((never, _))) => match never {},
                None => None,
            };
            if let Some(asker) = asker.upgrade() {
                let answer = asker.judge(provided, asked);
                asker.note(&answer, &of_task);
                let _ = tell.send(Some(answer));
            }
        });
        let question = LoginQuestion {
            answer: answer.clone(),
            runtime,
            begun: now,
            alive,
            limit,
            process: process::id(),
            _task: Task(task.abort_handle()),
        };
        let still = question.still(runtime);
        let before = state.question.replace(question);
        // After the lock: to end a task wakes a runtime.
        drop(state);
        if let Some(before) = before {
            before.end();
        }
        (answer, still)
    }

    /// Notes an answer, unless another question has taken the place of its own.
    fn note(&self, answered: &BackendResult<Arc<Login>>, answer: &LoginOutcome) {
        let mut state = self.state.lock();
        let is_own = |question: &LoginQuestion| question.answer.same_channel(answer);
        if state.question.as_ref().is_some_and(is_own) {
            match answered {
                Ok(login) => state.given.answered(login.clone()),
                Err(error) => state.given.failed(Instant::now(), error.clone()),
            }
        }
    }

    /// Returns the next step to renew the login of a connection.
    pub(super) fn renewal(&self, held: &Arc<Login>, now: Instant) -> LoginRenewal {
        self.state.lock().given.renewal(held, now)
    }

    /// Notes that a server didn't take a login: because of the login, or for another reason, such
    /// as that it has just been started.
    pub(super) fn refused(&self, login: &Login, error: BackendError) {
        let is_news = error.kind() != ErrorKind::Denied || login.refuse();
        if is_news {
            self.state.lock().given.failed(Instant::now(), error);
        }
    }

    fn failure(&self) -> Option<BackendError> {
        let state = self.state.lock();
        state.given.failed.as_ref().map(|(_, error)| error.clone())
    }

    /// Turns the provider's answer into a login.
    fn judge(
        &self,
        provided: Option<Result<Credentials, NoCredentials>>,
        asked: Instant,
    ) -> BackendResult<Arc<Login>> {
        let credentials = match provided {
            None => return Err(self.late()),
            Some(Ok(credentials)) => credentials,
            Some(Err(NoCredentials::Failed)) => {
                return Err(
                    self.without("failed, and its error isn't shown because it may hold a secret")
                );
            }
            Some(Err(NoCredentials::Panicked)) => return Err(self.without("panicked")),
        };
        credentials.check()?;
        let login = Login::provided(credentials, asked);
        match login.has_ended(Instant::now()) {
            true => Err(self.without("returned credentials that have ended already")),
            false => Ok(Arc::new(login)),
        }
    }

    fn late(&self) -> BackendError {
        self.without(&format!("didn't answer within {:?}", self.limit))
    }

    fn without(&self, why: &str) -> BackendError {
        let message = format!(
            "no login for {}: the provider of `credentials` {why}",
            self.location
        );
        BackendError::new(ErrorKind::Unavailable, message)
    }
}

/// Gives signs of life, for as long as a task is driven.
async fn signs_of_life(alive: Arc<AtomicU64>, begun: Instant, deadlines: &Deadlines) -> Infallible {
    loop {
        let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        alive.store(millis, Ordering::Relaxed);
        deadlines.sleep(SIGN).await;
    }
}

/// The logins that a provider has returned so far.
struct Given {
    last: Option<Arc<Login>>,
    /// The time at which the provider failed, or a server refused what it returned, unless it has
    /// returned another login since; and the reason.
    failed: Option<(Instant, BackendError)>,
    /// Shortens the pauses before a renewal is tried again.
    factor: f64,
}

/// The next step to renew the login of a connection.
pub(super) enum LoginRenewal {
    /// Log in with this login.
    Use(Arc<Login>),
    /// Look again at this time.
    Wait(Instant),
    /// Ask the provider.
    Ask,
    /// The login has ended, and there is no other.
    Ended,
}

impl Given {
    fn new(factor: f64) -> Self {
        Self {
            last: None,
            failed: None,
            factor,
        }
    }

    /// Returns the login for another attempt to connect. A login whose end isn't known serves only
    /// the attempts that wait for it.
    fn reusable(&self, now: Instant) -> Option<Arc<Login>> {
        let last = self.last.as_ref();
        last.filter(|last| last.life.is_some() && last.holds(now))
            .cloned()
    }

    fn answered(&mut self, login: Arc<Login>) {
        self.last = Some(login);
        self.failed = None;
    }

    fn failed(&mut self, now: Instant, error: BackendError) {
        self.failed = Some((now, error));
    }

    fn renewal(&self, held: &Arc<Login>, now: Instant) -> LoginRenewal {
        let last = self.last.as_ref();
        let other = last.filter(|last| !Arc::ptr_eq(last, held) && last.holds(now));
        if let Some(other) = other {
            return LoginRenewal::Use(other.clone());
        }
        let Some(life) = held.life else {
            // The login is never renewed.
            return LoginRenewal::Ended;
        };
        if now >= life.end {
            return LoginRenewal::Ended;
        }
        let pause = |(failed, _): &(Instant, BackendError)| {
            let failed = *failed;
            let left = life.end.saturating_duration_since(failed);
            let pause = (left / 10).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
            failed + pause.mul_f64(self.factor)
        };
        let earliest = self.failed.as_ref().map(pause).max(Some(life.due));
        match earliest.filter(|earliest| now < *earliest) {
            Some(earliest) => LoginRenewal::Wait(earliest.min(life.end)),
            None => LoginRenewal::Ask,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(1000);

    fn login(asked: Instant, life: Option<Duration>) -> Arc<Login> {
        let credentials = Credentials::new("app", "pa55");
        let credentials = match life {
            Some(life) => credentials.valid_for(life),
            None => credentials,
        };
        Arc::new(Login::provided(credentials, asked))
    }

    fn failure() -> BackendError {
        BackendError::new(ErrorKind::Unavailable, "it failed")
    }

    fn given(login: &Arc<Login>) -> Given {
        let mut given = Given::new(1.0);
        given.answered(login.clone());
        given
    }

    #[test]
    fn a_login_serves_other_attempts_while_it_holds() {
        let now = Instant::now();
        assert!(Given::new(1.0).reusable(now).is_none());
        let holds = login(now, Some(LIFE));
        let reused = given(&holds).reusable(now + LIFE * 9 / 10).unwrap();
        assert!(Arc::ptr_eq(&reused, &holds));
        assert!(given(&holds).reusable(now + LIFE).is_none());
        holds.refuse();
        assert!(given(&holds).reusable(now).is_none());
        assert!(given(&login(now, None)).reusable(now).is_none());
    }

    #[test]
    fn a_login_is_renewed_when_it_is_due() {
        let now = Instant::now();
        let held = login(now, Some(LIFE));
        let due = held.life.unwrap().due;
        let before = given(&held).renewal(&held, due - SIGN);
        assert!(matches!(before, LoginRenewal::Wait(until) if until == due));
        assert!(matches!(
            given(&held).renewal(&held, due),
            LoginRenewal::Ask
        ));
        let end = given(&held).renewal(&held, now + LIFE);
        assert!(matches!(end, LoginRenewal::Ended));
    }

    #[test]
    fn a_login_that_another_connection_got_is_used_at_once() {
        let now = Instant::now();
        let (held, other) = (login(now, Some(LIFE)), login(now, Some(LIFE)));
        let renewal = given(&other).renewal(&held, now);
        assert!(matches!(renewal, LoginRenewal::Use(login) if Arc::ptr_eq(&login, &other)));
        // Also by a connection whose own has ended.
        let late = login(now + LIFE, None);
        let renewal = given(&late).renewal(&held, now + LIFE);
        assert!(matches!(renewal, LoginRenewal::Use(_)));
        // Unless a server has refused it.
        other.refuse();
        let renewal = given(&other).renewal(&held, now);
        assert!(matches!(renewal, LoginRenewal::Wait(_)));
    }

    /// Fails at each question, and returns the times of the questions after the first, in
    /// milliseconds.
    fn questions(life: Duration, factor: f64) -> Vec<u128> {
        let begin = Instant::now();
        let held = login(begin, Some(life));
        let mut given = Given::new(factor);
        given.answered(held.clone());
        let mut now = held.life.unwrap().due;
        let mut times = Vec::new();
        loop {
            match given.renewal(&held, now) {
                LoginRenewal::Ask => {
                    times.push((now - begin).as_millis());
                    given.failed(now, failure());
                    let again = given.renewal(&held, now);
                    assert!(
                        matches!(again, LoginRenewal::Wait(_)),
                        "two questions at once"
                    );
                }
                LoginRenewal::Wait(until) => {
                    assert!(until > now);
                    now = until;
                }
                LoginRenewal::Ended => return times,
                LoginRenewal::Use(_) => panic!("there is no other"),
            }
        }
    }

    #[test]
    fn a_failed_renewal_is_tried_again_more_often_as_the_end_comes_nearer() {
        for factor in [0.8, 1.0] {
            for life in [1, 10, 900, 86_400].map(Duration::from_secs) {
                let times = questions(life, factor);
                for pair in times.windows(2) {
                    let left = life.as_millis() - pair[0];
                    let most = (left / 10).clamp(100, 60_000);
                    let pause = pair[1] - pair[0];
                    let least = (most as f64 * factor) as u128;
                    assert!(
                        pause + 2 >= least && pause <= most + 2,
                        "{pause} ms after a failure with {left} ms left"
                    );
                }
                let last = times.last().unwrap();
                assert!(life.as_millis() - last <= 102, "{last}");
            }
        }
        let of_a_token = questions(Duration::from_secs(900), 1.0).len();
        assert!((40..=90).contains(&of_a_token), "{of_a_token}");
    }

    #[test]
    fn an_answer_ends_the_pauses() {
        let now = Instant::now();
        let held = login(now, Some(LIFE));
        let due = held.life.unwrap().due;
        let mut given = given(&held);
        given.failed(due, failure());
        assert!(matches!(given.renewal(&held, due), LoginRenewal::Wait(_)));
        let next = login(due, Some(LIFE));
        given.answered(next.clone());
        let renewal = given.renewal(&next, next.life.unwrap().due);
        assert!(matches!(renewal, LoginRenewal::Ask));
    }
}
