//! The words `sliding`, `jitter`, `tag`, `version` and `on_decode_error` do what they say.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use reinhardt_backends::{Backend, BackendError, ErrorKind, Expiry, Keyspace};
use serde::{Deserialize, Serialize};

use crate::{MINUTE, about, on_every_backend};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "sliding", ttl = "30m", sliding)]
struct Sliding {
    #[keyspace(key)]
    id: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "jittered", ttl = "100m", jitter = "10%")]
struct Jittered {
    #[keyspace(key)]
    id: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "cart", ttl = "30m")]
struct CartItem {
    #[keyspace(key, tag)]
    user: String,
    #[keyspace(key)]
    item: u32,
    count: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "forgiving", ttl = "30m", on_decode_error = "miss")]
struct Forgiving {
    #[keyspace(key)]
    id: String,
}

#[derive(Keyspace)]
#[keyspace(prefix = "forgiving.page", ttl = "30m", value = String, on_decode_error = "miss")]
struct ForgivingPage {
    path: String,
}

#[derive(Keyspace)]
#[keyspace(prefix = "versioned", ttl = "1m", version = 7, counter)]
struct Versioned {
    id: u32,
}

fn sliding(id: &str) -> Sliding {
    Sliding { id: id.to_string() }
}

fn item(user: &str, item: u32) -> CartItem {
    CartItem {
        user: user.to_string(),
        item,
        count: 1,
    }
}

on_every_backend! {
    a_sliding_read_starts_the_life_over
    a_sliding_read_never_shortens_a_life
    what_is_no_read_does_not_slide
    an_update_of_a_sliding_entry_starts_its_life_over
    a_jitter_shortens_each_life_by_another_share
    a_tag_stands_in_braces_and_an_empty_one_is_refused
    what_lies_under_leading_key_fields_is_scanned_and_cleared
    what_does_not_decode_is_an_error_unless_declared_a_miss
    what_counts_as_a_miss_is_replaced_by_what_is_computed_or_inserted
    a_version_is_a_part_of_a_counters_key
}

async fn life(backend: &Arc<dyn Backend>, id: &str) -> Option<Expiry> {
    Sliding::ttl(backend, id).await.unwrap()
}

async fn a_sliding_read_starts_the_life_over(backend: Arc<dyn Backend>) {
    for id in ["a", "b"] {
        sliding(id).save_for(&backend, 5 * MINUTE).await.unwrap();
    }
    assert_eq!(
        Sliding::get(&backend, "a").await.unwrap(),
        Some(sliding("a"))
    );
    assert!(about(life(&backend, "a").await, 30 * MINUTE));
    assert!(about(life(&backend, "b").await, 5 * MINUTE));
    let many = Sliding::get_many(&backend, ["b", "none"]).await.unwrap();
    assert_eq!(many, [Some(sliding("b")), None]);
    assert!(about(life(&backend, "b").await, 30 * MINUTE));
    assert_eq!(life(&backend, "none").await, None);
}

async fn a_sliding_read_never_shortens_a_life(backend: Arc<dyn Backend>) {
    sliding("a").save_for(&backend, 60 * MINUTE).await.unwrap();
    Sliding::get(&backend, "a").await.unwrap();
    Sliding::get_many(&backend, ["a"]).await.unwrap();
    assert!(about(life(&backend, "a").await, 60 * MINUTE));
    backend
        .set(&Sliding::key("b"), sliding("b"), None)
        .await
        .unwrap();
    Sliding::get(&backend, "b").await.unwrap();
    assert_eq!(life(&backend, "b").await, Some(Expiry::Never));
}

async fn what_is_no_read_does_not_slide(backend: Arc<dyn Backend>) {
    sliding("a").save_for(&backend, 5 * MINUTE).await.unwrap();
    assert!(Sliding::exists(&backend, "a").await.unwrap());
    let scanned: Vec<Sliding> = Sliding::scan(&backend).try_collect().await.unwrap();
    assert_eq!(scanned, [sliding("a")]);
    assert!(!sliding("a").save_if_absent(&backend).await.unwrap());
    assert!(about(life(&backend, "a").await, 5 * MINUTE));
}

async fn an_update_of_a_sliding_entry_starts_its_life_over(backend: Arc<dyn Backend>) {
    sliding("a").save_for(&backend, 5 * MINUTE).await.unwrap();
    Sliding::update(&backend, "a", |_| {}).await.unwrap();
    assert!(about(life(&backend, "a").await, 30 * MINUTE));
}

async fn a_jitter_shortens_each_life_by_another_share(backend: Arc<dyn Backend>) {
    Jittered::save_many(&backend, (0..50).map(|id| Jittered { id }))
        .await
        .unwrap();
    for id in 50..100 {
        Jittered { id }.save(&backend).await.unwrap();
    }
    let mut lives = Vec::new();
    for id in 0..100 {
        let Some(Expiry::In(left)) = Jittered::ttl(&backend, id).await.unwrap() else {
            panic!("{id} has no end");
        };
        assert!(left <= 100 * MINUTE && left > 86 * MINUTE, "{left:?}");
        lives.push(left);
    }
    for lives in [&mut lives[..50].to_vec(), &mut lives[50..].to_vec()] {
        lives.sort();
        // Shares are at random from 600 s, so 50 of them are more than a minute apart.
        assert!(lives[49] - lives[0] > MINUTE, "{lives:?}");
    }
    Jittered { id: 0 }
        .save_for(&backend, 200 * MINUTE)
        .await
        .unwrap();
    let Some(Expiry::In(left)) = Jittered::ttl(&backend, 0).await.unwrap() else {
        panic!("it has no end");
    };
    assert!(left > 196 * MINUTE, "an own time isn't shortened: {left:?}");
}

async fn a_tag_stands_in_braces_and_an_empty_one_is_refused(backend: Arc<dyn Backend>) {
    assert_eq!(&*CartItem::key("a{b", 7), "cart:{a%7Bb}:7");
    item("ann", 1).save(&backend).await.unwrap();
    assert_eq!(
        CartItem::get(&backend, "ann", 1).await.unwrap(),
        Some(item("ann", 1))
    );
    let kinds = [
        item("", 1).save(&backend).await.err(),
        item("", 1).save_if_absent(&backend).await.err(),
        CartItem::get(&backend, "", 1).await.err(),
        CartItem::get_many(&backend, [("ann", 1), ("", 1)])
            .await
            .err(),
        CartItem::save_many(&backend, [item("ann", 2), item("", 1)])
            .await
            .err(),
        CartItem::delete(&backend, "", 1).await.err(),
        CartItem::delete_many(&backend, [("ann", 1), ("", 1)])
            .await
            .err(),
        CartItem::exists(&backend, "", 1).await.err(),
        CartItem::update(&backend, "", 1, |_| {}).await.err(),
        CartItem::clear_under(&backend, "").await.err(),
        CartItem::scan_under(&backend, "").try_next().await.err(),
        backend.delete(&CartItem::key("", 1)).await.err(),
    ];
    for (index, error) in kinds.into_iter().enumerate() {
        let kind = error.map(|error| error.kind());
        assert_eq!(kind, Some(ErrorKind::InvalidKey), "call {index}");
    }
    assert!(CartItem::exists(&backend, "ann", 1).await.unwrap());
    assert!(!CartItem::exists(&backend, "ann", 2).await.unwrap());
}

async fn what_lies_under_leading_key_fields_is_scanned_and_cleared(backend: Arc<dyn Backend>) {
    for (user, id) in [("ann", 1), ("ann", 2), ("an", 3), ("ann:", 4), ("bob", 5)] {
        item(user, id).save(&backend).await.unwrap();
    }
    let under: Vec<CartItem> = CartItem::scan_under(&backend, "ann")
        .try_collect()
        .await
        .unwrap();
    let mut items: Vec<u32> = under.iter().map(|entry| entry.item).collect();
    items.sort();
    assert_eq!(items, [1, 2]);
    assert_eq!(
        CartItem::clear_under(&backend, "ann".to_string())
            .await
            .unwrap(),
        2
    );
    let keys: Vec<(String, u32)> = CartItem::scan_keys(&backend).try_collect().await.unwrap();
    assert_eq!(keys.len(), 3);
    assert!(keys.contains(&("ann:".to_string(), 4)));
}

async fn what_does_not_decode_is_an_error_unless_declared_a_miss(backend: Arc<dyn Backend>) {
    backend.set("sliding:a", "no entry", None).await.unwrap();
    let error = Sliding::get(&backend, "a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);

    let key = Forgiving::key("a");
    backend.set(&key, "no entry", None).await.unwrap();
    assert_eq!(Forgiving::get(&backend, "a").await.unwrap(), None);
    assert_eq!(Forgiving::get_many(&backend, ["a"]).await.unwrap(), [None]);
    assert_eq!(Forgiving::scan(&backend).count().await, 0);
    let updated = Forgiving::update(&backend, "a", |_| panic!("there is nothing to change"));
    assert_eq!(updated.await.unwrap(), None);
    assert!(backend.exists(&key).await.unwrap());
    assert_eq!(Forgiving::take(&backend, "a").await.unwrap(), None);
    assert!(!backend.exists(&key).await.unwrap());
}

async fn what_counts_as_a_miss_is_replaced_by_what_is_computed_or_inserted(
    backend: Arc<dyn Backend>,
) {
    let page = ForgivingPage {
        path: "/".to_string(),
    };
    backend.set(&page.key(), vec![1, 2, 3], None).await.unwrap();
    let computed = page.get_or_set_with(&backend, || async {
        Ok::<_, BackendError>("html".to_string())
    });
    assert_eq!(computed.await.unwrap(), "html");
    assert_eq!(page.get(&backend).await.unwrap().as_deref(), Some("html"));
    assert!(about(page.ttl(&backend).await.unwrap(), 30 * MINUTE));

    let entry = Forgiving {
        id: "a".to_string(),
    };
    backend
        .set(
            &Forgiving::key("a"),
            "no entry",
            Some(Duration::from_secs(60)),
        )
        .await
        .unwrap();
    let insert = || entry.clone();
    let stored =
        Forgiving::update_or_insert_with(&backend, "a", |_| panic!("nothing to change"), insert);
    assert_eq!(stored.await.unwrap(), entry);
    assert_eq!(Forgiving::get(&backend, "a").await.unwrap(), Some(entry));
    assert!(about(
        Forgiving::ttl(&backend, "a").await.unwrap(),
        30 * MINUTE
    ));
}

async fn a_version_is_a_part_of_a_counters_key(backend: Arc<dyn Backend>) {
    assert_eq!(Versioned { id: 1 }.increment(&backend).await.unwrap(), 1);
    assert_eq!(backend.get::<i64>("versioned@7:1").await.unwrap(), Some(1));
}
