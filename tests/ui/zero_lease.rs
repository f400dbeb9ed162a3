use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String, lease = "0s")]
struct Page {
    path: String,
}

fn main() {}
