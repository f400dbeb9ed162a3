use reinhardt_backends::keyspace::KeySegment;

#[derive(KeySegment)]
#[keyspace(rename = "user")]
struct UserId(u64);

fn main() {}
