use reinhardt_backends::keyspace::KeySegment;

#[derive(KeySegment)]
union UserId {
    number: u64,
    bytes: [u8; 8],
}

fn main() {}
