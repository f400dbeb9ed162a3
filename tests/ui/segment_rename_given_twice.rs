use reinhardt_backends::keyspace::KeySegment;

#[derive(KeySegment)]
enum Region {
    #[keyspace(rename = "eu", rename = "europe")]
    Europe,
}

fn main() {}
