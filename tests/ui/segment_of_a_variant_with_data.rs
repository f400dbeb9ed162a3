use reinhardt_backends::keyspace::KeySegment;

#[derive(KeySegment)]
enum Region {
    Europe,
    Other(String),
}

fn main() {}
