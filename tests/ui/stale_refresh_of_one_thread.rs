use std::rc::Rc;

use reinhardt_backends::{BackendError, Keyspace, MemoryBackend};

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String, stale = "10m")]
struct Page {
    path: String,
}

async fn wrong(backend: MemoryBackend, html: Rc<str>) {
    let page = Page { path: html.to_string() };
    let _ = page.get_or_set_with(&backend, move || async move { Ok::<_, BackendError>(html.to_string()) }).await;
}

fn main() {}
