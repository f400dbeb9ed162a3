use reinhardt_backends::{BackendError, Keyspace, MemoryBackend};

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String, stale = "10m")]
struct Page {
    path: String,
}

async fn wrong(backend: MemoryBackend, html: String) {
    let page = Page { path: html.clone() };
    let _ = page.get_or_set_with(&backend, || async { Ok::<_, BackendError>(html.clone()) }).await;
}

fn main() {}
