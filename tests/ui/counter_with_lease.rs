use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = "1m", counter, lease = "10s")]
struct Page {
    path: String,
}

fn main() {}
