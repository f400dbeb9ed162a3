use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "login", limit = "5/min", burst = 0)]
struct Login {
    user: u64,
}

fn main() {}
