use reinhardt_backends::keyspace::KeySegment;

#[derive(KeySegment)]
struct Size(f64);

fn main() {}
