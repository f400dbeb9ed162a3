//! A value has a type of its own, and every accessor takes and gives it.

use std::time::Duration;

use reinhardt_backends::{Backend, Expiry, Keyspace, MemoryBackend};
use tokio::time::advance;

use crate::{Page, home};

const FIVE_MINUTES: Duration = Duration::from_secs(5 * 60);

#[tokio::test(start_paused = true)]
async fn what_was_set_is_got_for_the_declared_time() {
    let backend = MemoryBackend::new();
    home().set(&backend, "<h1>").await.unwrap();
    assert_eq!(home().get(&backend).await.unwrap().unwrap(), "<h1>");
    assert_eq!(
        home().ttl(&backend).await.unwrap(),
        Some(Expiry::In(FIVE_MINUTES))
    );
    advance(FIVE_MINUTES).await;
    assert_eq!(home().get(&backend).await.unwrap(), None);
}

#[tokio::test]
async fn a_value_is_passed_as_it_is_by_reference_or_as_what_it_derefs_to() {
    #[derive(Keyspace)]
    #[keyspace(prefix = "numbers", ttl = "1m", value = Vec<u32>)]
    struct Numbers;
    let backend = MemoryBackend::new();
    let html = "<h1>".to_string();
    home().set(&backend, &html).await.unwrap();
    home().set(&backend, html.as_str()).await.unwrap();
    home().set(&backend, html).await.unwrap();
    Numbers.set(&backend, &[1, 2][..]).await.unwrap();
    Numbers.set(&backend, vec![3]).await.unwrap();
    assert_eq!(Numbers.get(&backend).await.unwrap(), Some(vec![3]));
}

#[tokio::test(start_paused = true)]
async fn set_for_lives_for_the_given_time() {
    let backend = MemoryBackend::new();
    let second = Duration::from_secs(1);
    home().set_for(&backend, "x", second).await.unwrap();
    assert_eq!(
        home().ttl(&backend).await.unwrap(),
        Some(Expiry::In(second))
    );
}

#[tokio::test]
async fn the_conditional_sets_look_first() {
    let backend = MemoryBackend::new();
    assert!(!home().set_if_present(&backend, "a").await.unwrap());
    assert!(home().set_if_absent(&backend, "b").await.unwrap());
    assert!(!home().set_if_absent(&backend, "c").await.unwrap());
    assert_eq!(home().get(&backend).await.unwrap().unwrap(), "b");
    assert!(home().set_if_present(&backend, "d").await.unwrap());
    assert_eq!(home().get(&backend).await.unwrap().unwrap(), "d");
}

#[tokio::test]
async fn take_delete_and_exists_tell_what_was_there() {
    let backend = MemoryBackend::new();
    home().set(&backend, "x").await.unwrap();
    assert!(home().exists(&backend).await.unwrap());
    assert_eq!(home().take(&backend).await.unwrap().unwrap(), "x");
    assert!(!home().exists(&backend).await.unwrap());
    assert!(!home().delete(&backend).await.unwrap());
    home().set(&backend, "x").await.unwrap();
    assert!(home().delete(&backend).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn touch_starts_the_life_over() {
    let backend = MemoryBackend::new();
    assert!(!home().touch(&backend).await.unwrap());
    home().set(&backend, "x").await.unwrap();
    advance(Duration::from_secs(1)).await;
    assert!(home().touch(&backend).await.unwrap());
    assert_eq!(
        home().ttl(&backend).await.unwrap(),
        Some(Expiry::In(FIVE_MINUTES))
    );
}

#[tokio::test(start_paused = true)]
async fn update_changes_the_value_and_keeps_its_life() {
    let backend = MemoryBackend::new();
    home().set(&backend, "a").await.unwrap();
    advance(Duration::from_secs(60)).await;
    let updated = home()
        .update(&backend, |html| html.push('b'))
        .await
        .unwrap();
    assert_eq!(updated.unwrap(), "ab");
    assert_eq!(
        home().ttl(&backend).await.unwrap(),
        Some(Expiry::In(FIVE_MINUTES - Duration::from_secs(60)))
    );
}

#[tokio::test]
async fn a_stored_none_is_not_absence() {
    #[derive(Keyspace)]
    #[keyspace(prefix = "avatar", ttl = "1m", value = Option<String>)]
    struct Avatar {
        user: u64,
    }
    let backend = MemoryBackend::new();
    let avatar = Avatar { user: 7 };
    assert_eq!(avatar.get(&backend).await.unwrap(), None);
    avatar.set(&backend, None).await.unwrap();
    assert_eq!(avatar.get(&backend).await.unwrap(), Some(None));
}

#[tokio::test]
async fn clear_takes_only_its_own() {
    let backend = MemoryBackend::new();
    home().set(&backend, "x").await.unwrap();
    backend.set("page.en:/", 1, None).await.unwrap();
    backend.set("pages:en:/", 1, None).await.unwrap();
    assert_eq!(Page::clear(&backend).await.unwrap(), 1);
    assert!(backend.exists("page.en:/").await.unwrap());
    assert!(backend.exists("pages:en:/").await.unwrap());
    assert!(!home().exists(&backend).await.unwrap());
}
