use reinhardt_backends::keyspace::KeySegment;

#[derive(KeySegment)]
enum Region {
    Europe,
    #[keyspace(rename = "Europe")]
    Asia,
}

fn main() {}
