use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "login", ttl = "1m", counter, burst = 5)]
struct Login {
    user: u64,
}

fn main() {}
