use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = "30", counter)]
struct Hits {
    route: String,
}

fn main() {}
