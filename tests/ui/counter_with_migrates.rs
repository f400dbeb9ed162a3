use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", value = String)]
struct Old {
    path: String,
}

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = "1m", counter, version = 2, migrates = Old)]
struct Hits {
    route: String,
}

fn main() {}
