use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "login", limit = ["5/min", "20/h"], burst = 5)]
struct Login {
    user: u64,
}

fn main() {}
