//! The behaviour of one instance, the same in memory and on Redis.

use std::time::Instant;

use futures::future::join_all;
use reinhardt_backends_tests::{Cluster, Server, Service as Watched};
use reqwest::StatusCode;

use crate::service::Service;
use crate::visitor::{Visitor, guess_until_refused};

/// An instance and, for an instance on Redis, servers with nothing in them.
struct Place {
    service: Service,
    _servers: Box<dyn Send>,
}

impl Place {
    async fn on_memory() -> Self {
        Self {
            service: Service::start(None, &[]).await,
            _servers: Box::new(()),
        }
    }

    async fn on_redis() -> Self {
        let server = Server::start();
        Self::on(&server.url(), server).await
    }

    async fn on_a_cluster() -> Self {
        let cluster = Cluster::of_primaries(3, &[]);
        Self::on(&cluster.url(1), cluster).await
    }

    async fn where_sentinels_watch() -> Self {
        let service = Watched::start();
        Self::on(&service.url(), service).await
    }

    async fn on(url: &str, servers: impl Send + 'static) -> Self {
        Self {
            service: Service::start(Some(url), &[]).await,
            _servers: Box::new(servers),
        }
    }

    fn visitor(&self) -> Visitor {
        Visitor::new(self.service.url())
    }
}

/// Makes two tests of each function: one on memory and one on Redis.
macro_rules! on_both {
    ($($fact:ident)*) => {
        mod on_memory {
            $(#[tokio::test]
            async fn $fact() {
                super::$fact(super::Place::on_memory().await).await;
            })*
        }

        mod on_redis {
            $(#[tokio::test]
            async fn $fact() {
                super::$fact(super::Place::on_redis().await).await;
            })*
        }
    };
}

on_both! {
    a_visitor_logs_in_looks_around_and_logs_out
    pages_that_need_a_login_send_to_the_form
    the_sixth_try_in_a_minute_is_refused
    the_right_password_is_refused_too_after_too_many_wrong_ones
    an_address_has_a_hundred_tries_for_all_names
    tries_for_one_name_leave_other_names_alone
    a_right_password_gives_the_tries_back
    a_cookie_is_worth_nothing_after_the_logout
    a_login_ends_the_session_that_the_browser_had
    logging_out_everywhere_ends_the_sessions_of_one_user_alone
    a_report_is_computed_once_for_all_who_ask_at_once
    no_click_is_lost
    a_form_from_another_origin_is_refused
}

#[tokio::test]
async fn a_visit_is_the_same_on_a_cluster() {
    let place = Place::on_a_cluster().await;
    a_visitor_logs_in_looks_around_and_logs_out(place).await;
}

#[tokio::test]
async fn a_visit_is_the_same_where_sentinels_watch() {
    let place = Place::where_sentinels_watch().await;
    a_visitor_logs_in_looks_around_and_logs_out(place).await;
}

async fn a_visitor_logs_in_looks_around_and_logs_out(place: Place) {
    let visitor = place.visitor();
    assert_eq!(visitor.user().await, None);
    visitor.log_in("ann", "apple pie").await;
    assert_eq!(visitor.user().await.as_deref(), Some("ann"));

    assert_eq!(visitor.get("/counter").await.number_of("clicks"), 0);
    let clicked = visitor.post("/counter", &[]).await;
    assert_eq!(clicked.status, StatusCode::SEE_OTHER);
    assert_eq!(clicked.location.as_deref(), Some("/counter"));
    assert_eq!(visitor.get("/counter").await.number_of("clicks"), 1);

    for _ in 0..2 {
        let report = visitor.get("/reports/north").await;
        assert_eq!(report.status, StatusCode::OK);
        assert_eq!(report.number_of("computation"), 1);
    }
    let missing = visitor.get("/reports/nowhere").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);

    let out = visitor.post("/logout", &[]).await;
    assert_eq!(out.location.as_deref(), Some("/login"));
    assert_eq!(visitor.user().await, None);
}

async fn pages_that_need_a_login_send_to_the_form(place: Place) {
    let visitor = place.visitor();
    for path in ["/counter", "/reports", "/reports/north"] {
        let page = visitor.get(path).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{path}");
        let back = format!("/login?to={}", path.replace('/', "%2F"));
        assert_eq!(page.location, Some(back));
    }
    let click = visitor.post("/counter", &[]).await;
    assert_eq!(click.location.as_deref(), Some("/login"));
}

async fn the_sixth_try_in_a_minute_is_refused(place: Place) {
    let visitor = place.visitor();
    let refused = guess_until_refused(&[&visitor], "ann").await;
    let wait = refused.retry_after.expect("it says how long to wait");
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(refused.number_of("wait"), wait);
    assert_eq!(visitor.user().await, None);
}

async fn the_right_password_is_refused_too_after_too_many_wrong_ones(place: Place) {
    let visitor = place.visitor();
    // Once is enough, unless this takes so long that a try has come back.
    for _ in 0..10 {
        let refused = guess_until_refused(&[&visitor], "ann").await;
        let since = Instant::now();
        let page = visitor.try_log_in("ann", "apple pie").await;
        if page.status == StatusCode::TOO_MANY_REQUESTS {
            assert_eq!(visitor.user().await, None);
            return;
        }
        let wait = refused.retry_after.expect("it says how long to wait");
        assert!(since.elapsed().as_secs() + 1 >= wait, "{:?}", page.status);
    }
    panic!("in ten times no two requests came within twelve seconds");
}

async fn an_address_has_a_hundred_tries_for_all_names(place: Place) {
    let visitor = place.visitor();
    let mut looked_at = 0;
    let refused = loop {
        let page = visitor
            .try_log_in(&format!("user{looked_at}"), "guess")
            .await;
        if page.status == StatusCode::TOO_MANY_REQUESTS {
            break page;
        }
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        looked_at += 1;
        assert!(looked_at < 1_000, "it never ends");
    };
    // More than a hundred tries, if some came back meanwhile.
    assert!(looked_at >= 100, "{looked_at}");
    let wait = refused.retry_after.expect("it says how long to wait");
    assert_eq!(refused.number_of("wait"), wait);
}

async fn tries_for_one_name_leave_other_names_alone(place: Place) {
    let visitor = place.visitor();
    guess_until_refused(&[&visitor], "ann").await;
    visitor.log_in("ben", "blue bird").await;
    assert_eq!(visitor.user().await.as_deref(), Some("ben"));
}

async fn a_right_password_gives_the_tries_back(place: Place) {
    let visitor = place.visitor();
    for _ in 0..3 {
        for _ in 0..4 {
            let wrong = visitor.try_log_in("ann", "guess").await;
            assert_eq!(wrong.status, StatusCode::FORBIDDEN);
        }
        visitor.log_in("ann", "apple pie").await;
    }
}

async fn a_cookie_is_worth_nothing_after_the_logout(place: Place) {
    let visitor = place.visitor();
    let cookie = visitor.log_in("ann", "apple pie").await;
    let cookie = cookie.split(';').next().expect("a name and an id");
    let thief = place.visitor();
    let before = thief.get_with_cookie("/counter", cookie).await;
    assert_eq!(before.status, StatusCode::OK);
    visitor.post("/logout", &[]).await;
    let after = thief.get_with_cookie("/counter", cookie).await;
    assert!(after.asks_to_log_in());
}

async fn a_login_ends_the_session_that_the_browser_had(place: Place) {
    let visitor = place.visitor();
    let first = visitor.log_in("ann", "apple pie").await;
    let second = visitor.log_in("ann", "apple pie").await;
    let [first, second] = [&first, &second].map(|set| set.split(';').next().expect("an id"));
    assert_ne!(first, second);
    let old = place.visitor().get_with_cookie("/counter", first).await;
    assert!(old.asks_to_log_in());
    let new = place.visitor().get_with_cookie("/counter", second).await;
    assert_eq!(new.status, StatusCode::OK);
}

async fn logging_out_everywhere_ends_the_sessions_of_one_user_alone(place: Place) {
    let [at_home, at_work, other] = [place.visitor(), place.visitor(), place.visitor()];
    at_home.log_in("ann", "apple pie").await;
    at_work.log_in("ann", "apple pie").await;
    other.log_in("ben", "blue bird").await;
    let out = at_home.post("/logout/everywhere", &[]).await;
    assert_eq!(out.location.as_deref(), Some("/login"));
    assert_eq!(at_home.user().await, None);
    assert_eq!(at_work.user().await, None);
    assert_eq!(other.user().await.as_deref(), Some("ben"));
}

async fn a_report_is_computed_once_for_all_who_ask_at_once(place: Place) {
    let mut visitors = Vec::new();
    // One after the other: so many logins of one person at once would count as that many tries.
    for _ in 0..20 {
        let visitor = place.visitor();
        visitor.log_in("ann", "apple pie").await;
        visitors.push(visitor);
    }
    let asked = visitors.iter().map(|visitor| visitor.get("/reports/south"));
    for page in join_all(asked).await {
        assert_eq!(page.number_of("computation"), 1);
    }
}

async fn no_click_is_lost(place: Place) {
    let visitor = place.visitor();
    visitor.log_in("ann", "apple pie").await;
    join_all((0..50).map(|_| visitor.post("/counter", &[]))).await;
    assert_eq!(visitor.get("/counter").await.number_of("clicks"), 50);
}

async fn a_form_from_another_origin_is_refused(place: Place) {
    let visitor = place.visitor();
    visitor.log_in("ann", "apple pie").await;
    let foreign = visitor
        .post_from("https://elsewhere.example", "/counter", &[])
        .await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    let own = visitor
        .post_from(place.service.url(), "/counter", &[])
        .await;
    assert_eq!(own.status, StatusCode::SEE_OTHER);
    assert_eq!(visitor.get("/counter").await.number_of("clicks"), 1);
}

#[tokio::test]
async fn what_a_visitor_types_is_shown_as_text() {
    let place = Place::on_memory().await;
    let typed = "\"><script>alert(1)</script>";
    let page = place.visitor().try_log_in(typed, "guess").await;
    assert!(page.html.contains("&lt;script&gt;"), "{}", page.html);
    assert!(!page.html.contains("<script"), "{}", page.html);
}

#[tokio::test]
async fn a_name_that_nobody_can_have_is_refused_without_being_counted() {
    let place = Place::on_redis().await;
    let visitor = place.visitor();
    for _ in 0..7 {
        // The name is longer than a key may be.
        let page = visitor.try_log_in(&"a".repeat(4096), "guess").await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn the_cookie_is_kept_from_scripts_and_other_sites_and_behind_a_switch_from_plain_http() {
    let plain = Place::on_memory().await;
    let set = plain.visitor().log_in("ann", "apple pie").await;
    for word in ["session=", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(set.contains(word), "no {word} in {set}");
    }
    assert!(!set.contains("Secure"), "{set}");

    let service = Service::start(None, &[("SECURE_COOKIES", "true")]).await;
    let visitor = Visitor::new(service.url());
    let set = visitor.log_in("ann", "apple pie").await;
    for word in [
        "__Host-session=",
        "HttpOnly",
        "SameSite=Lax",
        "Path=/",
        "Secure",
    ] {
        assert!(set.contains(word), "no {word} in {set}");
    }
    let cookie = set.split(';').next().expect("a name and an id");
    let page = visitor.get_with_cookie("/counter", cookie).await;
    assert_eq!(page.status, StatusCode::OK);
}
