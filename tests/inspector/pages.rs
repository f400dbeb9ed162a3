//! The pages show what is stored, the same on every backend.

use std::sync::Arc;

use http::StatusCode;
use reinhardt_backends::Backend;
use reinhardt_backends::codec::{Cbor, Codec};
use reinhardt_backends::inspector::Inspector;
use reinhardt_backends_tests::{Server, on_every_backend};

use crate::model::{Hits, Note, NoteV1, cart, fill, put};
use crate::site::{HOST, Site};

on_every_backend! {
    all_keyspaces_are_listed_with_their_numbers
    entries_are_listed_by_their_key_fields
    an_entry_is_shown_with_the_names_of_its_fields
    a_counter_is_shown_with_its_window
    a_throttle_is_shown_with_each_of_its_limits
    an_entry_is_looked_up_by_its_key_fields
    an_entry_without_key_fields_is_looked_up
    an_entry_of_an_older_version_is_that_versions
}

/// Returns the text of a keyspace's row in the list, and of those behind it.
fn row<'t>(text: &'t str, name: &str) -> &'t str {
    let (_, rest) = text.split_once(&format!(" {name} {name}:")).unwrap();
    rest
}

/// Takes a life of two hours for whole, if it began less than a minute ago.
fn two_hours(text: &str) -> String {
    let text = text.replace("1 h 59 min", "2 h 0 min");
    text.replace("2 h 0 min to 2 h 0 min", "2 h 0 min")
}

async fn all_keyspaces_are_listed_with_their_numbers<B: Backend + 'static>(backend: Arc<B>) {
    fill(&backend).await;
    for number in 8..12 {
        cart("south", number).save(&backend).await.unwrap();
    }
    let text = two_hours(&Site::of(backend).page("").await.text());
    assert!(
        text.contains("All 10 keys that are text were looked at."),
        "{text}"
    );
    assert!(text.contains("Keys that no keyspace declares 1"), "{text}");
    assert!(text.contains("Reads aren't counted here"), "{text}");
    let cart = row(&text, "cart@2");
    assert!(
        cart.starts_with("{shop}:number entry of Cart json 2h 5 "),
        "{cart}"
    );
    assert!(cart.contains("2 h 0 min of 5 entries 1"), "{cart}");
    assert!(cart.contains("B on average yes"), "{cart}");
    let secret = row(&text, "secret");
    assert!(
        secret.starts_with("id entry of Secret cbor 30m 1 "),
        "{secret}"
    );
    assert!(secret.contains("of 1 entry 35 B no "), "{secret}");
    let login = row(&text, "login");
    assert!(
        login.starts_with("user throttle of 5/min and 100/day throttle 1d 1 "),
        "{login}"
    );
}

async fn entries_are_listed_by_their_key_fields<B: Backend + 'static>(backend: Arc<B>) {
    for number in 0..60 {
        cart("a:b {c}", number).save(&backend).await.unwrap();
    }
    cart("", 7).save(&backend).await.unwrap_err();
    let site = Site::of(backend);
    let first = site.page("/keyspaces/cart@2").await;
    assert_eq!(first.entries().len(), 50);
    assert!(first.has("50 entries of more") && first.has("a:b {c}"));
    assert!(first.html.contains("href=\"../keyspaces/cart@2?more\""));
    let more = site.page("/keyspaces/cart@2?more").await;
    assert_eq!(more.entries().len(), 60);
    for entry in more.entries() {
        assert!(site.page(&entry).await.has("shop a:b {c} number"));
    }
    assert!(site.page("/keyspaces/page").await.has("There are none."));
}

async fn an_entry_is_shown_with_the_names_of_its_fields<B: Backend + 'static>(backend: Arc<B>) {
    fill(&backend).await;
    let site = Site::of(backend);
    let entry = site.page("/keyspaces/cart@2").await.entries().remove(0);
    let text = two_hours(&site.page(&entry).await.text());
    for part in [
        "Key shop north number 7 Ends in 2 h 0 min",
        "Codec json Version 2 Value Cart",
        "items: 1 item 0: Item name: apple price: 1.5",
        "state: Paid by: card",
        "notes: 1 key \"gift\": true",
    ] {
        let part = part.replace('"', "&quot;");
        assert!(text.contains(&part), "{part} in {text}");
    }
    assert!(!text.contains("Delete"), "changes are off");
}

async fn a_counter_is_shown_with_its_window<B: Backend + 'static>(backend: Arc<B>) {
    for _ in 0..3 {
        Hits { route: "/a" }.increment(&backend).await.unwrap();
    }
    let page = Site::of(backend).entry("hits", &["/a"]).await;
    assert!(page.has("The window ends in"), "{}", page.html);
    let left: u64 = page.between("data-left=\"", "\"").parse().unwrap();
    assert!((50_000..=60_000).contains(&left), "{left}");
    assert!(page.has("Value 3"), "{}", page.html);
}

async fn a_throttle_is_shown_with_each_of_its_limits<B: Backend + 'static>(backend: Arc<B>) {
    fill(&backend).await;
    let site = Site::of(backend.clone());
    for _ in 0..3 {
        let text = site.entry("login", &["ann"]).await.text();
        assert!(text.contains("100/day 3 of 100 43 min"), "{text}");
        // A minute has five of them: one comes back every twelve seconds.
        assert!(
            text.contains("5/min 3 of 5 3") || text.contains("5/min 2 of 5"),
            "{text}"
        );
    }
}

async fn an_entry_is_looked_up_by_its_key_fields<B: Backend + 'static>(backend: Arc<B>) {
    let shop = "a:b%{c}* \u{1f34e}";
    cart(shop, 7).save(&backend).await.unwrap();
    let site = Site::of(backend);
    let answer = site.look_up("cart@2", &[shop, "7"]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let location = answer.headers["location"].to_str().unwrap();
    let handle = location.strip_prefix("../entries/").unwrap();
    assert_eq!(handle.len(), 22, "128 bits");
    let entry = site.page(&format!("/entries/{handle}")).await;
    assert!(entry.has(&format!("shop {shop} number 7")));
    let gone = site.entry("cart@2", &[shop, "8"]).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    assert!(gone.has("There is no entry under this key."));
    for fields in [&["x", "seven"][..], &["x", "07"], &["", "7"], &["x"], &[]] {
        let answer = site.look_up("cart@2", fields).await;
        assert_eq!(
            answer.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{fields:?}"
        );
    }
    let long = "x".repeat(5_000);
    let answer = site.look_up("cart@2", &[&long, "7"]).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "too long");
    let answer = site.look_up("cart@2", &[&long.repeat(20), "7"]).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

async fn an_entry_without_key_fields_is_looked_up<B: Backend + 'static>(backend: Arc<B>) {
    let deep = crate::model::Deep(Vec::new());
    crate::model::Deepest.set(&backend, deep).await.unwrap();
    let site = Site::of(backend);
    let page = site.entry("deep", &[]).await;
    assert!(
        page.has("Ends in no end") && page.has("Value 0 items"),
        "{}",
        page.html
    );
    let list = site.page("/keyspaces/deep").await;
    assert!(list.has("the one entry"));
}

async fn an_entry_of_an_older_version_is_that_versions<B: Backend + 'static>(backend: Arc<B>) {
    let text = "milk".to_string();
    NoteV1 { id: 7, text }.save(&backend).await.unwrap();
    let site = Site::with(Inspector::new(backend.clone(), |_| true).deletes(|_| true));
    let newer = site.entry("note@2", &["7"]).await;
    assert_eq!(newer.status, StatusCode::NOT_FOUND);
    assert!(
        newer.has("is an entry of NoteV1 , version 1"),
        "{}",
        newer.text()
    );
    let older = site.entry("note", &["7"]).await;
    assert!(
        older.has("Value NoteV1 id: 7 text: milk"),
        "{}",
        older.text()
    );
    let list = site.page("/keyspaces/note@2").await;
    assert!(
        list.has("Migrates from NoteV1, version 1"),
        "{}",
        list.text()
    );

    // Whoever deletes an entry doesn't meet the older one in its place.
    let lines = vec!["bread".to_string()];
    let newer = Note { id: 7, lines };
    put(&backend, &Note::key(7), &Cbor::encode(&newer).unwrap()).await;
    let handle = site.handle("note@2", &["7"]).await;
    assert!(site.page(&handle).await.has("lines: 1 item 0: bread"));
    assert!(site.delete(&handle).await.has("The entry is deleted."));
    assert!(Note::get(&backend, 7).await.unwrap().is_none());
}

#[tokio::test]
async fn links_work_wherever_the_router_is_nested() {
    let backend = reinhardt_backends::MemoryBackend::new();
    fill(&backend).await;
    let inspector = reinhardt_backends::inspector::router(backend, |_| true);
    let service = axum::Router::new()
        .nest("/nested", inspector.clone())
        .nest_service("/a/service", inspector.clone())
        .merge(inspector);
    let site = Site::from(service);
    for page in [
        "/nested",
        "/a/service",
        "/a/service/",
        "/",
        "/nested/nowhere",
        "/nested/keyspaces",
        "/nested/keyspaces/note@2",
        "/a/service/keyspaces/note@2",
    ] {
        let answer = site.send("GET", page, &[("host", HOST)], "").await;
        let links = answer.html.split("href=\"").skip(1);
        let links: Vec<&str> = links.map(|rest| rest.split('"').next().unwrap()).collect();
        for link in &links {
            let at = resolved(page, link);
            let answer = site.send("GET", &at, &[("host", HOST)], "").await;
            assert_eq!(answer.status, StatusCode::OK, "{link} of {page} is {at}");
        }
        assert!(links.len() >= 3, "{page}: {links:?}");
    }
}

/// Returns the path that a relative link leads to, as browsers find it.
fn resolved(page: &str, link: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[tokio::test]
async fn a_store_that_dies_is_a_page_that_says_so() {
    let mut server = Server::start();
    let backend = server.connect().await;
    fill(&backend).await;
    let site = Site::of(backend);
    let entry = site.page("/keyspaces/cart@2").await.entries().remove(0);
    server.kill();
    for path in ["", "/keyspaces/cart@2", &entry] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(answer.has("The store has failed."), "{}", answer.html);
        assert!(
            answer.has("backend unavailable") || answer.has("timed out"),
            "{}",
            answer.html
        );
        assert!(!answer.html.contains("north"));
    }
    server.restart();
    let list = || async { site.get("/keyspaces/cart@2").await.status == StatusCode::OK };
    reinhardt_backends_tests::eventually(async || list().await).await;
}
