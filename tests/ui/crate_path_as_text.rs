use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String, crate = "store")]
struct Page {
    path: String,
}

fn main() {}
