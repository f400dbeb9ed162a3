//! Values that are no values, values that are too large, and texts that act as markup.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use reinhardt_backends::{Backend, MemoryBackend, RedisBackend};
use reinhardt_backends_tests::{Server, command, on_every_backend};

use crate::model::{Deep, Deepest, Loud, Page, cart, put};
use crate::site::Site;

on_every_backend! {
    markup_is_text
    a_value_of_sixteen_megabytes_is_cut
    a_value_of_many_levels_is_cut
    bytes_that_are_no_value_are_shown_as_bytes
    a_value_of_another_key_is_told
    a_value_of_a_later_version_is_told
    a_value_whose_code_panics_is_told
}

const MARKUP: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&lt;";

async fn markup_is_text<B: Backend + 'static>(backend: Arc<B>) {
    let mut marked = cart(MARKUP, 7);
    marked.items[0].name = MARKUP.to_string();
    marked.notes.insert(MARKUP.to_string(), None);
    marked.save(&backend).await.unwrap();
    put(&backend, "page:<b>", b"<script>alert(1)</script>").await;
    let site = Site::of(backend);
    let list = site.page("/keyspaces/cart@2").await;
    let entry = site.page(&list.entries()[0]).await;
    let escaped = "&lt;script&gt;alert(1)&lt;/script&gt;&quot;'&gt;&lt;img src=x";
    assert!(list.html.contains(escaped), "{}", list.html);
    assert!(entry.html.matches(escaped).count() >= 3, "{}", entry.html);
    let pages = site.page("/keyspaces/page").await;
    let broken = site.page(&pages.entries()[0]).await;
    for page in [list, entry, pages, broken] {
        assert!(!page.html.contains("<script>") && !page.html.contains("<img"));
        assert!(!page.html.contains("<b>"));
    }
}

async fn a_value_of_sixteen_megabytes_is_cut<B: Backend + 'static>(backend: Arc<B>) {
    let page = Page {
        path: "/large".to_string(),
    };
    // A little less than the longest value that backends take unless set otherwise.
    let length = (16 << 20) - 64;
    page.set(&backend, "<".repeat(length)).await.unwrap();
    let site = Site::of(backend);
    let begun = Instant::now();
    let entry = site.entry("page", &["/large"]).await;
    assert_eq!(entry.status, StatusCode::OK);
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    assert!(entry.html.len() < 20_000, "{}", entry.html.len());
    assert!(
        entry.has("Size 16.0 MiB") && entry.has("16,775,152 more bytes"),
        "{}",
        entry.html
    );
}

async fn a_value_of_many_levels_is_cut<B: Backend + 'static>(backend: Arc<B>) {
    let mut deep = Deep(Vec::new());
    for _ in 0..127 {
        deep = Deep(vec![deep]);
    }
    Deepest.set(&backend, deep).await.unwrap();
    let entry = Site::of(backend).entry("deep", &[]).await;
    assert_eq!(entry.status, StatusCode::OK);
    assert!(entry.has("deeper levels are left out"), "{}", entry.html);
}

async fn bytes_that_are_no_value_are_shown_as_bytes<B: Backend + 'static>(backend: Arc<B>) {
    put(&backend, "page:broken", b"\xff\x00abc").await;
    put(&backend, "hits:broken", b"many").await;
    put(&backend, "login:broken", b"often").await;
    let site = Site::of(backend);
    let entry = site.entry("page", &["broken"]).await;
    assert_eq!(entry.status, StatusCode::OK);
    assert!(entry.has("Not a value of this keyspace stored bytes do not decode"));
    assert!(
        entry.has("The first bytes: ff 00 61 62 63"),
        "{}",
        entry.html
    );
    let entry = site.entry("hits", &["broken"]).await;
    assert!(entry.has("The first bytes: 6d 61 6e 79"), "{}", entry.html);
    let entry = site.entry("login", &["broken"]).await;
    assert!(
        entry.has("The first bytes: 6f 66 74 65 6e"),
        "{}",
        entry.html
    );
}

async fn a_value_of_another_key_is_told<B: Backend + 'static>(backend: Arc<B>) {
    cart("north", 7).save(&backend).await.unwrap();
    let stored = backend
        .get_stored("cart@2:{north}:7")
        .await
        .unwrap()
        .unwrap();
    put(&backend, "cart@2:{north}:8", stored.as_bytes()).await;
    let entry = Site::of(backend).entry("cart@2", &["north", "8"]).await;
    assert_eq!(entry.status, StatusCode::OK);
    assert!(entry.has("Not a value of this keyspace"), "{}", entry.html);
}

/// An entry of a version that a newer program writes is none of this keyspace's, and a value of it
/// under this version's key doesn't decode.
async fn a_value_of_a_later_version_is_told<B: Backend + 'static>(backend: Arc<B>) {
    put(&backend, "cart@3:{north}:7", b"{\"total\":7}").await;
    put(&backend, "cart@2:{north}:7", b"{\"total\":7}").await;
    let site = Site::of(backend);
    let list = site.page("").await;
    assert!(
        list.has("Keys of versions that this program doesn't declare 1"),
        "{}",
        list.html
    );
    let entry = site.entry("cart@2", &["north", "7"]).await;
    assert!(entry.has("stored bytes do not decode"), "{}", entry.html);
    let first = entry.has("The first bytes: 7b 22 74 6f 74 61 6c 22 3a 37 7d");
    assert!(first, "{}", entry.html);
    assert_eq!(
        site.get("/keyspaces/cart@3").await.status,
        StatusCode::NOT_FOUND
    );
}

async fn a_value_whose_code_panics_is_told<B: Backend + 'static>(backend: Arc<B>) {
    put(&backend, "panics:", b"7").await;
    let entry = Site::of(backend).entry("panics", &[]).await;
    assert_eq!(entry.status, StatusCode::OK);
    assert!(entry.has("the code of its type panicked"), "{}", entry.html);
}

async fn odd_server() -> (Server, RedisBackend) {
    let server = Server::start();
    let backend = server.connect().await;
    (server, backend)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_a_foreign_type_is_told() {
    let (_server, backend) = odd_server().await;
    let mut raw = backend.connection().await.unwrap();
    let _: () = command("RPUSH reinhardt:page:list a b c")
        .query_async(&mut raw)
        .await
        .unwrap();
    let _: () = command("RPUSH reinhardt:login:list a b c")
        .query_async(&mut raw)
        .await
        .unwrap();
    let site = Site::of(backend);
    for keyspace in ["page", "login"] {
        let entry = site.entry(keyspace, &["list"]).await;
        assert_eq!(entry.status, StatusCode::OK);
        assert!(
            entry.has("Not a value of this library wrong type"),
            "{}",
            entry.html
        );
        assert!(entry.has("Ends in no end"), "{}", entry.html);
    }
    assert!(
        site.page("")
            .await
            .has("All 2 keys that are text were looked at.")
    );
    assert_eq!(site.page("/keyspaces/page").await.entries().len(), 1);
}

/// Another program's key is no reason to show nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_over_the_limit_is_no_entry_and_hides_none() {
    let (_server, backend) = odd_server().await;
    let mut raw = backend.connection().await.unwrap();
    let mut set = command("SET");
    set.arg(format!("reinhardt:page:{}", "x".repeat(5_000)))
        .arg("x");
    let _: () = set.query_async(&mut raw).await.unwrap();
    let path = "/a".to_string();
    Page { path }.set(&backend, "x").await.unwrap();
    let site = Site::of(backend);
    assert_eq!(site.page("/keyspaces/page").await.entries().len(), 1);
}

/// A codec of one's own may put the bytes into its errors.
#[tokio::test]
async fn an_error_is_no_longer_than_people_read() {
    let backend = MemoryBackend::new();
    let key = Loud { id: 7 }.key();
    put(&backend, &key, "<b>".repeat(1 << 20).as_bytes()).await;
    let site = Site::of(backend);
    let entry = site.entry("loud", &["7"]).await;
    assert_eq!(entry.status, StatusCode::OK);
    assert!(
        entry.has("Not a value of this keyspace"),
        "{}",
        entry.html.len()
    );
    assert!(entry.html.len() < 20_000, "{}", entry.html.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_no_utf_8_are_passed_over() {
    let (_server, backend) = odd_server().await;
    let mut raw = backend.connection().await.unwrap();
    let mut set = command("SET");
    set.arg(&b"reinhardt:page:\xff\xfe"[..]).arg("x");
    let _: () = set.query_async(&mut raw).await.unwrap();
    let path = "/a".to_string();
    Page { path }.set(&backend, "x").await.unwrap();
    let site = Site::of(backend);
    assert_eq!(site.page("/keyspaces/page").await.entries().len(), 1);
    assert_eq!(site.page("").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_text_that_turns_lines_is_shown_as_escapes() {
    let backend = MemoryBackend::new();
    let path = "/\u{202e}gpj.exe\0".to_string();
    Page { path }.set(&backend, "a\u{1b}[2Jb").await.unwrap();
    let site = Site::of(backend);
    let list = site.page("/keyspaces/page").await;
    assert!(list.has("/\\u{202e}gpj.exe\\u{0}"), "{}", list.html);
    let entry = site.page(&list.entries()[0]).await;
    assert!(entry.has("a\\u{1b}[2Jb"), "{}", entry.html);
}
