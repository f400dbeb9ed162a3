use reinhardt_backends::keyspace::KeySegment;

#[derive(KeySegment)]
#[keyspace(prefix = "user")]
struct UserId(u64);

fn main() {}
