use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "login", limit = "5/min", window = "fixed", burst = 10)]
struct Login {
    user: u64,
}

fn main() {}
