use reinhardt_backends::keyspace::KeySegment;

#[derive(KeySegment)]
struct Name<'a>(&'a str);

fn main() {}
