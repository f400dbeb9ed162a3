use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "login", limit = ["5/min", "1/11y"])]
struct Login {
    user: u64,
}

fn main() {}
