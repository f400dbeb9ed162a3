//! What pages say beside what they are for.

use std::time::{Duration, Instant};

use futures::StreamExt;
use reinhardt_backends_tests::Server;
use reqwest::StatusCode;

use crate::service::Service;
use crate::visitor::Visitor;

#[tokio::test]
async fn the_foot_says_where_a_page_comes_from_and_how_long_the_session_lives() {
    let server = Server::start();
    for (url, store) in [
        (None, "Store: memory"),
        (Some(server.url()), "Store: Redis"),
    ] {
        let service = Service::start(url.as_deref(), &[]).await;
        let visitor = Visitor::new(service.url());
        let page = visitor.get("/").await;
        assert_eq!(page.text_of("store"), Some(store));
        let (_, port) = service.url().rsplit_once(':').unwrap();
        let instance = page.text_of("instance").unwrap();
        assert!(instance.ends_with(&format!("on port {port}")), "{instance}");
        assert_eq!(page.text_of("session"), None);
        visitor.log_in("ann", "apple pie").await;
        let page = visitor.get("/").await;
        let session = page.text_of("session");
        assert_eq!(
            session,
            Some("Session ends in 30 minutes without a request")
        );
    }
}

#[tokio::test]
async fn a_wrong_password_says_how_many_tries_are_left() {
    let service = Service::start(None, &[]).await;
    let visitor = Visitor::new(service.url());
    for left in (0..5).rev() {
        let page = visitor.try_log_in("ann", "guess").await;
        let tries = page.text_of("tries").unwrap();
        let shown: u64 = tries.strip_prefix("Tries left: ").unwrap().parse().unwrap();
        // Another one comes back every twelve seconds.
        assert!(shown >= left, "{tries}");
    }
}

#[tokio::test]
async fn a_page_that_is_missing_knows_who_asks() {
    let service = Service::start(None, &[]).await;
    let visitor = Visitor::new(service.url());
    let page = visitor.get("/nowhere").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(!page.html.contains("Log out"), "{}", page.html);
    visitor.log_in("ann", "apple pie").await;
    for path in ["/nowhere", "/reports/nowhere"] {
        let page = visitor.get(path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND);
        assert!(page.html.contains("Log out ann"), "{}", page.html);
    }
}

#[tokio::test]
async fn a_login_leads_back_to_where_one_came_from() {
    let service = Service::start(None, &[]).await;
    let visitor = Visitor::new(service.url());
    let sent = visitor.get("/reports/north?x=1&y=2").await;
    let form = visitor.get(sent.location.as_deref().unwrap()).await;
    let field = "name=\"to\" value=\"/reports/north?x=1&amp;y=2\"";
    assert!(form.html.contains(field), "{}", form.html);
    let to = ("to", "/reports/north?x=1&y=2");
    let wrong = [("user", "ann"), ("password", "guess"), to];
    let wrong = visitor.post("/login", &wrong).await;
    assert!(wrong.html.contains(field), "also after a mistake");
    let right = [("user", "ann"), ("password", "apple pie"), to];
    let right = visitor.post("/login", &right).await;
    assert_eq!(right.location.as_deref(), Some(to.1));
    let again = visitor.get("/login?to=/counter").await;
    assert_eq!(again.location.as_deref(), Some("/counter"));
    let elsewhere = visitor.get("/login?to=//evil.example").await;
    assert_eq!(elsewhere.location.as_deref(), Some("/"));
}

#[tokio::test]
async fn a_slow_report_shows_that_it_is_at_work_before_it_is_there() {
    let service = Service::start(None, &[("REPORT_TIME", "3s")]).await;
    let visitor = Visitor::new(service.url());
    visitor.log_in("ann", "apple pie").await;
    let begun = Instant::now();
    let answer = visitor.begin("/reports/north").await;
    assert_eq!(answer.status(), StatusCode::OK);
    let mut parts = answer.bytes_stream();
    let mut html = String::new();
    let mut is_first = None;
    while let Some(part) = parts.next().await {
        html += std::str::from_utf8(&part.unwrap()).unwrap();
        if html.contains("being computed") {
            is_first.get_or_insert_with(|| !html.contains("<table>"));
        }
    }
    assert_eq!(is_first, Some(true), "{html}");
    assert!(begun.elapsed() >= Duration::from_secs(3));
    assert!(
        html.contains("<table>") && html.ends_with("</html>"),
        "{html}"
    );
    let again = visitor.get("/reports/north").await;
    assert!(!again.html.contains("being computed"));
}
