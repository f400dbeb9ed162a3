//! What only a derived keyspace gives, on memory and on a real server.

mod codecs;
mod many;
mod shared;
mod updates;
mod versions;
mod words;

use std::time::Duration;

use reinhardt_backends::Expiry;

/// Makes two tests of each function: on a memory backend, and on a private server.
macro_rules! on_both_backends {
    ($($test:ident)*) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                super::$test(::std::sync::Arc::new(::reinhardt_backends::MemoryBackend::new())).await;
            })*
        }

        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                let server = ::reinhardt_backends_tests::Server::start();
                let builder = ::reinhardt_backends::RedisBackend::builder().url(&server.url());
                // Patient, because many tests may be starting servers at the same time.
                let builder = builder.call_timeout(::std::time::Duration::from_secs(30));
                super::$test(::std::sync::Arc::new(builder.build().await.unwrap())).await;
            })*
        }
    };
}
use on_both_backends;

const MINUTE: Duration = Duration::from_secs(60);

/// Says whether a life is the one that was given, up to the minutes that a very slow machine may take.
fn about(expiry: Option<Expiry>, given: Duration) -> bool {
    matches!(expiry, Some(Expiry::In(left)) if left <= given && left + 4 * MINUTE > given)
}
