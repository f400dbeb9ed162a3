use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = "1m", counter, jitter = "10%")]
struct Hits {
    route: String,
}

fn main() {}
