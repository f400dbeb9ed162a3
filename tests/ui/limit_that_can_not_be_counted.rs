use reinhardt_backends::Keyspace;

#[derive(Keyspace)]
#[keyspace(prefix = "login", limit = "200003/day")]
struct Login {
    user: u64,
}

fn main() {}
