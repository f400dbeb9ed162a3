use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "login", limit = "5/min", value = u64, codec = Json)]
struct Login {
    user: u64,
}

fn main() {}
