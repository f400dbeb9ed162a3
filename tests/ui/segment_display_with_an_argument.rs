use reinhardt_backends::keyspace::KeySegment;

#[derive(KeySegment)]
#[keyspace(display = true)]
struct UserId(u64);

fn main() {}
