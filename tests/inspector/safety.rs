//! Every answer has the headers that keep it where it belongs, and other hosts and sites get none.

use http::StatusCode;
use reinhardt_backends::MemoryBackend;
use reinhardt_backends::inspector::Inspector;

use crate::model::fill;
use crate::site::{HOST, Site, at};

const HEADERS: [(&str, &str); 7] = [
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
         form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
];

#[tokio::test]
async fn every_answer_has_the_headers_and_nothing_inline() {
    let backend = MemoryBackend::new();
    fill(&backend).await;
    let site = Site::of(backend.clone());
    let handle = site.handle("cart@2", &["north", "7"]).await;
    let refused = Site::with(Inspector::new(backend, |_| false));
    let mut statuses = Vec::new();
    for path in [
        "",
        "/style.css",
        "/script.js",
        "/icon.svg",
        "/keyspaces/cart@2",
        "/keyspaces/x",
        &handle,
        "/x",
    ] {
        for method in ["GET", "HEAD", "POST", "DELETE"] {
            for (site, host) in [(&site, HOST), (&site, "evil.example"), (&refused, HOST)] {
                let answer = site.send(method, &at(path), &[("host", host)], "").await;
                for (name, value) in HEADERS {
                    assert_eq!(answer.headers[name], value, "{method} {path} {host}");
                }
                assert!(!answer.html.contains(" style=") && !answer.html.contains(" onclick"));
                assert!(!answer.html.contains("<style") && !answer.html.contains("<script>"));
                assert!(!answer.html.contains("//evil"), "{}", answer.html);
                statuses.push(answer.status.as_u16());
            }
        }
    }
    for status in [200, 403, 404, 405, 421] {
        assert!(statuses.contains(&status), "{status}");
    }
}

#[tokio::test]
async fn the_files_have_their_types_and_the_method_is_told() {
    let site = Site::of(MemoryBackend::new());
    for (path, kind) in [
        ("/style.css", "text/css; charset=utf-8"),
        ("/script.js", "text/javascript; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
        ("", "text/html; charset=utf-8"),
    ] {
        assert_eq!(site.page(path).await.headers["content-type"], kind);
    }
    let wrong = site
        .send("PUT", &at("/keyspaces/cart@2"), &[("host", HOST)], "")
        .await;
    assert_eq!(wrong.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(wrong.headers["allow"], "GET, HEAD, POST");
}

#[tokio::test]
async fn only_hosts_that_are_known_are_answered() {
    let site =
        Site::with(Inspector::new(MemoryBackend::new(), |_| true).hosts(["ops.example.com"]));
    for host in [
        "localhost",
        "127.0.0.1:8080",
        "[::1]:3000",
        "ops.example.com",
        "OPS.example.com:443",
    ] {
        let answer = site.send("GET", &at(""), &[("host", host)], "").await;
        assert_eq!(answer.status, StatusCode::OK, "{host}");
    }
    for host in [
        "evil.example",
        "ops.example.com.evil.example",
        "<script>",
        "192.0.2.1",
    ] {
        let answer = site.send("GET", &at(""), &[("host", host)], "").await;
        assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{host}");
        assert!(!answer.html.contains("<script>"), "{}", answer.html);
    }
    let answer = site
        .send("GET", &at(""), &[("host", "other.example:80")], "")
        .await;
    assert!(
        answer.has("Inspector::new(..).hosts([&quot;other.example&quot;])"),
        "{}",
        answer.html
    );
    let answer = site.send("GET", &at(""), &[], "").await;
    assert_eq!(answer.status, StatusCode::OK, "no browser");
}

#[tokio::test]
async fn another_site_gets_a_page_only_by_a_link() {
    let site = Site::of(MemoryBackend::new());
    let ask = async |fetch: [&str; 3], path: &str| {
        let [from, mode, dest] = fetch;
        let headers = [
            ("host", HOST),
            ("sec-fetch-site", from),
            ("sec-fetch-mode", mode),
            ("sec-fetch-dest", dest),
        ];
        site.send("GET", &at(path), &headers, "").await.status
    };
    assert_eq!(ask(["cross-site", "navigate", "document"], "").await, 200);
    assert_eq!(ask(["none", "navigate", "document"], "").await, 200);
    assert_eq!(
        ask(["same-origin", "no-cors", "script"], "/script.js").await,
        200
    );
    assert_eq!(ask(["cross-site", "navigate", "iframe"], "").await, 403);
    assert_eq!(
        ask(["cross-site", "no-cors", "script"], "/script.js").await,
        403
    );
    assert_eq!(ask(["same-site", "cors", "empty"], "").await, 403);
}
