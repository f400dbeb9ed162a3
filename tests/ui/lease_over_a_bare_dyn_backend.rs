use reinhardt_backends::{Backend, BackendError, Keyspace};

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String, lease = "10s")]
struct Page {
    path: String,
}

async fn wrong(backend: &dyn Backend, page: Page) {
    let _ = page.get_or_set_with(backend, || async { Ok::<_, BackendError>(String::new()) }).await;
}

fn main() {}
