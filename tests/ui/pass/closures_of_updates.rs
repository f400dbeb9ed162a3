//! Every closure and function that changes a value in place is one for an update.

use std::collections::BTreeSet;

use reinhardt_backends::{BackendError, BackendResult, Keyspace, MemoryBackend};
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct Session {
    #[keyspace(key)]
    id: String,
    visits: u32,
    roles: BTreeSet<String>,
}

impl Session {
    fn visit(&mut self) {
        self.visits += 1;
    }
}

fn visit_or_fail(session: &mut Session) -> BackendResult<()> {
    session.visit();
    Ok(())
}

async fn by_a_parameter<F: FnMut(&mut Session)>(backend: &MemoryBackend, change: F) -> BackendResult<()> {
    Session::update(backend, "abc", change).await.map(drop)
}

async fn by_a_reference(backend: &MemoryBackend, mut change: impl FnMut(&mut Session)) -> BackendResult<()> {
    Session::update(backend, "abc", &mut change).await?;
    Session::update(backend, "abc", |session| change(session)).await?;
    Ok(())
}

async fn fails(backend: &MemoryBackend) -> Result<(), Box<dyn std::error::Error>> {
    Session::try_update(backend, "abc", |session| -> Result<(), Box<dyn std::error::Error>> {
        session.visits = "7".parse()?;
        if session.roles.is_empty() {
            return Err("no role".into());
        }
        Ok(())
    })
    .await?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> BackendResult<()> {
    let backend = MemoryBackend::new();
    let new = || Session { id: "abc".to_string(), ..Session::default() };
    new().save(&backend).await?;
    let (limit, role) = (3, "staff".to_string());

    Session::update(&backend, "abc", |session| session.visits += 1).await?;
    Session::update(&backend, "abc", |session: &mut Session| session.visit()).await?;
    Session::update(&backend, "abc", Session::visit).await?;
    Session::update(&backend, "abc", |session| {
        if session.visits > limit {
            return;
        }
        session.roles.insert(role.clone());
    })
    .await?;
    Session::update(&backend, "abc", |session| match session.visits {
        0 => unreachable!(),
        _ => session.visit(),
    })
    .await?;
    Session::update(&backend, "nobody", |_| panic!("there is no such entry")).await?;
    Session::update(&backend, "nobody", |_| unreachable!()).await?;
    Session::update(&backend, "nobody", |session| session.visits = "7".parse().unwrap()).await?;
    let boxed: Box<dyn FnMut(&mut Session)> = Box::new(Session::visit);
    Session::update(&backend, "abc", boxed).await?;
    let pointer: fn(&mut Session) = Session::visit;
    Session::update(&backend, "abc", pointer).await?;
    by_a_parameter(&backend, Session::visit).await?;
    by_a_reference(&backend, Session::visit).await?;
    Session::update_or_insert_with(&backend, "abc", |session| session.visit(), new).await?;

    Session::try_update(&backend, "abc", visit_or_fail).await?;
    Session::try_update(&backend, "abc", |session| {
        session.visit();
        Ok::<_, BackendError>(())
    })
    .await?;
    let change = |session: &mut Session| Ok(session.visit());
    let changed: BackendResult<Option<Session>> = Session::try_update(&backend, "abc", change).await;
    changed?;
    let nobody: BackendResult<_> = Session::try_update(&backend, "nobody", |_| panic!("nobody")).await;
    nobody?;
    Session::try_update_or_insert_with(&backend, "abc", visit_or_fail, || Ok(new())).await?;
    assert!(fails(&backend).await.is_ok());
    Ok(())
}
