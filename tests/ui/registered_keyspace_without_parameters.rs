use reinhardt_backends::{Keyspace, register_keyspace};

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = "1m", counter)]
struct Hits;

register_keyspace!(Hits);

fn main() {}
