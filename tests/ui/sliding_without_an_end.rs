use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = never, value = String, sliding)]
struct Page {
    path: String,
}

fn main() {}
