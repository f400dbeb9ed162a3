use reinhardt_backends::layer::{Answer, Intercept, Next, Operation};
use reinhardt_backends::{Backend, BackendResult, KeyStream, MemoryBackend};

struct Forgetful;

impl Intercept for Forgetful {
    const FAST_PATH: bool = true;

    async fn call<T: Answer>(&self, _: Operation<'_>, next: Next<'_, T>) -> BackendResult<T> {
        next.run().await
    }

    fn keys<'a>(&'a self, _: Operation<'_>, next: KeyStream<'a>) -> KeyStream<'a> {
        next
    }
}

fn main() {
    let _backend: Box<dyn Backend> = Box::new(MemoryBackend::new().layer(Forgetful));
}
