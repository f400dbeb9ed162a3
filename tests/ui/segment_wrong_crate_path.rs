use reinhardt_backends::keyspace::KeySegment;

#[derive(KeySegment)]
#[keyspace(crate = elsewhere)]
struct UserId(u64);

fn main() {}
