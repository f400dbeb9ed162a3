//! A reader of the store learns nothing that makes a cookie.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::TryStreamExt;
use reinhardt_backends::Backend;
use reinhardt_backends::session::TowerSessions;
use tower_sessions::SessionStore as _;
use tower_sessions::session::{Id, Record};

use crate::{ann, on_every_backend, sessions};

on_every_backend! {
    the_secret_of_a_session_is_nowhere_in_the_store
    the_id_of_a_tower_session_is_nowhere_in_the_store
}

async fn the_secret_of_a_session_is_nowhere_in_the_store(backend: Arc<dyn Backend>) {
    let sessions = sessions(backend.clone());
    let mut session = sessions.create_anonymous(ann()).await.unwrap();
    let other = sessions.create("bob", ann()).await.unwrap();
    let before = session.id().to_string();
    sessions.save(&mut session).await.unwrap();
    let ids = [&before, session.id().as_str(), other.id().as_str()];
    assert_hidden(&backend, &ids.map(secret)).await;
    sessions.cycle(&mut session, "ann").await.unwrap();
    sessions.load(session.id()).await.unwrap().unwrap();
    let ids = [&before, session.id().as_str(), other.id().as_str()];
    assert_hidden(&backend, &ids.map(secret)).await;
}

async fn the_id_of_a_tower_session_is_nowhere_in_the_store(backend: Arc<dyn Backend>) {
    let store = TowerSessions::new(backend.clone());
    let mut record = Record {
        id: Id::default(),
        data: [("user".to_string(), 7.into())].into(),
        expiry_date: time::OffsetDateTime::now_utc() + time::Duration::hours(1),
    };
    let before = record.id;
    store.create(&mut record).await.unwrap();
    store.save(&record).await.unwrap();
    let ids = [before, record.id].map(|id| id.0.to_le_bytes().to_vec());
    assert_hidden(&backend, &ids).await;
}

/// Returns the random bytes of an id.
fn secret(id: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(&id[..24]).unwrap()
}

/// Looks for a part of a secret in all bytes that the store holds, and in the parts of its keys
/// decoded from base64 and from hexadecimal digits.
async fn assert_hidden(backend: &Arc<dyn Backend>, secrets: &[Vec<u8>]) {
    let keys: Vec<String> = backend.scan("").try_collect().await.unwrap();
    assert!(!keys.is_empty());
    let mut held = Vec::new();
    for key in keys {
        let value = backend.get_stored(&key).await.unwrap().unwrap();
        held.extend(key.split(':').flat_map(readings));
        held.push(key.into_bytes());
        held.push(value.as_bytes().to_vec());
    }
    for secret in secrets {
        for form in forms(secret) {
            let parts = form.windows(6);
            for part in parts {
                let is_here = |held: &Vec<u8>| held.windows(6).any(|there| there == part);
                assert!(!held.iter().any(is_here), "{part:?} of {secret:?}");
            }
        }
    }
}

/// Returns the bytes that a segment of a key decodes to.
fn readings(segment: &str) -> Vec<Vec<u8>> {
    let digits: Option<Vec<u8>> = segment
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    let base64 = URL_SAFE_NO_PAD.decode(segment).ok();
    base64.into_iter().chain(digits).collect()
}

/// Returns a secret in either order of its bytes, in base64 and in digits.
fn forms(secret: &[u8]) -> [Vec<u8>; 4] {
    let digits: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    [
        secret.to_vec(),
        secret.iter().rev().copied().collect(),
        URL_SAFE_NO_PAD.encode(secret).into_bytes(),
        digits.into_bytes(),
    ]
}
