//! Sessions, on memory with paused time and on a real server.

mod cycling;
mod ids;
mod life;
mod owners;
mod probe;
mod saving;
mod secrets;
mod settings;
mod tower;
mod trips;

use std::sync::Arc;

use reinhardt_backends::Backend;
use reinhardt_backends::session::SessionStore;
use serde::{Deserialize, Serialize};

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
                super::$test(::std::sync::Arc::new($crate::connect(&server).await)).await;
            })*
        }
    };
}
use on_both_backends;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Login {
    name: String,
    visits: u32,
}

fn ann() -> Login {
    Login {
        name: "ann".to_string(),
        visits: 0,
    }
}

fn sessions<B: Backend>(backend: B) -> SessionStore<Login, B> {
    SessionStore::new(backend)
}

/// Patient, because many tests may be starting servers at the same time.
async fn connect(server: &reinhardt_backends_tests::Server) -> reinhardt_backends::RedisBackend {
    let builder = reinhardt_backends::RedisBackend::builder().url(&server.url());
    let builder = builder.call_timeout(std::time::Duration::from_secs(30));
    builder.build().await.expect("the server answers")
}

/// Returns the keys of all sessions.
async fn keys(backend: &Arc<dyn Backend>) -> Vec<String> {
    use futures::TryStreamExt;
    let mut keys: Vec<String> = backend.scan("session-store:").try_collect().await.unwrap();
    keys.sort();
    keys.dedup();
    keys
}
