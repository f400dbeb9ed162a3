use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = "1m", counter)]
union Hits {
    small: u32,
    large: u64,
}

fn main() {}
