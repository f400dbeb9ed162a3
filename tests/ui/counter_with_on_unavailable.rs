use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = "1m", counter, on_unavailable = "miss")]
struct Hits {
    route: String,
}

fn main() {}
