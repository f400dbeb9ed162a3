//! Clause 43: entries of typed keyspaces.

use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};

use super::{HOUR, Harness};
use crate::backend::{Backend, Life};
use crate::cache;
use crate::codec::Cbor;
use crate::error::{BackendResult, ErrorKind};
use crate::keyspace::{self, Entry, Key, Keyspace, KeyspaceInfo, Kind, Leading, Segments, Valued};

/// Bytes of another entry, wherever they came from, are none of the entry that was asked for: a
/// caller that saved the entry that it got back would write elsewhere.
pub async fn an_entry_comes_back_under_the_key_that_was_asked_for<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    let foreign = swapped::<_, NoteValue<false>>(&backend).await;
    let key = || NoteValue::<false>::named(foreign);
    let refused = |result: BackendResult<()>| {
        let error = result.expect_err("an entry with another key");
        assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
    };
    let get = keyspace::get::<NoteValue<false>, _>(&backend, key());
    refused(get.await.map(drop));
    let get_shared = keyspace::get_shared::<NoteValue<false>, _>(&backend, key());
    refused(get_shared.await.map(drop));
    // Once more: the first read may have kept the decoded value.
    let get_shared = keyspace::get_shared::<NoteValue<false>, _>(&backend, key());
    refused(get_shared.await.map(drop));
    let both = vec![NoteValue::<false>::named("bob"), key()];
    let get_many = keyspace::get_many::<NoteValue<false>, _>(&backend, both);
    refused(get_many.await.map(drop));
    let update = keyspace::update::<NoteValue<false>, _, _>(&backend, key(), |note| {
        note.text.push('!');
    });
    refused(update.await.map(drop));

    let mut scan =
        keyspace::scan::<NoteValue<false>, _, _>(&backend, Leading::all(), |_, note| note);
    let (mut met, mut failed) = (Vec::new(), 0);
    loop {
        match scan.try_next().await {
            Ok(Some(note)) => met.push(note.id),
            Ok(None) => break,
            Err(error) => {
                refused(Err(error));
                failed += 1;
            }
        }
    }
    met.sort();
    met.dedup();
    assert_eq!(met, ["bob", "eve"], "the others of the keyspace");
    assert!(failed > 0, "the foreign entry fails");

    let take = keyspace::take::<NoteValue<false>, _>(&backend, key());
    refused(take.await.map(drop));
    let exists = keyspace::exists::<NoteValue<false>, _>(&backend, key());
    assert!(!exists.await.unwrap(), "what was taken is gone");
    is_a_miss_where_that_is_declared(&backend).await;
    nothing_is_stored_under_another_key(&backend).await;
}

async fn is_a_miss_where_that_is_declared<B: Backend>(backend: &B) {
    let foreign = swapped::<_, NoteValue<true>>(backend).await;
    let key = || NoteValue::<true>::named(foreign);
    let get = keyspace::get::<NoteValue<true>, _>(backend, key());
    assert_eq!(get.await.unwrap(), None);
    let get_shared = keyspace::get_shared::<NoteValue<true>, _>(backend, key());
    assert_eq!(get_shared.await.unwrap(), None);
    let get_many = keyspace::get_many::<NoteValue<true>, _>(backend, vec![key()]);
    assert_eq!(get_many.await.unwrap(), [None]);
    let scan = keyspace::scan::<NoteValue<true>, _, _>(backend, Leading::all(), |_, note| note);
    let met: Vec<NoteValue<true>> = scan.try_collect().await.unwrap();
    assert!(met.iter().all(|note| note.id != "ann"), "{met:?}");
    let update = keyspace::update_or_insert_with::<NoteValue<true>, _, _, _>(
        backend,
        key(),
        |_| panic!("there is none"),
        || NoteValue::new(foreign),
    );
    assert_eq!(update.await.unwrap().id, foreign);
    let get = keyspace::get::<NoteValue<true>, _>(backend, key());
    assert_eq!(get.await.unwrap(), Some(NoteValue::new(foreign)));
}

async fn nothing_is_stored_under_another_key<B: Backend>(backend: &B) {
    let key = || NoteValue::<false>::named("bob");
    let eve = NoteValue::<false>::new("eve");
    let wrong = |error: Option<ErrorKind>| assert_eq!(error, Some(ErrorKind::InvalidKey));
    let set = keyspace::set::<NoteValue<false>, _, _>(backend, key(), &eve);
    wrong(set.await.err().map(|error| error.kind()));
    let set = keyspace::set_for::<NoteValue<false>, _, _>(backend, key(), &eve, HOUR);
    wrong(set.await.err().map(|error| error.kind()));
    let set = keyspace::set_if_absent::<NoteValue<false>, _, _>(backend, key(), &eve);
    wrong(set.await.err().map(|error| error.kind()));
    let set = keyspace::set_if_present::<NoteValue<false>, _, _>(backend, key(), &eve);
    wrong(set.await.err().map(|error| error.kind()));
    let entries = [(NoteValue::<false>::named("eve"), &eve), (key(), &eve)];
    let set = keyspace::set_many::<NoteValue<false>, _, _, _>(backend, entries.into_iter());
    let error = set.await.unwrap_err();
    wrong(Some(error.kind()));
    assert_eq!(error.failed_indices(), [1]);
    let update = keyspace::update::<NoteValue<false>, _, _>(backend, key(), |note| {
        note.id = "eve".to_string();
    });
    wrong(update.await.err().map(|error| error.kind()));
    let get = keyspace::get::<NoteValue<false>, _>(backend, key());
    assert_eq!(get.await.unwrap(), Some(NoteValue::new("bob")));
    let nobody = NoteValue::<false>::named("nobody");
    let compute = cache::single_flight::get_or_compute::<NoteValue<false>, _, _, _>(
        backend,
        nobody,
        || async { NoteValue::new("eve") },
    );
    wrong(compute.await.err().map(|error| error.kind()));
}

/// Stores three entries and then, by the raw API, the bytes of another one under the key of the
/// first, which it returns.
async fn swapped<B: Backend, K: Named>(backend: &B) -> &'static str {
    for id in ["ann", "bob", "eve"] {
        keyspace::save(backend, &K::new(id)).await.unwrap();
    }
    let key = K::named("ann");
    let foreign = backend.set(&key, K::new("eve"), Some(HOUR));
    foreign.await.unwrap();
    "ann"
}

trait Named: Entry {
    fn new(id: &str) -> Self;
    fn named(id: &str) -> Key;
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct NoteValue<const MISS: bool> {
    id: String,
    text: String,
}

impl<const MISS: bool> Named for NoteValue<MISS> {
    fn new(id: &str) -> Self {
        Self {
            id: id.to_string(),
            text: String::new(),
        }
    }

    fn named(id: &str) -> Key {
        Key::build(&Self::INFO, |key| {
            key.field(id);
        })
    }
}

impl<const MISS: bool> Keyspace for NoteValue<MISS> {
    const INFO: KeyspaceInfo = {
        let info = KeyspaceInfo::new("Note", "note", Kind::Entry, &["id"], Life::Never);
        match MISS {
            true => info.miss_on_decode_error(),
            false => info,
        }
    };
    type OwnedKey = String;

    fn parse_key(text: &str) -> Option<String> {
        let mut segments = Segments::new(&Self::INFO, text)?;
        let id = segments.parse_next::<str>()?;
        segments.end()?;
        Some(id)
    }
}

impl<const MISS: bool> Valued for NoteValue<MISS> {
    type Value = Self;
    type Codec = Cbor;

    fn matches_key(key: &Key, note: &Self) -> bool {
        key.is_built(&Self::INFO, |key| {
            key.field(note.id.as_str());
        })
    }
}

impl<const MISS: bool> Entry for NoteValue<MISS> {
    fn entry_key(&self) -> Key {
        Self::named(&self.id)
    }
}
