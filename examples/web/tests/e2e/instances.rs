//! Several instances on one server, and what becomes of sessions and answers when one ends.

use std::time::Duration;

use futures::join;
use reinhardt_backends_tests::Server;
use reqwest::StatusCode;
use tokio::time::{sleep, timeout};

use crate::service::Service;
use crate::visitor::Visitor;

#[tokio::test]
async fn instances_on_one_server_share_sessions_and_counts() {
    let server = Server::start();
    let url = server.url();
    let (one, other) = join!(
        Service::start(Some(&url), &[]),
        Service::start(Some(&url), &[])
    );
    let here = Visitor::new(one.url());
    here.log_in("ann", "apple pie").await;
    let there = here.moved_to(other.url());
    assert_eq!(there.user().await.as_deref(), Some("ann"));

    here.post("/counter", &[]).await;
    there.post("/counter", &[]).await;
    assert_eq!(here.get("/counter").await.number_of("clicks"), 2);

    let report = here.get("/reports/north").await;
    assert_eq!(report.number_of("computation"), 1);
    let report = there.get("/reports/north").await;
    assert_eq!(report.number_of("computation"), 1);

    there.post("/logout", &[]).await;
    let cookie_of_here = here.get("/counter").await;
    assert_eq!(cookie_of_here.location.as_deref(), Some("/login"));
}

#[tokio::test]
async fn instances_on_one_server_share_the_limit() {
    let server = Server::start();
    let url = server.url();
    let (one, other) = join!(
        Service::start(Some(&url), &[]),
        Service::start(Some(&url), &[])
    );
    let (here, there) = (Visitor::new(one.url()), Visitor::new(other.url()));
    for visitor in [&here, &there, &here, &there, &here] {
        let wrong = visitor.try_log_in("ann", "guess").await;
        assert_eq!(wrong.status, StatusCode::FORBIDDEN);
    }
    for visitor in [&here, &there] {
        let refused = visitor.try_log_in("ann", "apple pie").await;
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    }
}

#[tokio::test]
async fn a_restart_loses_no_session_and_no_answer() {
    let server = Server::start();
    let url = server.url();
    // Long enough that the signal comes before the answer.
    let slow = [("REPORT_TIME", "2s")];
    let ending = Service::start(Some(&url), &slow).await;
    let staying = Service::start(Some(&url), &[]).await;
    let visitor = Visitor::new(ending.url());
    visitor.log_in("ann", "apple pie").await;
    visitor.post("/counter", &[]).await;

    let log = answered_while_ending(ending, &visitor).await;
    assert!(log.contains("ended"), "{log}");

    let meanwhile = visitor.moved_to(staying.url());
    assert_eq!(meanwhile.user().await.as_deref(), Some("ann"));

    let again = Service::start(Some(&url), &[]).await;
    let afterwards = visitor.moved_to(again.url());
    assert_eq!(afterwards.user().await.as_deref(), Some("ann"));
    assert_eq!(afterwards.get("/counter").await.number_of("clicks"), 1);
    // What was computed while its process ended was kept before the store was closed.
    let report = afterwards.get("/reports/north").await;
    assert_eq!(report.number_of("computation"), 1);
}

#[tokio::test]
async fn on_memory_what_is_under_way_is_answered_too() {
    let service = Service::start(None, &[("REPORT_TIME", "2s")]).await;
    let visitor = Visitor::new(service.url());
    visitor.log_in("ann", "apple pie").await;
    answered_while_ending(service, &visitor).await;
}

/// Ends the service while it computes a report for the visitor, who gets it, and returns what it logged.
async fn answered_while_ending(service: Service, visitor: &Visitor) -> String {
    let asking = tokio::spawn({
        let visitor = visitor.clone();
        async move { visitor.get("/reports/north").await }
    });
    has_logged(&service, &["/reports/north", "started"]).await;
    service.terminate();
    has_logged(&service, &["ending"]).await;
    assert!(!asking.is_finished(), "the answer came before the end");
    let page = asking.await.expect("the request ends");
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(page.number_of("computation"), 1);
    let (status, log) = service.ended().await;
    assert!(status.success(), "{status}\n{log}");
    log
}

/// Waits until the log has a line with all of `words`.
async fn has_logged(service: &Service, words: &[&str]) {
    let has = |line: &str| words.iter().all(|word| line.contains(word));
    let seen = async {
        while !service.log().lines().any(has) {
            sleep(Duration::from_millis(2)).await;
        }
    };
    let seen = timeout(PATIENCE, seen).await;
    assert!(seen.is_ok(), "no line with {words:?} in\n{}", service.log());
}

#[tokio::test]
async fn while_the_server_is_silent_nobody_gets_in_and_nobody_is_logged_out() {
    let server = Server::start();
    let service = Service::start(Some(&server.url()), &[]).await;
    let visitor = Visitor::new(service.url());
    visitor.log_in("ann", "apple pie").await;

    server.pause();
    let page = visitor.get("/counter").await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(page.retry_after, Some(1));
    let stranger = Visitor::new(service.url());
    let login = stranger.try_log_in("ben", "blue bird").await;
    assert_eq!(login.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(login.cookie.is_none());

    server.resume();
    assert_eq!(visitor.user().await.as_deref(), Some("ann"));
}

const PATIENCE: Duration = Duration::from_secs(30);
