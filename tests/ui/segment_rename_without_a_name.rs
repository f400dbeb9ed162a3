use reinhardt_backends::keyspace::KeySegment;

#[derive(KeySegment)]
enum Region {
    #[keyspace(rename)]
    Europe,
}

fn main() {}
