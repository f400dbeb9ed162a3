use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = "1m", counter)]
#[keyspace(ttl = "2m")]
struct Hits {
    route: String,
}

fn main() {}
