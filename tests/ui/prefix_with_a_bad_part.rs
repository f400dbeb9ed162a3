use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = ["Cached", "user"], ttl = "1m", counter)]
struct First {
    id: u64,
}

#[derive(Keyspace)]
#[keyspace(prefix = ["cached", "user:x"], ttl = "1m", counter)]
struct Second {
    id: u64,
}

#[derive(Keyspace)]
#[keyspace(prefix = ["cached", ""], ttl = "1m", counter)]
struct Empty {
    id: u64,
}

#[derive(Keyspace)]
#[keyspace(prefix = ["cached", 7], ttl = "1m", counter)]
struct Number {
    id: u64,
}

#[derive(Keyspace)]
#[keyspace(prefix = ["cached", name()], ttl = "1m", counter)]
struct Call {
    id: u64,
}

const fn name() -> &'static str {
    "user"
}

fn main() {}
