//! Somebody with a browser of their own.

use std::time::Instant;

use reqwest::header::{COOKIE, LOCATION, RETRY_AFTER, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode};

/// A client that keeps cookies, and follows a redirect only when told.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    client: Client,
    url: String,
}

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) location: Option<String>,
    pub(crate) retry_after: Option<u64>,
    pub(crate) cookie: Option<String>,
    pub(crate) html: String,
}

impl Visitor {
    pub(crate) fn new(url: &str) -> Self {
        let client = Client::builder()
            .cookie_store(true)
            .redirect(Policy::none())
            .build();
        Self {
            client: client.expect("a client"),
            url: url.to_string(),
        }
    }

    /// Goes to another instance and takes the cookies along, as a browser does behind one host
    /// name.
    pub(crate) fn moved_to(&self, url: &str) -> Self {
        Self {
            client: self.client.clone(),
            url: url.to_string(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Page {
        self.send(self.client.get(self.at(path))).await
    }

    /// Sends a request, and leaves the body of the answer to the caller.
    pub(crate) async fn begin(&self, path: &str) -> Response {
        let answer = self.client.get(self.at(path)).send().await;
        answer.expect("the service answers")
    }

    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Page {
        self.send(self.client.post(self.at(path)).form(form)).await
    }

    pub(crate) async fn post_from(&self, origin: &str, path: &str, form: &[(&str, &str)]) -> Page {
        let request = self.client.post(self.at(path)).form(form);
        self.send(request.header("origin", origin)).await
    }

    pub(crate) async fn get_with_cookie(&self, path: &str, cookie: &str) -> Page {
        let request = self.client.get(self.at(path));
        self.send(request.header(COOKIE, cookie)).await
    }

    pub(crate) async fn try_log_in(&self, user: &str, password: &str) -> Page {
        let form = [("user", user), ("password", password)];
        self.post("/login", &form).await
    }

    /// Logs in and returns the cookie as it was set.
    pub(crate) async fn log_in(&self, user: &str, password: &str) -> String {
        let page = self.try_log_in(user, password).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
        assert_eq!(page.location.as_deref(), Some("/"));
        page.cookie.expect("a login sets a cookie")
    }

    /// Returns the name of the user who is logged in, as the first page says.
    pub(crate) async fn user(&self) -> Option<String> {
        self.get("/").await.text_of("user").map(str::to_string)
    }

    async fn send(&self, request: RequestBuilder) -> Page {
        let answer = request.send().await.expect("the service answers");
        let header = |name| {
            let value = answer.headers().get(name)?;
            Some(value.to_str().expect("a header is text").to_string())
        };
        Page {
            status: answer.status(),
            location: header(LOCATION),
            retry_after: header(RETRY_AFTER).map(|text| text.parse().expect("seconds")),
            cookie: header(SET_COOKIE),
            html: body(answer).await,
        }
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }
}

/// Guesses the password of `user`, at each place in turn, until a guess is refused, and returns
/// that answer.
///
/// The service looks at five guesses, and at one more for every twelve seconds that this takes.
pub(crate) async fn guess_until_refused(places: &[&Visitor], user: &str) -> Page {
    let begin = Instant::now();
    let mut looked_at = 0;
    for place in places.iter().cycle() {
        let page = place.try_log_in(user, "guess").await;
        assert!(page.cookie.is_none());
        if page.status == StatusCode::TOO_MANY_REQUESTS {
            assert!(looked_at >= 5, "{looked_at}");
            return page;
        }
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        looked_at += 1;
        assert!(
            looked_at <= 5 + begin.elapsed().as_secs() / 12,
            "{looked_at}"
        );
    }
    unreachable!("there are places")
}

impl Page {
    /// Returns the text of the element with this id.
    /// Says whether a page was refused to a visitor who isn't logged in.
    pub(crate) fn asks_to_log_in(&self) -> bool {
        let to = self.location.as_deref();
        self.status == StatusCode::SEE_OTHER && to.is_some_and(|to| to.starts_with("/login?to="))
    }

    pub(crate) fn text_of(&self, id: &str) -> Option<&str> {
        let (_, rest) = self.html.split_once(&format!(" id=\"{id}\">"))?;
        rest.split('<').next()
    }

    pub(crate) fn number_of(&self, id: &str) -> u64 {
        let text = self.text_of(id).unwrap_or_else(|| panic!("{}", self.html));
        text.parse().expect("a number")
    }
}

async fn body(answer: Response) -> String {
    answer.text().await.expect("the answer is whole")
}
