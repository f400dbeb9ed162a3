//! A session whose layout changes twice while old programs still run: which program sees which
//! layout, and when an entry moves.

use futures::TryStreamExt;
use reinhardt_backends::{
    Backend, BackendResult, Keyspace, MemoryBackend, check_keyspaces, keyspaces,
};
use serde::{Deserialize, Serialize};

/// The session of the first release: a name.
#[derive(Debug, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct SessionV1 {
    #[keyspace(key)]
    id: String,
    user: String,
}

/// The second release added roles.
#[derive(Debug, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m", version = 2, migrates = SessionV1)]
struct SessionV2 {
    #[keyspace(key)]
    id: String,
    user: String,
    roles: Vec<String>,
}

impl From<SessionV1> for SessionV2 {
    fn from(old: SessionV1) -> Self {
        Self {
            id: old.id,
            user: old.user,
            roles: vec!["guest".to_string()],
        }
    }
}

/// The third release has a user of its own type, and knows the first only through the second.
#[derive(Debug, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m", version = 3, migrates = SessionV2)]
struct SessionV3 {
    #[keyspace(key)]
    id: String,
    user: User,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
    roles: Vec<String>,
}

impl From<SessionV2> for SessionV3 {
    fn from(old: SessionV2) -> Self {
        Self {
            id: old.id,
            user: User {
                name: old.user,
                roles: old.roles,
            },
        }
    }
}

#[tokio::main]
async fn main() -> BackendResult<()> {
    check_keyspaces()?;
    let keyspaces = keyspaces();
    println!("{keyspaces}\n");
    assert_eq!(keyspaces.len(), 3);

    let backend = MemoryBackend::new();
    reading_moves_nothing(&backend).await?;
    writing_moves(&backend).await?;
    an_old_program_goes_on(&backend).await?;
    deleting_leaves_nothing(&backend).await
}

async fn reading_moves_nothing(backend: &MemoryBackend) -> BackendResult<()> {
    log_in_with_v1(backend, "ann").await?;
    shows(backend, "v1 logs ann in", &["session:4f1c"]).await?;

    let session = SessionV3::get(backend, "4f1c").await?;
    let user = session.expect("it looks under the older keys").user;
    assert_eq!((user.name.as_str(), user.roles.len()), ("ann", 1));
    let read = format!("v3 reads {} {:?}", user.name, user.roles);
    shows(backend, &read, &["session:4f1c"]).await
}

async fn writing_moves(backend: &MemoryBackend) -> BackendResult<()> {
    let staff = |session: &mut SessionV2| session.roles.push("staff".to_string());
    let session = SessionV2::update(backend, "4f1c", staff).await?;
    assert_eq!(session.map(|session| session.roles.len()), Some(2));
    shows(backend, "v2 adds a role", &["session@2:4f1c"]).await?;

    let session = SessionV3::get(backend, "4f1c").await?;
    let session = session.expect("it looks under the older keys");
    session.save(backend).await?;
    shows(backend, "v3 saves what it reads", &["session@3:4f1c"]).await
}

async fn an_old_program_goes_on(backend: &MemoryBackend) -> BackendResult<()> {
    let seen = SessionV1::get(backend, "4f1c").await?;
    assert_eq!(seen, None);
    shows(backend, "v1 sees nobody", &["session@3:4f1c"]).await?;

    log_in_with_v1(backend, "bob").await?;
    let both = ["session:4f1c", "session@3:4f1c"];
    shows(backend, "v1 logs bob in", &both).await?;

    let session = SessionV3::get(backend, "4f1c").await?;
    let name = session.map(|session| session.user.name);
    assert_eq!(name.as_deref(), Some("ann"));
    shows(backend, "v3 still reads ann", &both).await
}

async fn deleting_leaves_nothing(backend: &MemoryBackend) -> BackendResult<()> {
    assert!(SessionV3::delete(backend, "4f1c").await?);
    shows(backend, "v3 logs out", &[]).await?;

    let seen = SessionV3::get(backend, "4f1c").await?;
    assert_eq!(seen, None);
    shows(backend, "v3 sees nobody", &[]).await
}

async fn log_in_with_v1(backend: &MemoryBackend, user: &str) -> BackendResult<()> {
    let session = SessionV1 {
        id: "4f1c".to_string(),
        user: user.to_string(),
    };
    session.save(backend).await
}

/// Prints what happened and what the store holds then.
async fn shows(backend: &MemoryBackend, what: &str, expected: &[&str]) -> BackendResult<()> {
    let mut keys: Vec<String> = backend.scan("").try_collect().await?;
    keys.sort();
    assert_eq!(keys, expected);
    let keys = match keys.as_slice() {
        [] => "nothing".to_string(),
        keys => keys.join(", "),
    };
    println!("{what:24} -> {keys}");
    Ok(())
}
