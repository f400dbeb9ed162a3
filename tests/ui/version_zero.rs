use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String, version = 0)]
struct Page {
    path: String,
}

fn main() {}
