use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = "0s", counter)]
struct Hits {
    route: String,
}

fn main() {}
