use reinhardt_backends::{Keyspace, MemoryBackend};

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String)]
struct Page {
    path: String,
}

async fn render(backend: &MemoryBackend, page: Page) -> Result<String, std::fmt::Error> {
    let html = page.get_or_set_with(backend, || async { Ok(String::new()) }).await;
    Ok(html.unwrap_or_default())
}

fn main() {}
