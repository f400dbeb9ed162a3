//! Keyspaces that are derived under another name of the library, on the backend in memory.

use std::time::Duration;

use futures::TryStreamExt;
use reinhardt_backends_renamed::store::{BackendError, BackendResult, Expiry, MemoryBackend};
use reinhardt_backends_renamed::{Hits, Page, Region, Session, SessionV1, Size, UserId, keyspaces};

const WINDOW: Duration = Duration::from_secs(60);

keyspaces!("made", WINDOW, MadeId(u32), MadeV1, Made: Vec<u8> as Json, MadeCount);

#[tokio::test]
async fn an_entry_is_migrated() -> BackendResult<()> {
    let backend = MemoryBackend::new();
    let id = UserId(7);
    SessionV1 { id }.save(&backend).await?;
    let session = Session {
        id,
        region: Region::Europe,
    };
    assert_eq!(Session::get(&backend, id).await?, Some(session));
    assert_eq!(&*Session::key(id), "session@2:{7}");
    Ok(())
}

#[tokio::test]
async fn an_entry_is_changed_by_a_closure_that_can_fail() -> BackendResult<()> {
    let backend = MemoryBackend::new();
    let id = UserId(7);
    let region = Region::Europe;
    Session::save_many(&backend, [Session { id, region }]).await?;
    let changed = Session::try_update(&backend, id, |session| {
        session.region = Region::America;
        Ok::<_, BackendError>(())
    });
    assert_eq!(
        changed.await?.map(|session| session.region),
        Some(Region::America)
    );
    Ok(())
}

#[tokio::test]
async fn values_are_walked_over_under_a_leading_key_field() -> BackendResult<()> {
    let backend = MemoryBackend::new();
    let pages = [
        (Page::at(Region::Europe, "/"), "Hallo"),
        (Page::at(Region::America, "/"), "Hello"),
    ];
    Page::set_many(&backend, pages).await?;
    let european: Vec<_> = Page::scan_under(&backend, Region::Europe)
        .try_collect()
        .await?;
    let key = (Region::Europe, "/".to_string());
    assert_eq!(european, [(key, "Hallo".to_string())]);
    Ok(())
}

#[tokio::test]
async fn a_value_is_computed_by_a_closure_that_can_not_fail() -> BackendResult<()> {
    let backend = MemoryBackend::new();
    let page = Page::at(Region::Europe, "/").get_or_compute(&backend, async || "Hallo".to_string());
    assert_eq!(page.await?, "Hallo");
    Ok(())
}

#[tokio::test]
async fn counters_are_read_back_with_their_keys() -> BackendResult<()> {
    let backend = MemoryBackend::new();
    let hits = Hits {
        region: Region::America,
        size: Size {
            width: 2,
            height: 1,
        },
    };
    assert_eq!(hits.increment(&backend).await?, 1);
    assert_eq!(&*hits.key(), "hits:us:2x1");
    let all: Vec<_> = Hits::scan(&backend).try_collect().await?;
    assert_eq!(all, [(hits, 1)]);
    Ok(())
}

#[tokio::test]
async fn keyspaces_of_a_macro_of_another_crate() -> BackendResult<()> {
    let backend = MemoryBackend::new();
    let id = MadeId(7);
    MadeV1 { id }.set(&backend, vec![1]).await?;
    assert_eq!(Made::at(id).get(&backend).await?, Some(vec![1]));
    assert_eq!(&*Made { id }.key(), "made@2:{7}");
    let counted = MadeCount { id }.hit(&backend).await?;
    assert_eq!(counted.value, 1);
    let left = MadeCount { id }.ttl(&backend).await?;
    assert!(matches!(left, Some(Expiry::In(left)) if left <= WINDOW));
    Ok(())
}

#[test]
fn all_of_them_are_registered() {
    let keyspaces = store::keyspaces();
    let mut names: Vec<_> = keyspaces.iter().map(|keyspace| keyspace.name).collect();
    names.sort_unstable();
    let all = [
        "Hits",
        "Made",
        "MadeCount",
        "MadeV1",
        "Page",
        "Session",
        "SessionV1",
    ];
    assert_eq!(names, all);
}
