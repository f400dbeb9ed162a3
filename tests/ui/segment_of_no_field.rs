use reinhardt_backends::keyspace::KeySegment;

#[derive(KeySegment)]
struct UserId;

fn main() {}
