use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String, sliding = true)]
struct Page {
    path: String,
}

fn main() {}
