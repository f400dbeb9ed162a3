use reinhardt_backends::{register_sessions, register_throttle, register_tower_sessions};

register_sessions!("Staff", u64);
register_tower_sessions!("web:1");
register_throttle!("");
register_sessions!(
    "a2345678901234567890123456789012345678901234567890123456789012345",
    u64
);

fn main() {}
