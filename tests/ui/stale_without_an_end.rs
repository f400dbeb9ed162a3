use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = never, value = String, stale = "10m")]
struct Page {
    path: String,
}

fn main() {}
