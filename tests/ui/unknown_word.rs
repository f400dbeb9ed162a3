use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = "1m", counter, color = "red")]
struct Hits {
    route: String,
}

fn main() {}
