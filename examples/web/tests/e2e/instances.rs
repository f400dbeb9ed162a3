//! Several instances on one server, and the fate of sessions and answers when one instance ends.

use std::time::Duration;

use futures::future::join_all;
use futures::join;
use reinhardt_backends_tests::Server;
use reqwest::StatusCode;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::service::Service;
use crate::visitor::{Visitor, guess_until_refused};

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
    assert!(cookie_of_here.asks_to_log_in());
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
    guess_until_refused(&[&here, &there], "ann").await;
}

#[tokio::test]
async fn instances_on_one_server_compute_a_report_once() {
    let server = Server::start();
    let url = server.url();
    let (one, other) = join!(
        Service::start(Some(&url), &SLOW),
        Service::start(Some(&url), &SLOW)
    );
    let here = Visitor::new(one.url());
    here.log_in("ann", "apple pie").await;
    let there = here.moved_to(other.url());
    let asked = (0..10).map(|turn| if turn % 2 == 0 { &here } else { &there });
    let pages = join_all(asked.map(|visitor| visitor.get("/reports/north")));
    for page in pages.await {
        assert_eq!(page.number_of("computation"), 1);
    }
    assert_eq!(server.command("GET web:computed:North"), "$1\r\n1\r\n");
}

#[tokio::test]
async fn a_restart_loses_no_session_and_no_answer() {
    let restart = async || {
        let server = Server::start();
        let url = server.url();
        let ending = Service::start(Some(&url), &SLOW).await;
        let visitor = Visitor::new(ending.url());
        visitor.log_in("ann", "apple pie").await;
        visitor.post("/counter", &[]).await;
        if !is_answered_while_ending(ending, &visitor).await {
            return false;
        }
        let again = Service::start(Some(&url), &[]).await;
        let afterwards = visitor.moved_to(again.url());
        assert_eq!(afterwards.user().await.as_deref(), Some("ann"));
        assert_eq!(afterwards.get("/counter").await.number_of("clicks"), 1);
        // The report that was computed while its process ended was stored before the store was
        // closed.
        let report = afterwards.get("/reports/north").await;
        assert_eq!(report.number_of("computation"), 1);
        true
    };
    in_time(restart).await;
}

#[tokio::test]
async fn on_memory_what_is_under_way_is_answered_too() {
    let end = async || {
        let service = Service::start(None, &SLOW).await;
        let visitor = Visitor::new(service.url());
        visitor.log_in("ann", "apple pie").await;
        is_answered_while_ending(service, &visitor).await
    };
    in_time(end).await;
}

#[tokio::test]
async fn an_instance_without_its_server_lives_and_is_not_ready() {
    let server = Server::start();
    let service = Service::start(Some(&server.url()), &[]).await;
    let probe = Visitor::new(service.url());
    assert_eq!(probe.get("/ready").await.status, StatusCode::OK);

    server.pause();
    let page = probe.get("/ready").await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(page.retry_after, Some(1));
    assert_eq!(page.html, "Service Unavailable");
    assert_eq!(probe.get("/live").await.status, StatusCode::OK);

    server.resume();
    let ready = async {
        while probe.get("/ready").await.status != StatusCode::OK {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(30), ready).await.unwrap();
}

#[tokio::test]
async fn half_a_request_does_not_hold_up_the_end_for_ever() {
    let service = Service::start(None, &[]).await;
    let address = service.url().trim_start_matches("http://");
    let mut half = TcpStream::connect(address).await.expect("it listens");
    let written = half.write_all(b"GET / HTTP/1.1\r\nHost: half\r\n").await;
    written.expect("it takes half a request");
    // A whole request on another connection: the service has accepted the first connection by then.
    assert_eq!(
        Visitor::new(service.url()).get("/").await.status,
        StatusCode::OK
    );
    service.terminate();
    let (status, log) = service.ended().await;
    assert!(status.success(), "{status}\n{log}");
    assert!(log.contains("gave up"), "{log}");
}

/// Tries again if a report was ready before the signal was there, as on a machine that is busy with
/// something else.
async fn in_time(attempt: impl AsyncFn() -> bool) {
    for _ in 0..10 {
        if attempt().await {
            return;
        }
    }
    panic!("in ten times no signal came within a report's time");
}

/// Ends the service while it computes a report for the visitor, and checks that the visitor gets
/// the report. Says whether the report was still under way when the service began to end.
async fn is_answered_while_ending(service: Service, visitor: &Visitor) -> bool {
    let asking = tokio::spawn({
        let visitor = visitor.clone();
        async move { visitor.get("/reports/north").await }
    });
    has_logged(&service, &["/reports/north", "started"]).await;
    service.terminate();
    has_logged(&service, &["ending"]).await;
    let was_under_way = !asking.is_finished();
    let page = asking.await.expect("the request ends");
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(page.number_of("computation"), 1);
    let (status, log) = service.ended().await;
    assert!(status.success(), "{status}\n{log}");
    assert!(!log.contains("gave up"), "{log}");
    was_under_way
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

const SLOW: [(&str, &str); 1] = [("REPORT_TIME", "2s")];
const PATIENCE: Duration = Duration::from_secs(30);
