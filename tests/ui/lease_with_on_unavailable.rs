use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String, lease = "10s", on_unavailable = "miss")]
struct Page {
    path: String,
}

fn main() {}
