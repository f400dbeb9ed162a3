use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = "1m", counter, stale = "10m")]
struct Page {
    path: String,
}

fn main() {}
