use reinhardt_backends::Backend;

struct Application {
    name: String,
}

impl Backend for Application {}

fn main() {}
