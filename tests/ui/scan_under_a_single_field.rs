use reinhardt_backends::{Keyspace, MemoryBackend};

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String)]
struct Page {
    path: String,
}

fn scan(backend: &MemoryBackend) {
    let _stream = Page::scan_under(backend, "/");
}

fn main() {}
