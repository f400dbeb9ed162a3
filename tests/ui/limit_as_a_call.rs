use std::time::Duration;

use reinhardt_backends::Keyspace;
use reinhardt_backends::throttle::Quota;

#[derive(Keyspace)]
#[keyspace(prefix = "login", limit = Quota::gcra(5, Duration::from_secs(60)))]
struct Login {
    user: u64,
}

fn main() {}
