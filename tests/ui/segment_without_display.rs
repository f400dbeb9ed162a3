use reinhardt_backends::keyspace::KeySegment;

#[derive(KeySegment)]
#[keyspace(display)]
struct Size(f64);

fn main() {}
