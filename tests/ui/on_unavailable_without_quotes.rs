use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String, on_unavailable = miss)]
struct Page {
    path: String,
}

fn main() {}
