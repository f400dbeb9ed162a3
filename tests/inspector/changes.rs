//! Nothing is changed but by a form of the inspector's own, that is sent twice.

use std::sync::Arc;

use http::StatusCode;
use reinhardt_backends::inspector::Inspector;
use reinhardt_backends::{Backend, MemoryBackend};
use reinhardt_backends_tests::on_every_backend;

use crate::model::{Page, fill};
use crate::site::{HOST, ORIGIN, Site, at, encoded};

on_every_backend! {
    an_entry_is_deleted_by_two_forms
    a_deleted_value_does_not_come_back_from_a_lease
}

fn changing<B: Backend + 'static>(backend: B) -> Site {
    Site::with(Inspector::new(backend, |_| true).changes(true))
}

async fn an_entry_is_deleted_by_two_forms<B: Backend + 'static>(backend: Arc<B>) {
    fill(&backend).await;
    let site = changing(backend.clone());
    let entry = site.handle("cart@2", &["north", "7"]).await;
    assert!(site.page(&entry).await.has("Delete this entry"));
    let token = site.token().await;
    let form = [("token", token.as_str())];
    let asked = site.post(&format!("{entry}/delete"), &form).await;
    assert_eq!(asked.status, StatusCode::OK);
    assert!(asked.has("Delete this entry of cart@2?") && asked.has("shop north number 7"));
    assert!(
        backend.exists("cart@2:{north}:7").await.unwrap(),
        "asked again first"
    );
    let done = site.post(&format!("{entry}/delete/sure"), &form).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert_eq!(
        done.headers["location"],
        "../../../keyspaces/cart@2?deleted"
    );
    assert!(!backend.exists("cart@2:{north}:7").await.unwrap());
    let list = site.page("/keyspaces/cart@2?deleted").await;
    assert!(list.has("The entry is deleted.") && list.has("There are none."));
    let again = site.post(&format!("{entry}/delete/sure"), &form).await;
    assert_eq!(again.headers["location"], "../../../keyspaces/cart@2?gone");
    assert_eq!(site.get(&entry).await.status, StatusCode::NOT_FOUND);
}

/// The removal is that of the keyspace: whoever computes the value meanwhile can't store it.
async fn a_deleted_value_does_not_come_back_from_a_lease<B: Backend + 'static>(backend: Arc<B>) {
    let site = changing(backend.clone());
    let page = || Page {
        path: "/a".to_string(),
    };
    page().set(&backend, "old").await.unwrap();
    let entry = site.handle("page", &["/a"]).await;
    page().delete(&backend).await.unwrap();
    let token = site.token().await;
    let compute = || async {
        let path = format!("{entry}/delete/sure");
        let done = site.post(&path, &[("token", &token)]).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER);
        Ok::<_, reinhardt_backends::BackendError>("computed before the removal".to_string())
    };
    page().get_or_set_with(&backend, compute).await.unwrap();
    assert_eq!(page().get(&backend).await.unwrap(), None);
}

#[tokio::test]
async fn nothing_is_changed_where_that_is_off() {
    let backend = MemoryBackend::new();
    fill(&backend).await;
    let site = Site::of(backend.clone());
    let entry = site.handle("cart@2", &["north", "7"]).await;
    let token = site.token().await;
    for path in ["delete", "delete/sure"] {
        let answer = site
            .post(&format!("{entry}/{path}"), &[("token", &token)])
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.has("Nothing can be changed here."));
    }
    assert!(backend.exists("cart@2:{north}:7").await.unwrap());
}

#[tokio::test]
async fn a_form_of_somebody_else_changes_nothing() {
    let backend = MemoryBackend::new();
    fill(&backend).await;
    let site = changing(backend.clone());
    let entry = site.handle("cart@2", &["north", "7"]).await;
    let token = site.token().await;
    let other = changing(MemoryBackend::new()).token().await;
    assert_ne!(token, other);
    let own = [("host", HOST), ("origin", ORIGIN)];
    let right = encoded(&[("token", &token)]);
    let cases: [(&[(&str, &str)], &str); 10] = [
        (&own, ""),
        (&own, "token="),
        (&own, &encoded(&[("token", &other)])),
        (&own, &encoded(&[("token", &token[1..])])),
        (&[("host", HOST)], &right),
        (&[("host", HOST), ("origin", "http://evil.example")], &right),
        (
            &[("host", HOST), ("origin", "http://localhost:3001")],
            &right,
        ),
        (&[("host", HOST), ("origin", "null")], &right),
        (
            &[
                ("host", HOST),
                ("origin", ORIGIN),
                ("sec-fetch-site", "cross-site"),
            ],
            &right,
        ),
        (
            &[("host", "evil.example"), ("origin", "http://evil.example")],
            &right,
        ),
    ];
    for (headers, form) in cases {
        for path in [format!("{entry}/delete"), format!("{entry}/delete/sure")] {
            let answer = site.send("POST", &at(&path), headers, form).await;
            assert!(answer.status.is_client_error(), "{headers:?} {form}");
        }
        let look_up = at("/keyspaces/cart@2");
        let form = format!("{form}&field-0=north&field-1=7");
        let answer = site.send("POST", &look_up, headers, &form).await;
        assert!(answer.status.is_client_error(), "{headers:?} {form}");
    }
    assert_eq!(site.get(&format!("{entry}/delete/sure")).await.status, 405);
    assert!(backend.exists("cart@2:{north}:7").await.unwrap());
    let hidden = [
        ("host", HOST),
        ("origin", "null"),
        ("sec-fetch-site", "same-origin"),
    ];
    let path = at(&format!("{entry}/delete/sure"));
    let answer = site.send("POST", &path, &hidden, &right).await;
    assert_eq!(
        answer.status,
        StatusCode::SEE_OTHER,
        "of a page without a referrer"
    );
}
