use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String, codec = "json")]
struct Page {
    path: String,
}

fn main() {}
