use reinhardt_backends::register_sessions;

struct Visit;

register_sessions!("staff", Visit);

fn main() {}
