use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = 30m, counter)]
struct Hits {
    route: String,
}

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "5m", value = String, lease = 10s, stale = 1h30m)]
struct Page {
    path: String,
}

fn main() {}
