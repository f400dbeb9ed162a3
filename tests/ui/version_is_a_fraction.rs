use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String, version = 1.5)]
struct Page {
    path: String,
}

fn main() {}
