//! Nothing is changed but by a form of the inspector's own, that is sent twice.

use std::sync::Arc;

use http::StatusCode;
use reinhardt_backends::inspector::Inspector;
use reinhardt_backends::{Backend, MemoryBackend};
use reinhardt_backends_tests::on_every_backend;

use crate::model::{Hidden, HiddenV1, Page, cart, fill};
use crate::site::{HOST, ORIGIN, Site, at, encoded};

on_every_backend! {
    an_entry_is_deleted_by_two_forms
    an_entry_that_has_changed_stays
    what_has_a_hidden_version_is_not_deleted
    a_deleted_value_does_not_come_back_from_a_lease
}

fn changing<B: Backend + 'static>(backend: B) -> Site {
    Site::with(Inspector::new(backend, |_| true).deletes(|_| true))
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
    // The page that shows an entry is not one that asks: its handle deletes nothing.
    let early = site.post(&format!("{entry}/sure"), &form).await;
    assert_eq!(early.status, StatusCode::NOT_FOUND);
    let path = site.deletion(&entry).await;
    let done = site.post(&path, &form).await;
    assert!(done.has("The entry is deleted."), "{}", done.html);
    assert!(!backend.exists("cart@2:{north}:7").await.unwrap());
    assert!(site.page("/keyspaces/cart@2").await.has("There are none."));
    assert_eq!(site.post(&path, &form).await.status, StatusCode::NOT_FOUND);
    assert_eq!(site.get(&entry).await.status, StatusCode::NOT_FOUND);
    let again = site.post(&format!("{entry}/delete"), &form).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
}

async fn an_entry_that_has_changed_stays<B: Backend + 'static>(backend: Arc<B>) {
    fill(&backend).await;
    let site = changing(backend.clone());
    let entry = site.handle("cart@2", &["north", "7"]).await;
    let path = site.deletion(&entry).await;
    let mut changed = cart("north", 7);
    changed.items.clear();
    changed.save(&backend).await.unwrap();
    let token = site.token().await;
    let answer = site.post(&path, &[("token", &token)]).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.has("has changed since you were asked"));
    assert!(backend.exists("cart@2:{north}:7").await.unwrap());
    // What has ended meanwhile was gone already.
    let path = site.deletion(&entry).await;
    assert!(backend.delete("cart@2:{north}:7").await.unwrap());
    let answer = site.post(&path, &[("token", &token)]).await;
    assert!(answer.has("The entry was gone already."), "{}", answer.html);
}

/// A deletion takes older versions along, so it would tell of entries that nobody may see.
async fn what_has_a_hidden_version_is_not_deleted<B: Backend + 'static>(backend: Arc<B>) {
    let hidden = HiddenV1 {
        id: "old".to_string(),
    };
    hidden.save(&backend).await.unwrap();
    let shown = Hidden {
        id: "new".to_string(),
    };
    shown.save(&backend).await.unwrap();
    let site = changing(backend.clone());
    let token = site.token().await;
    for id in ["old", "new", "none"] {
        let entry = site.handle("hidden@2", &[id]).await;
        let answer = site
            .post(&format!("{entry}/delete"), &[("token", &token)])
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{id}");
        assert!(!site.get(&entry).await.has("Delete this entry"), "{id}");
    }
    assert!(HiddenV1::exists(&backend, "old").await.unwrap());
    assert!(Hidden::exists(&backend, "new").await.unwrap());
}

#[tokio::test]
async fn whoever_may_look_may_not_delete_unless_the_second_check_says_so() {
    let backend = MemoryBackend::new();
    fill(&backend).await;
    let inspector = Inspector::new(backend.clone(), |_| true);
    let is_admin = |request: &http::request::Parts| request.headers.contains_key("admin");
    let site = Site::with(inspector.deletes(is_admin));
    let entry = site.handle("cart@2", &["north", "7"]).await;
    let form = encoded(&[("token", &site.token().await)]);
    let path = at(&format!("{entry}/delete"));
    let own = [("host", HOST), ("origin", ORIGIN)];
    let refused = site.send("POST", &path, &own, &form).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let admin = [own[0], own[1], ("admin", "")];
    let asked = site.send("POST", &path, &admin, &form).await;
    assert_eq!(asked.status, StatusCode::OK);
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
    let compute = || async {
        // Somebody has written it meanwhile.
        page().set(&backend, "newer").await.unwrap();
        let done = site.delete(&entry).await;
        assert!(done.has("The entry is deleted."), "{}", done.html);
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
    for path in ["delete", "sure"] {
        let answer = site
            .post(&format!("{entry}/{path}"), &[("token", &token)])
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.has("Nothing can be deleted here."));
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
    let deletion = site.deletion(&entry).await;
    let cases: [(&[(&str, &str)], &str); 8] = [
        (&own, ""),
        (&own, "token="),
        (&own, &encoded(&[("token", &other)])),
        (&own, &encoded(&[("token", &token[1..])])),
        (&[("host", HOST), ("origin", "http://evil.example")], &right),
        (
            &[("host", HOST), ("origin", "http://localhost:3001")],
            &right,
        ),
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
        for path in [format!("{entry}/delete"), deletion.clone()] {
            let answer = site.send("POST", &at(&path), headers, form).await;
            assert!(answer.status.is_client_error(), "{headers:?} {form}");
        }
        let look_up = at("/keyspaces/cart@2");
        let form = format!("{form}&field-0=north&field-1=7");
        let answer = site.send("POST", &look_up, headers, &form).await;
        assert!(answer.status.is_client_error(), "{headers:?} {form}");
    }
    assert_eq!(site.get(&deletion).await.status, 405);
    assert!(backend.exists("cart@2:{north}:7").await.unwrap());
    let hidden = [
        ("host", HOST),
        ("origin", "null"),
        ("sec-fetch-site", "same-origin"),
    ];
    let plain = [("host", HOST), ("origin", "null")];
    for headers in [&hidden[..], &plain[..], &plain[..1]] {
        let path = at(&format!("{entry}/delete"));
        let answer = site.send("POST", &path, headers, &right).await;
        assert_eq!(
            answer.status,
            StatusCode::OK,
            "of a page without a referrer"
        );
    }
}
