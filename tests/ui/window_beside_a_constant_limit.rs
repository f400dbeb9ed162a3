use std::time::Duration;

use reinhardt_backends::Keyspace;
use reinhardt_backends::throttle::Quota;

const LOGIN: Quota = Quota::gcra(5, Duration::from_secs(60));

#[derive(Keyspace)]
#[keyspace(prefix = "login", limit = [LOGIN, "500/h"], window = "fixed")]
struct Login {
    user: u64,
}

fn main() {}
