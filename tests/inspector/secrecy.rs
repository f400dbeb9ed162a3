//! Nothing of a keyspace without `inspect` comes out, whatever is asked.

use std::sync::Arc;

use http::StatusCode;
use reinhardt_backends::inspector::Inspector;
use reinhardt_backends::{Backend, MemoryBackend};
use reinhardt_backends_tests::on_every_backend;

use crate::model::{SECRETS, fill, put};
use crate::site::{Answer, HOST, ORIGIN, Site, at, encoded};

on_every_backend! {
    no_path_shows_what_is_not_declared
}

fn keeps_secrets(answer: &Answer, asked: &str) {
    for secret in SECRETS {
        assert!(!answer.html.contains(secret), "{asked}: {}", answer.html);
        let mut headers = answer.headers.values();
        assert!(
            !headers.any(|value| value.to_str().unwrap().contains(secret)),
            "{asked}"
        );
    }
}

async fn no_path_shows_what_is_not_declared<B: Backend + 'static>(backend: Arc<B>) {
    fill(&backend).await;
    let [key, _, undeclared, _] = SECRETS;
    let site = Site::with(Inspector::new(backend.clone(), |_| true).deletes(|_| true));
    let own = site.handle("cart@2", &["north", "7"]).await;
    let paths = [
        "".to_string(),
        "/keyspaces/secret".to_string(),
        "/keyspaces/secret?more".to_string(),
        format!("/keyspaces/secret:{key}"),
        format!("/keyspaces/secret/{key}"),
        format!("/keyspaces/{undeclared}"),
        "/keyspaces/".to_string(),
        "/keyspaces/cart@2%3A".to_string(),
        "/keyspaces/cart@2/../secret".to_string(),
        "/keyspaces//secret".to_string(),
        "/entries/".to_string(),
        format!("/entries/secret:{key}"),
        format!("/entries/secret%3A{key}"),
        format!("/entries/{key}"),
        format!("/entries/{undeclared}"),
        format!("{own}/../{key}"),
        format!("{own}%00"),
        "/..%2f..%2fetc/passwd".to_string(),
    ];
    for path in &paths {
        let answer = site.get(path).await;
        // The path is the only thing that may be repeated, and isn't.
        keeps_secrets(&answer, path);
    }
    assert!(site.page("/keyspaces/secret").await.has("aren't shown"));

    for fields in [
        &[key][..],
        &[&format!("secret:{key}")],
        &["x", &format!("7:secret:{key}")],
        &[&format!("../secret:{key}"), "7"],
        &["north", &format!("7\0secret:{key}")],
    ] {
        for keyspace in ["secret", "cart@2", "page", "hits", "login", "deep"] {
            let answer = site.look_up(keyspace, fields).await;
            keeps_secrets(&answer, keyspace);
            if keyspace == "secret" {
                assert_eq!(answer.status, StatusCode::FORBIDDEN);
            }
            if let Some(location) = answer.headers.get("location") {
                let path = location.to_str().unwrap().strip_prefix("..").unwrap();
                let entry = site.get(path).await;
                assert_eq!(entry.status, StatusCode::NOT_FOUND, "{keyspace} {fields:?}");
                keeps_secrets(&entry, keyspace);
            }
        }
    }
    let token = site.token().await;
    let delete = format!("/entries/secret:{key}/sure");
    let answer = site.post(&delete, &[("token", &token)]).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(backend.exists(&format!("secret:{key}")).await.unwrap());
}

#[tokio::test]
async fn a_text_under_the_prefix_that_is_no_key_is_counted_and_not_shown() {
    let backend = MemoryBackend::new();
    put(&backend, "page:K3Y0FS3CRET:more", b"V4LUE0FS3CRET").await;
    let list = Site::of(backend).page("/keyspaces/page").await;
    assert!(list.has("1 text under the prefix can't be a key of this keyspace"));
    keeps_secrets(&list, "the list");
}

#[tokio::test]
async fn whoever_is_not_authorized_learns_nothing_by_any_request() {
    let backend = MemoryBackend::new();
    fill(&backend).await;
    let open = Site::of(backend.clone());
    let handle = open.handle("cart@2", &["north", "7"]).await;
    let token = open.token().await;
    let refused = [
        Site::with(Inspector::new(backend.clone(), |_| false).deletes(|_| true)),
        Site::with(Inspector::new(backend.clone(), |request| {
            let has_cookie = request.headers.contains_key("cookie");
            Box::pin(async move { has_cookie })
        })),
    ];
    for site in &refused {
        let mut pages = Vec::new();
        for path in [
            "",
            "/style.css",
            "/script.js",
            "/icon.svg",
            "/keyspaces/cart@2",
            &handle,
            "/x",
        ] {
            for method in ["GET", "POST", "PUT", "OPTIONS"] {
                for host in [HOST, "evil.example"] {
                    let headers = [("host", host), ("origin", ORIGIN)];
                    let form = encoded(&[("token", &token)]);
                    let answer = site.send(method, &at(path), &headers, &form).await;
                    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}");
                    pages.push(answer.html);
                }
            }
        }
        assert!(
            pages.iter().all(|page| *page == pages[0]),
            "all are the same"
        );
        assert!(
            pages[0].len() < 200 && !pages[0].contains("spector"),
            "{}",
            pages[0]
        );
    }
    let [_, by_cookie] = &refused;
    let headers = [("host", HOST), ("cookie", "operator=1")];
    let answer = by_cookie.send("GET", &at(""), &headers, "").await;
    assert_eq!(answer.status, StatusCode::OK);
}

/// An entry of the one could be read as an entry of the other.
#[tokio::test]
async fn keyspaces_that_share_keys_are_shown_if_all_of_them_may_be() {
    let backend = MemoryBackend::new();
    for key in ["shared:K3Y0FS3CRET", "generic:K3Y0FS3CRET"] {
        backend.set(key, "V4LUE0FS3CRET", None).await.unwrap();
    }
    let site = Site::of(backend);
    for keyspace in ["shared", "generic"] {
        let page = site.page(&format!("/keyspaces/{keyspace}")).await;
        assert!(page.entries().is_empty(), "{}", page.html);
        assert!(!page.html.contains("K3Y0FS3CRET"));
        let looked_up = site.look_up(keyspace, &["K3Y0FS3CRET"]).await;
        assert_eq!(looked_up.status, StatusCode::FORBIDDEN, "{keyspace}");
    }
}
