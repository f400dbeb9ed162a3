//! The pages: one handler, so that every answer passes the same checks and has the same headers.

mod answer;
mod checks;
mod form;
mod hosts;
mod links;
mod pages;
mod problem;
mod routes;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::any;
use http::Method;
use http::request::Parts;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use self::hosts::Hosts;
use self::links::Links;
use self::problem::Problem;
use super::builder::{Authorize, Inspector};
use super::handles::{Handles, random};
use super::reads::Reads;
use super::survey::SurveyCache;
use super::unseen::unseen;
use crate::backend::Backend;

/// The longest time that a page takes.
const PAGE_TIME: Duration = Duration::from_secs(10);

/// The longest time that a check of a request takes.
const CHECK_TIME: Duration = Duration::from_secs(5);
/// The number of pages that read entries at the same time.
const PLACES: usize = 4;
/// The longest time that a page waits for its place.
const WAIT_TIME: Duration = Duration::from_secs(3);

/// All that the pages of one router share.
struct Site {
    backend: Arc<dyn Backend>,
    authorize: Authorize,
    hosts: Hosts,
    /// The secret that every form has; `None` if there is none, and then no form is taken.
    token: Option<String>,
    deletes: Option<Authorize>,
    /// The places for pages that read entries: decoding may take long, and large values memory.
    places: Arc<Semaphore>,
    reads: Option<Reads>,
    surveys: SurveyCache,
    handles: Handles,
}

impl Inspector {
    /// Makes the router, to be nested wherever it is wanted.
    pub fn router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        router(self)
    }
}

fn router<S: Clone + Send + Sync + 'static>(inspector: Inspector) -> Router<S> {
    let site = Arc::new(Site {
        surveys: SurveyCache::new(inspector.backend.clone()),
        backend: inspector.backend,
        authorize: inspector.authorize,
        hosts: Hosts::new(&inspector.hosts),
        token: random().ok(),
        deletes: inspector.deletes,
        places: Arc::new(Semaphore::new(PLACES)),
        reads: inspector.reads,
        handles: Handles::default(),
    });
    let handler = move |request: Request| {
        let site = site.clone();
        async move { site.answer(request).await }
    };
    Router::new()
        .route("/", any(handler.clone()))
        .route("/{*path}", any(handler))
}

impl Site {
    async fn answer(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let links = Links::of(&parts);
        let answered = match timeout(PAGE_TIME, self.checked(&parts, body, &links)).await {
            Ok(answered) => answered,
            Err(_) => Err(Problem::TooSlow {
                may_be_done: parts.method == Method::POST,
            }),
        };
        let response = answered.unwrap_or_else(|problem| problem.page(&links));
        answer::with_headers(response)
    }

    /// Whoever isn't authorized learns nothing, not even under which names the pages answer.
    async fn checked(&self, parts: &Parts, body: Body, links: &Links) -> Result<Response, Problem> {
        check(&self.authorize, parts).await?;
        self.hosts.check(parts)?;
        checks::same_site(parts)?;
        unseen(self.route(parts, body, links)).await
    }
}

/// Asks a check. One that takes too long refuses.
///
/// # Errors
///
/// `Forbidden`.
async fn check(authorize: &Authorize, parts: &Parts) -> Result<(), Problem> {
    let answer = unseen(authorize(parts).answer());
    match timeout(CHECK_TIME, answer).await {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(Problem::Forbidden),
    }
}

impl Site {
    /// Waits for a place among the pages that read entries.
    ///
    /// # Errors
    ///
    /// `Busy`.
    async fn place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let place = self.places.clone().acquire_owned();
        match timeout(WAIT_TIME, place).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(Problem::Busy),
        }
    }
}
