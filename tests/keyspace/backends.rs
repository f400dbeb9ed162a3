//! The backend argument of an accessor is anything that implements `Backend`, sized or not.

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use reinhardt_backends::{Backend, BackendError, MemoryBackend};

use crate::{Membership, Page, RateCounter, Session, home, login, member, session};

#[tokio::test]
async fn a_backend() {
    every_accessor(&MemoryBackend::new()).await;
}

#[tokio::test]
async fn a_borrowed_trait_object() {
    let backend: &dyn Backend = &MemoryBackend::new();
    every_accessor(backend).await;
}

#[tokio::test]
async fn a_shared_trait_object() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    every_accessor(&backend).await;
}

#[tokio::test]
async fn a_boxed_trait_object() {
    let backend: Box<dyn Backend> = Box::new(MemoryBackend::new());
    every_accessor(&backend).await;
    every_accessor(&*backend).await;
}

#[tokio::test]
async fn a_reference_to_a_reference() {
    every_accessor(&&MemoryBackend::new()).await;
}

async fn every_accessor<B: Backend + ?Sized>(backend: &B) {
    entries(backend).await.unwrap();
    values(backend).await.unwrap();
    counters(backend).await.unwrap();
}

async fn entries<B: Backend + ?Sized>(backend: &B) -> Result<(), BackendError> {
    let abc = session("abc");
    abc.save(backend).await?;
    abc.save_for(backend, Duration::from_secs(9)).await?;
    assert!(!abc.save_if_absent(backend).await?);
    assert!(abc.save_if_present(backend).await?);
    assert_eq!(Session::get(backend, "abc").await?, Some(abc.clone()));
    assert_eq!(Session::get_many(backend, ["x", "abc"]).await?.len(), 2);
    assert!(Session::exists(backend, "abc").await?);
    assert!(Session::ttl(backend, "abc").await?.is_some());
    assert!(Session::touch(backend, "abc").await?);
    let updated = Session::update(backend, "abc", |session| session.roles.clear()).await?;
    assert!(updated.unwrap().roles.is_empty());
    assert_eq!(
        Session::scan(backend).try_collect::<Vec<_>>().await?.len(),
        1
    );
    assert!(Session::take(backend, "abc").await?.is_some());
    assert!(!Session::delete(backend, "abc").await?);
    member(3, "x").save(backend).await?;
    assert_eq!(Membership::clear(backend).await?, 1);
    Ok(())
}

async fn values<B: Backend + ?Sized>(backend: &B) -> Result<(), BackendError> {
    let page = home();
    page.set(backend, "a").await?;
    page.set_for(backend, "b", Duration::from_secs(9)).await?;
    assert!(!page.set_if_absent(backend, "c").await?);
    assert!(page.set_if_present(backend, "d").await?);
    assert_eq!(page.get(backend).await?.unwrap(), "d");
    assert!(page.exists(backend).await?);
    assert!(page.ttl(backend).await?.is_some());
    assert!(page.touch(backend).await?);
    assert_eq!(page.update(backend, String::clear).await?.unwrap(), "");
    assert_eq!(page.take(backend).await?.unwrap(), "");
    let made = page.get_or_set_with(backend, || async { Ok::<_, BackendError>("e".to_string()) });
    assert_eq!(made.await?, "e");
    assert!(page.delete(backend).await?);
    assert_eq!(Page::clear(backend).await?, 0);
    Ok(())
}

async fn counters<B: Backend + ?Sized>(backend: &B) -> Result<(), BackendError> {
    assert_eq!(login().increment(backend).await?, 1);
    assert_eq!(login().increment_by(backend, 2).await?, 3);
    assert_eq!(login().hit(backend).await?.value, 4);
    assert_eq!(login().get(backend).await?, 4);
    assert!(login().ttl(backend).await?.is_some());
    assert!(login().reset(backend).await?);
    assert_eq!(RateCounter::clear(backend).await?, 0);
    Ok(())
}
