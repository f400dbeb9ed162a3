use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = 7)]
struct Page {
    path: String,
}

fn main() {}
