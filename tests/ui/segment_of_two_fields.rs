use reinhardt_backends::keyspace::KeySegment;

#[derive(KeySegment)]
struct UserId(u64, u64);

fn main() {}
