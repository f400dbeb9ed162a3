use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = None, counter)]
struct Hits {
    route: String,
}

fn main() {}
