use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = std::time::Duration::from_secs(60), counter)]
struct Hits {
    route: String,
}

fn main() {}
