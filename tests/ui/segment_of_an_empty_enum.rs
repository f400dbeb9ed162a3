use reinhardt_backends::keyspace::KeySegment;

#[derive(KeySegment)]
enum Region {}

fn main() {}
