//! The pages as a browser asks for them, without a network.

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{HeaderMap, Request, StatusCode};
use reinhardt_backends::Backend;
use reinhardt_backends::inspector::Inspector;
use tower::ServiceExt;

/// A service that has the inspector under `/ops/inspector`.
#[derive(Debug, Clone)]
pub(crate) struct Site(Router);

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) html: String,
}

pub(crate) const HOST: &str = "localhost:3000";
pub(crate) const ORIGIN: &str = "http://localhost:3000";

impl Site {
    /// Makes a site that lets everybody in, and changes nothing.
    pub(crate) fn of<B: Backend + 'static>(backend: B) -> Self {
        Self::with(Inspector::new(backend, |_| true))
    }

    pub(crate) fn with(inspector: Inspector) -> Self {
        let ops = Router::new().nest("/inspector", inspector.router());
        Self(Router::new().nest("/ops", ops))
    }

    /// Sends a request with these headers alone.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_string())).unwrap();
        let answer = self.0.clone().oneshot(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: head.status,
            headers: head.headers,
            html: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    /// Asks for a page of the inspector, by the address in the bar of a browser.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        let path = at(path);
        self.send("GET", &path, &[("host", HOST)], "").await
    }

    /// Asks for a page that is there.
    pub(crate) async fn page(&self, path: &str) -> Answer {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.html);
        answer
    }

    /// Sends a form as a page of the inspector does.
    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let headers = [("host", HOST), ("origin", ORIGIN)];
        self.send("POST", &at(path), &headers, &encoded(form)).await
    }

    /// Returns the secret of the forms.
    pub(crate) async fn token(&self) -> String {
        let form = self.page("/keyspaces/cart@2").await;
        form.between("name=\"token\" value=\"", "\"")
    }

    /// Looks an entry up by its key fields, as the form does.
    pub(crate) async fn look_up(&self, keyspace: &str, fields: &[&str]) -> Answer {
        let token = self.token().await;
        let names: Vec<String> = (0..fields.len()).map(|at| format!("field-{at}")).collect();
        let mut form = vec![("token", token.as_str())];
        form.extend(names.iter().map(String::as_str).zip(fields.iter().copied()));
        self.post(&format!("/keyspaces/{keyspace}"), &form).await
    }

    /// Returns the path of the page of an entry, found by its key fields.
    pub(crate) async fn handle(&self, keyspace: &str, fields: &[&str]) -> String {
        let answer = self.look_up(keyspace, fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.html);
        let location = answer.headers["location"].to_str().unwrap();
        location.strip_prefix("..").unwrap().to_string()
    }

    /// Asks for the deletion of an entry, and returns the path that the second page's button leads
    /// to.
    pub(crate) async fn deletion(&self, entry: &str) -> String {
        let token = self.token().await;
        let asked = self
            .post(&format!("{entry}/delete"), &[("token", &token)])
            .await;
        assert_eq!(asked.status, StatusCode::OK, "{}", asked.html);
        format!(
            "/entries/{}/sure",
            asked.between("action=\"../../entries/", "/sure\"")
        )
    }

    /// Deletes an entry, by both pages.
    pub(crate) async fn delete(&self, entry: &str) -> Answer {
        let path = self.deletion(entry).await;
        let token = self.token().await;
        self.post(&path, &[("token", &token)]).await
    }

    /// Returns the page of an entry, found by its key fields.
    pub(crate) async fn entry(&self, keyspace: &str, fields: &[&str]) -> Answer {
        let handle = self.handle(keyspace, fields).await;
        self.get(&handle).await
    }
}

impl From<Router> for Site {
    fn from(service: Router) -> Self {
        Self(service)
    }
}

pub(crate) fn at(path: &str) -> String {
    format!("/ops/inspector{path}")
}

/// Writes a form as a browser does.
pub(crate) fn encoded(form: &[(&str, &str)]) -> String {
    let escape = |text: &str| {
        let escaped = text.bytes().map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        });
        escaped.collect::<String>()
    };
    let fields = form.iter();
    let fields = fields.map(|(name, value)| format!("{}={}", escape(name), escape(value)));
    fields.collect::<Vec<_>>().join("&")
}

impl Answer {
    /// Returns the text between two others.
    pub(crate) fn between(&self, before: &str, after: &str) -> String {
        let rest = self.html.split_once(before);
        let (_, rest) = rest.unwrap_or_else(|| panic!("no {before} in {}", self.html));
        rest.split(after).next().unwrap().to_string()
    }

    /// Returns the page without its tags, one space between two texts.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for part in self.html.split('<') {
            let after = part.split_once('>').map_or(part, |(_, after)| after);
            text.push(' ');
            text.push_str(after);
        }
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Returns the paths of the entries that a list leads to.
    pub(crate) fn entries(&self) -> Vec<String> {
        let links = self.html.split("href=\"../entries/").skip(1);
        let handles = links.map(|rest| rest.split('"').next().unwrap());
        handles.map(|handle| format!("/entries/{handle}")).collect()
    }

    pub(crate) fn has(&self, text: &str) -> bool {
        self.text().contains(text)
    }
}
