//! One client: a browser with its own address, connection and cookies.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, StatusCode};
use tokio::time::{Instant, sleep_until};

use crate::tally::{Kind, Tally};

/// The times at which requests are due, and the time at which they end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) pace: Pace,
    pub(crate) until: Instant,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// As soon as the last request is answered.
    AtOnce,
    /// This long after the last request was due, whether or not it was answered. The latency of a
    /// request counts from the time at which it was due: a service that stalls isn't asked less.
    Every(Duration),
}

#[derive(Debug)]
pub(crate) struct Person {
    client: Client,
    url: String,
    /// The place in [`USERS`].
    user: usize,
    rng: Rng,
    plan: Plan,
    due: Instant,
    tally: Arc<Tally>,
}

/// The right answer: a status, and text that stands in the `Location` or in the page.
type Right<'a> = (StatusCode, &'a str);

impl Person {
    pub(crate) fn new(
        index: u16,
        address: Ipv4Addr,
        url: &str,
        plan: Plan,
        tally: Arc<Tally>,
    ) -> Self {
        let client = Client::builder()
            .cookie_store(true)
            .redirect(Policy::none())
            .local_address(Some(address.into()))
            .timeout(PATIENCE)
            .build();
        Self {
            client: client.expect("a client"),
            url: url.to_string(),
            user: usize::from(index) % USERS.len(),
            rng: Rng::with_seed(index.into()),
            plan,
            due: Instant::now(),
            tally,
        }
    }

    /// Logs in and looks around: a third of the requests are for the front page, a fifth for the
    /// counter, a quarter for reports, a sixth are clicks. Now and then the client logs out and in
    /// again, half of the times with a mistyped password first.
    pub(crate) async fn visit(mut self) {
        self.due = Instant::now();
        self.log_in().await;
        while self.has_time() {
            match self.rng.u8(0..100) {
                0..35 => self.front_page().await,
                35..55 => self.counter("You have clicked").await,
                55..70 => self.click().await,
                70..98 => self.report().await,
                _ => {
                    self.log_out().await;
                    if self.rng.bool() {
                        self.mistype().await;
                    }
                    self.log_in().await;
                }
            }
        }
    }

    /// Tries wrong passwords. The service looks at the first five, and from then on at no more than
    /// five in any minute.
    pub(crate) async fn guess(mut self) {
        self.due = Instant::now();
        let begin = Instant::now();
        let mut looked_at = 0;
        while self.has_time() {
            let start = self.start().await;
            let may_be = GUESSES + begin.elapsed().as_secs() / (60 / GUESSES);
            match self
                .answer(Method::POST, "/login", &self.credentials("guess"))
                .await
            {
                Ok((StatusCode::TOO_MANY_REQUESTS, _)) if looked_at >= GUESSES => {
                    self.tally.right(Kind::Throttled, start.elapsed());
                }
                Ok((StatusCode::FORBIDDEN, _)) if looked_at < may_be => {
                    looked_at += 1;
                    self.tally.right(Kind::WrongPassword, start.elapsed());
                }
                other => {
                    let mistake = format!("to guess {looked_at}: {other:?}");
                    self.tally.wrong(mistake);
                }
            }
        }
    }

    /// Compares each user's counter with the number of clicks that were answered.
    pub(crate) async fn check_clicks(mut self) {
        for (user, (name, _)) in USERS.iter().enumerate() {
            self.user = user;
            self.log_in().await;
            let clicks = self.tally.clicks(name);
            self.counter(&format!("id=\"clicks\">{clicks}<")).await;
        }
    }

    async fn log_in(&mut self) {
        let form = self.credentials(USERS[self.user].1);
        let right = (StatusCode::SEE_OTHER, "to /\n");
        self.ask(Kind::LogIn, Method::POST, "/login", &form, right)
            .await;
    }

    async fn mistype(&mut self) {
        let form = self.credentials("appel pie");
        let right = (StatusCode::FORBIDDEN, "is wrong");
        self.ask(Kind::WrongPassword, Method::POST, "/login", &form, right)
            .await;
    }

    async fn log_out(&mut self) {
        let right = (StatusCode::SEE_OTHER, "to /login\n");
        self.ask(Kind::LogOut, Method::POST, "/logout", &[], right)
            .await;
    }

    async fn front_page(&mut self) {
        let name = format!("id=\"user\">{}<", USERS[self.user].0);
        let right = (StatusCode::OK, name.as_str());
        self.ask(Kind::FrontPage, Method::GET, "/", &[], right)
            .await;
    }

    async fn counter(&mut self, text: &str) {
        let right = (StatusCode::OK, text);
        self.ask(Kind::Counter, Method::GET, "/counter", &[], right)
            .await;
    }

    async fn click(&mut self) {
        let right = (StatusCode::SEE_OTHER, "to /counter\n");
        if self
            .ask(Kind::Click, Method::POST, "/counter", &[], right)
            .await
        {
            self.tally.clicked(USERS[self.user].0);
        }
    }

    async fn report(&mut self) {
        let path = if self.rng.bool() {
            "/reports/north"
        } else {
            "/reports/south"
        };
        // A report is kept for longer than this benchmark takes: a second computation is one too
        // many.
        let right = (StatusCode::OK, "id=\"computation\">1<");
        self.ask(Kind::Report, Method::GET, path, &[], right).await;
    }

    /// Makes a request when it is due, and says whether the answer was right.
    async fn ask(
        &mut self,
        kind: Kind,
        method: Method,
        path: &str,
        form: &[(&str, &str)],
        (status, text): Right<'_>,
    ) -> bool {
        let start = self.start().await;
        let answer = self.answer(method, path, form).await;
        let right = matches!(&answer, Ok((got, page)) if *got == status && page.contains(text));
        if right {
            self.tally.right(kind, start.elapsed());
        } else {
            self.tally.wrong(format!("{}: {answer:?}", kind.name()));
        }
        right
    }

    /// Returns the status, and the `Location` and the page in one text.
    async fn answer(
        &self,
        method: Method,
        path: &str,
        form: &[(&str, &str)],
    ) -> reqwest::Result<(StatusCode, String)> {
        let mut request = self
            .client
            .request(method.clone(), format!("{}{path}", self.url));
        if method == Method::POST {
            request = request.form(form);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let location = answer.headers().get(LOCATION);
        let location = location.and_then(|place| place.to_str().ok());
        let to = location
            .map(|place| format!("to {place}\n"))
            .unwrap_or_default();
        Ok((status, to + &answer.text().await?))
    }

    fn credentials(&self, password: &'static str) -> [(&'static str, &'static str); 2] {
        [("user", USERS[self.user].0), ("password", password)]
    }

    fn has_time(&self) -> bool {
        self.due.max(Instant::now()) < self.plan.until
    }

    /// Waits until the next request is due, and returns the time from which on its latency counts.
    async fn start(&mut self) -> Instant {
        let Pace::Every(pause) = self.plan.pace else {
            return Instant::now();
        };
        let due = self.due;
        self.due += pause;
        sleep_until(due).await;
        // The timer is as exact as `TICK`. A longer delay is the service's doing.
        let now = Instant::now();
        if now - due < TICK { now } else { due }
    }
}

const USERS: [(&str, &str); 3] = [
    ("ann", "apple pie"),
    ("ben", "blue bird"),
    ("cleo", "cold brew"),
];
/// The guesses a minute for one name from one address.
const GUESSES: u64 = 5;
const PATIENCE: Duration = Duration::from_secs(30);
const TICK: Duration = Duration::from_millis(2);
