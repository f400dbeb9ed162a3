use reinhardt_backends::keyspace::KeySegment;

#[derive(KeySegment)]
enum Region {
    #[keyspace(rename = "eu")]
    Europe,
    #[keyspace(rename = "eu")]
    Asia,
}

fn main() {}
