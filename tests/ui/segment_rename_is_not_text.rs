use reinhardt_backends::keyspace::KeySegment;

#[derive(KeySegment)]
enum Region {
    #[keyspace(rename = eu)]
    Europe,
}

fn main() {}
