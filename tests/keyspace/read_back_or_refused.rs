//! Every value that keyspaces and sessions store is read back, under every codec, or refused with
//! the old value left in place.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use reinhardt_backends::codec::{Cbor, Codec, Json, Postcard};
use reinhardt_backends::session::{SessionError, SessionStore};
use reinhardt_backends::{Backend, BackendError, ErrorKind, Expiry, Keyspace};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::on_every_backend;

/// Returns a value as a client sends it: nested as deep as serde_json takes it. It then stands in
/// another value.
fn sent(levels: usize) -> serde_json::Value {
    let text = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    serde_json::from_str(&text).unwrap()
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "readable.draft", ttl = "1m", codec = Json)]
struct Draft {
    #[keyspace(key)]
    id: u8,
    body: serde_json::Value,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "readable.form", ttl = "1m")]
struct Form {
    #[keyspace(key)]
    id: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Plan {
    Free,
    #[serde(skip)]
    #[allow(dead_code)]
    Internal,
    Team,
    Company,
}

#[derive(Keyspace)]
#[keyspace(prefix = "readable.plan", ttl = "1m", value = Plan, codec = Postcard)]
struct PlanOf {
    user: u8,
}

#[derive(Keyspace)]
#[keyspace(prefix = "readable.rate", ttl = "1m", value = f64, codec = Json)]
struct RateOf {
    currency: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Amount {
    Exact(u128),
    Text(String),
}

#[derive(Keyspace)]
#[keyspace(prefix = "readable.amount", ttl = "1m", value = Amount)]
struct AmountOf {
    account: u8,
}

on_every_backend! {
    a_refused_entry_leaves_what_was_there
    a_refused_value_leaves_what_was_there
    a_refused_update_leaves_what_was_there
    a_refused_entry_among_many_stops_all_and_is_named
    a_session_is_read_back_or_refused
    what_serde_can_not_give_back_is_refused
}

async fn a_refused_entry_leaves_what_was_there(backend: Arc<dyn Backend>) {
    let before = Draft {
        id: 1,
        body: sent(126),
    };
    before.save(&backend).await.unwrap();
    let draft = Draft {
        id: 1,
        body: sent(127),
    };
    let absent = Draft {
        id: 2,
        body: sent(127),
    };
    for error in [
        draft.save(&backend).await.unwrap_err(),
        draft
            .save_for(&backend, Duration::from_secs(1))
            .await
            .unwrap_err(),
        draft.save_if_present(&backend).await.unwrap_err(),
        absent.save_if_absent(&backend).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Encode);
    }
    assert_eq!(Draft::get(&backend, 1).await.unwrap(), Some(before));
    let left = Draft::ttl(&backend, 1).await.unwrap();
    assert!(matches!(left, Some(Expiry::In(left)) if left > Duration::from_secs(30)));
    assert_eq!(Draft::get(&backend, 2).await.unwrap(), None);

    let form = |key: &str| Form {
        id: 1,
        rest: [(key.to_string(), "x".to_string())].into(),
    };
    form("age").save(&backend).await.unwrap();
    let error = form("id").save(&backend).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Encode);
    assert_eq!(Form::get(&backend, 1).await.unwrap(), Some(form("age")));
}

async fn a_refused_value_leaves_what_was_there(backend: Arc<dyn Backend>) {
    let plan = PlanOf { user: 1 };
    plan.set(&backend, Plan::Free).await.unwrap();
    for other in [Plan::Team, Plan::Company] {
        let error = plan.set(&backend, other).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Encode);
    }
    assert_eq!(plan.get(&backend).await.unwrap(), Some(Plan::Free));
    let rate = || RateOf {
        currency: "eur".to_string(),
    };
    rate().set(&backend, 1.25).await.unwrap();
    for number in [f64::NAN, f64::INFINITY] {
        let error = rate().set(&backend, number).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Encode);
    }
    assert_eq!(rate().get(&backend).await.unwrap(), Some(1.25));
}

async fn a_refused_update_leaves_what_was_there(backend: Arc<dyn Backend>) {
    let before = Draft {
        id: 1,
        body: sent(1),
    };
    before.save(&backend).await.unwrap();
    let updated = Draft::update(&backend, 1, |draft| draft.body = sent(127)).await;
    assert_eq!(updated.unwrap_err().kind(), ErrorKind::Encode);
    assert_eq!(Draft::get(&backend, 1).await.unwrap(), Some(before));
}

async fn a_refused_entry_among_many_stops_all_and_is_named(backend: Arc<dyn Backend>) {
    let drafts = [(1, 1), (2, 127), (3, 126)];
    let drafts = drafts.map(|(id, levels)| Draft {
        id,
        body: sent(levels),
    });
    let error = Draft::save_many(&backend, &drafts).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.failed_indices()),
        (ErrorKind::Encode, &[1][..])
    );
    assert_eq!(Draft::get(&backend, 1).await.unwrap(), None);
}

async fn what_serde_can_not_give_back_is_refused(backend: Arc<dyn Backend>) {
    let amount = AmountOf { account: 1 };
    amount
        .set(&backend, Amount::Text("5".to_string()))
        .await
        .unwrap();
    let error = amount.set(&backend, Amount::Exact(5)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Encode);
    assert_eq!(
        amount.get(&backend).await.unwrap(),
        Some(Amount::Text("5".to_string()))
    );
}

async fn a_session_is_read_back_or_refused(backend: Arc<dyn Backend>) {
    for levels in [125, 126, 127] {
        session::<Cbor, _>(&backend, sent(levels), true).await;
        session::<Json, _>(&backend, sent(levels), levels < 127).await;
    }
    session::<Postcard, _>(&backend, Plan::Free, true).await;
    session::<Postcard, _>(&backend, Plan::Team, false).await;
    session::<Json, _>(&backend, vec![f64::NAN], false).await;
    session::<Json, _>(&backend, vec![1.5], true).await;
    let builder = SessionStore::<Vec<f64>, _>::builder(backend.clone()).codec::<Json>();
    let sessions = builder.build().unwrap();
    let mut session = sessions.create(&7u64, vec![1.5]).await.unwrap();
    session.push(f64::NAN);
    let error = sessions.save(&mut session).await.unwrap_err();
    let is_encode = |error: &BackendError| error.kind() == ErrorKind::Encode;
    assert!(matches!(&error, SessionError::Backend(error) if is_encode(error)));
    let loaded = sessions.load(session.id()).await.unwrap().unwrap();
    assert_eq!(*loaded, [1.5], "what was there stays");
}

async fn session<C: Codec, T>(backend: &Arc<dyn Backend>, data: T, is_stored: bool)
where
    T: Serialize + DeserializeOwned + Clone + PartialEq + Debug + Send + Sync,
{
    let name = format!("{} with {data:?}", C::NAME);
    let builder = SessionStore::<T, _>::builder(backend.clone()).codec::<C>();
    let sessions = builder.build().unwrap();
    let refusal = |error: BackendError| assert_eq!(error.kind(), ErrorKind::Encode, "{name}");
    match sessions.create(&7u64, data.clone()).await {
        Ok(session) => {
            assert!(is_stored, "{name}");
            let mut loaded = sessions.load(session.id()).await.unwrap().unwrap();
            assert_eq!(*loaded, data);
            sessions.save(&mut loaded).await.unwrap();
        }
        Err(error) => {
            assert!(!is_stored, "{name}");
            refusal(error);
        }
    }
}
