//! Entries with lifetimes whose fields are read back as owned values, or not at all.

use std::borrow::Cow;
use std::marker::PhantomData;

use reinhardt_backends::{BackendResult, Keyspace, MemoryBackend};
use serde::{Deserialize, Deserializer, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct Session<'a> {
    #[keyspace(key)]
    id: String,
    name: Cow<'a, str>,
    tags: Vec<Cow<'a, str>>,
    #[serde(skip)]
    note: &'a str,
    #[serde(skip_deserializing)]
    remark: Option<&'a str>,
    #[serde(deserialize_with = "interned")]
    realms: Vec<&'a str>,
    kind: PhantomData<&'a str>,
}

fn interned<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<&'static str>, D::Error> {
    Vec::<String>::deserialize(deserializer).map(|_| vec!["realm"])
}

async fn names<'a>(backend: &MemoryBackend) -> BackendResult<Vec<Cow<'a, str>>> {
    let session: Option<Session<'a>> = Session::get(backend, "abc").await?;
    Ok(session.into_iter().map(|session| session.name).collect())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> BackendResult<()> {
    let backend = MemoryBackend::new();
    let session = Session {
        id: "abc".to_string(),
        name: Cow::Borrowed("ann"),
        tags: vec![Cow::Borrowed("staff")],
        note: "a note",
        remark: Some("a remark"),
        realms: vec!["another"],
        kind: PhantomData,
    };
    session.save(&backend).await?;
    assert_eq!(names(&backend).await?, ["ann"]);
    let read = Session::get(&backend, "abc").await?.expect("it was saved");
    assert_eq!((read.note, read.remark), ("", None));
    assert_eq!(read.realms, ["realm"]);
    assert_eq!(read.tags, ["staff"]);
    Ok(())
}
