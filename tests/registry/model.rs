//! The keyspaces of the program.
#![allow(dead_code)]

use reinhardt_backends::Keyspace;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct SessionV1 {
    #[keyspace(key)]
    user: u64,
    #[keyspace(key)]
    id: String,
}

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m", version = 2, migrates = SessionV1, sliding, jitter = "5%")]
struct Session {
    #[keyspace(key, tag)]
    user: u64,
    #[keyspace(key)]
    id: String,
    roles: Vec<Role>,
    #[serde(default)]
    theme: Theme,
    note: Option<Box<Session>>,
}

#[derive(Serialize, Deserialize)]
enum Role {
    Guest,
    Staff { level: u8 },
}

#[derive(Default, Serialize, Deserialize)]
#[serde(untagged)]
enum Theme {
    #[default]
    Light,
    Named(String),
}

impl From<SessionV1> for Session {
    fn from(SessionV1 { user, id }: SessionV1) -> Self {
        Self {
            user,
            id,
            roles: Vec::new(),
            theme: Theme::Light,
            note: None,
        }
    }
}

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = never, value = Vec<Option<String>>, codec = Json)]
struct Page<'a> {
    path: &'a str,
}

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = "1m", counter)]
struct Hits {
    route: String,
}

#[derive(Keyspace)]
#[keyspace(prefix = "generic", ttl = "1m", counter)]
struct Generic<T> {
    route: T,
}

fn local() {
    #[derive(Keyspace)]
    #[keyspace(prefix = "local", ttl = "1m", counter)]
    struct Local;
}
