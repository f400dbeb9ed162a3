use reinhardt_backends::Keyspace;

const LOGIN: u32 = 5;

#[derive(Keyspace)]
#[keyspace(prefix = "login", limit = LOGIN)]
struct Login {
    user: u64,
}

fn main() {}
