use std::time::Duration;

use reinhardt_backends::Keyspace;
use reinhardt_backends::throttle::Quota;

const DAY: Quota = Quota::gcra(200_003, Duration::from_secs(86_400));

#[derive(Keyspace)]
#[keyspace(prefix = "login", limit = ["5/min", DAY])]
struct Login {
    user: u64,
}

fn main() {}
