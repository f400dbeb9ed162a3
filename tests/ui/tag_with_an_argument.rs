use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String)]
struct Page {
    #[keyspace(tag = true)]
    path: String,
}

fn main() {}
