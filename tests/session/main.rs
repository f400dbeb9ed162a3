//! Sessions, on memory with paused time and on a real server.

mod commands_per_call;
mod cycling;
mod full_store;
mod ids;
mod life;
mod logging_out_everywhere;
mod saving;
mod secrets;
mod settings;
mod tower_sessions;

use std::sync::Arc;

use reinhardt_backends::Backend;
use reinhardt_backends::session::SessionStore;
use reinhardt_backends_tests::on_every_backend;
use serde::{Deserialize, Serialize};

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

/// Returns the keys of all sessions.
async fn keys(backend: &Arc<dyn Backend>) -> Vec<String> {
    use futures::TryStreamExt;
    let mut keys: Vec<String> = backend.scan("session-store:").try_collect().await.unwrap();
    keys.sort();
    keys.dedup();
    keys
}
