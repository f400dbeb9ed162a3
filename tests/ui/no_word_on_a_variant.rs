use reinhardt_backends::keyspace::KeySegment;

#[derive(KeySegment)]
enum Region {
    #[keyspace("eu")]
    Europe,
    #[keyspace]
    America,
    #[keyspace = "asia"]
    Asia,
    #[keyspace(4)]
    Africa,
}

fn main() {}
