use reinhardt_backends::Keyspace;

struct Html;

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = Html)]
struct Page {
    path: String,
}

fn main() {}
