use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String, jitter = "0%")]
struct Page {
    path: String,
}

fn main() {}
