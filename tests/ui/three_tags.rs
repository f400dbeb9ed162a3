use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String)]
struct Page {
    #[keyspace(tag)]
    site: String,
    #[keyspace(tag)]
    path: String,
    #[keyspace(tag)]
    page: u64,
}

fn main() {}
