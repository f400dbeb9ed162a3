use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String, stale = never)]
struct Page {
    path: String,
}

fn main() {}
