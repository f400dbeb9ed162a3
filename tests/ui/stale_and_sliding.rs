use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String, sliding, stale = "10m")]
struct Page {
    path: String,
}

fn main() {}
