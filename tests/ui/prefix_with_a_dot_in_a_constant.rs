use reinhardt_backends::Keyspace;

const SHOP: &str = "shop.old";

#[derive(Keyspace)]
#[keyspace(prefix = ["cached", SHOP], ttl = "1m", counter)]
struct Cached {
    id: u64,
}

fn main() {}
