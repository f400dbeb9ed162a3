//! An entry is a struct that is the value and has its key in some of its fields.

use std::time::Duration;

use reinhardt_backends::{Backend, ErrorKind, Expiry, Keyspace, Life, MemoryBackend};
use tokio::time::advance;

use crate::{Membership, Session, member, session};

const HALF_AN_HOUR: Duration = Duration::from_secs(30 * 60);

#[tokio::test]
async fn what_was_saved_is_got() {
    let backend = MemoryBackend::new();
    session("abc").save(&backend).await.unwrap();
    assert_eq!(
        Session::get(&backend, "abc").await.unwrap(),
        Some(session("abc"))
    );
    assert_eq!(Session::get(&backend, "def").await.unwrap(), None);
}

#[tokio::test]
async fn a_key_argument_is_the_field_a_reference_to_it_or_a_str() {
    let backend = MemoryBackend::new();
    session("abc").save(&backend).await.unwrap();
    let owned = "abc".to_string();
    assert!(Session::exists(&backend, &owned).await.unwrap());
    assert!(Session::exists(&backend, owned.as_str()).await.unwrap());
    assert!(Session::exists(&backend, &"abc").await.unwrap());
    assert!(Session::exists(&backend, owned).await.unwrap());
    member(3, "x").save(&backend).await.unwrap();
    assert!(Membership::exists(&backend, 3, "x").await.unwrap());
    assert!(Membership::exists(&backend, &3, "x").await.unwrap());
}

#[tokio::test]
async fn a_composite_key_takes_an_argument_a_field_in_order() {
    let backend = MemoryBackend::new();
    let odd = member(3, "a:b%");
    odd.save(&backend).await.unwrap();
    assert_eq!(
        Membership::get(&backend, 3, "a:b%").await.unwrap(),
        Some(odd)
    );
    assert_eq!(Membership::get(&backend, 4, "a:b%").await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_save_lives_for_the_declared_time() {
    let backend = MemoryBackend::new();
    session("abc").save(&backend).await.unwrap();
    assert_eq!(
        Session::ttl(&backend, "abc").await.unwrap(),
        Some(Expiry::In(HALF_AN_HOUR))
    );
    advance(HALF_AN_HOUR - Duration::from_millis(1)).await;
    assert!(Session::exists(&backend, "abc").await.unwrap());
    advance(Duration::from_millis(1)).await;
    assert!(!Session::exists(&backend, "abc").await.unwrap());
}

#[tokio::test]
async fn never_is_no_end() {
    let backend = MemoryBackend::new();
    member(3, "x").save(&backend).await.unwrap();
    assert_eq!(
        Membership::ttl(&backend, 3, "x").await.unwrap(),
        Some(Expiry::Never)
    );
}

#[tokio::test(start_paused = true)]
async fn save_for_lives_for_the_given_time() {
    let backend = MemoryBackend::new();
    let minute = Duration::from_secs(60);
    session("abc").save_for(&backend, minute).await.unwrap();
    assert_eq!(
        Session::ttl(&backend, "abc").await.unwrap(),
        Some(Expiry::In(minute))
    );
}

#[tokio::test]
async fn save_for_no_time_is_refused() {
    let backend = MemoryBackend::new();
    let refused = session("abc").save_for(&backend, Duration::ZERO).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidTtl);
    assert!(!Session::exists(&backend, "abc").await.unwrap());
}

#[tokio::test]
async fn save_if_absent_leaves_what_is_there() {
    let backend = MemoryBackend::new();
    let first = session("abc");
    assert!(first.save_if_absent(&backend).await.unwrap());
    let second = Session {
        roles: vec![],
        ..first.clone()
    };
    assert!(!second.save_if_absent(&backend).await.unwrap());
    assert_eq!(Session::get(&backend, "abc").await.unwrap(), Some(first));
}

#[tokio::test]
async fn save_if_present_never_resurrects() {
    let backend = MemoryBackend::new();
    assert!(!session("abc").save_if_present(&backend).await.unwrap());
    session("abc").save(&backend).await.unwrap();
    assert!(session("abc").save_if_present(&backend).await.unwrap());
    assert!(Session::delete(&backend, "abc").await.unwrap());
    assert!(!session("abc").save_if_present(&backend).await.unwrap());
    assert_eq!(Session::get(&backend, "abc").await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn conditional_saves_live_for_the_declared_time() {
    let backend = MemoryBackend::new();
    session("abc").save_if_absent(&backend).await.unwrap();
    let life = Session::ttl(&backend, "abc").await.unwrap();
    assert_eq!(life, Some(Expiry::In(HALF_AN_HOUR)));
    advance(Duration::from_secs(60)).await;
    session("abc").save_if_present(&backend).await.unwrap();
    let life = Session::ttl(&backend, "abc").await.unwrap();
    assert_eq!(life, Some(Expiry::In(HALF_AN_HOUR)));
}

#[tokio::test]
async fn delete_says_whether_there_was_an_entry() {
    let backend = MemoryBackend::new();
    session("abc").save(&backend).await.unwrap();
    assert!(Session::delete(&backend, "abc").await.unwrap());
    assert!(!Session::delete(&backend, "abc").await.unwrap());
}

#[tokio::test]
async fn take_removes_what_it_returns() {
    let backend = MemoryBackend::new();
    session("abc").save(&backend).await.unwrap();
    assert_eq!(
        Session::take(&backend, "abc").await.unwrap(),
        Some(session("abc"))
    );
    assert_eq!(Session::take(&backend, "abc").await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn touch_starts_the_life_over_and_leaves_the_value() {
    let backend = MemoryBackend::new();
    session("abc").save(&backend).await.unwrap();
    advance(Duration::from_secs(60)).await;
    assert!(Session::touch(&backend, "abc").await.unwrap());
    assert_eq!(
        Session::ttl(&backend, "abc").await.unwrap(),
        Some(Expiry::In(HALF_AN_HOUR))
    );
    assert_eq!(
        Session::get(&backend, "abc").await.unwrap(),
        Some(session("abc"))
    );
}

#[tokio::test]
async fn touch_makes_nothing() {
    let backend = MemoryBackend::new();
    assert!(!Session::touch(&backend, "abc").await.unwrap());
    assert!(!Session::exists(&backend, "abc").await.unwrap());
}

#[tokio::test]
async fn touching_what_has_no_end_leaves_it_without_one() {
    let backend = MemoryBackend::new();
    member(3, "x").save(&backend).await.unwrap();
    assert!(Membership::touch(&backend, 3, "x").await.unwrap());
    assert_eq!(
        Membership::ttl(&backend, 3, "x").await.unwrap(),
        Some(Expiry::Never)
    );
}

#[tokio::test]
async fn get_many_is_positional() {
    let backend = MemoryBackend::new();
    session("abc").save(&backend).await.unwrap();
    session("def").save(&backend).await.unwrap();
    let many = Session::get_many(&backend, ["def", "nobody", "abc", "def"]).await;
    assert_eq!(
        many.unwrap(),
        [
            Some(session("def")),
            None,
            Some(session("abc")),
            Some(session("def"))
        ]
    );
}

#[tokio::test]
async fn get_many_of_a_composite_key_takes_tuples() {
    let backend = MemoryBackend::new();
    member(3, "x").save(&backend).await.unwrap();
    let keys = vec![(3, "x".to_string()), (4, "x".to_string())];
    let many = Membership::get_many(&backend, keys).await.unwrap();
    assert_eq!(many, [Some(member(3, "x")), None]);
}

#[tokio::test]
async fn get_many_of_nothing_is_nothing() {
    let backend = MemoryBackend::new();
    let none: [&str; 0] = [];
    assert!(Session::get_many(&backend, none).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_raw_api_reads_what_a_keyspace_wrote() {
    let backend = MemoryBackend::new();
    session("abc").save(&backend).await.unwrap();
    let key = Session::key("abc");
    assert_eq!(&*key, "session:abc");
    assert_eq!(
        backend.get::<Session>(&key).await.unwrap(),
        Some(session("abc"))
    );
}

#[tokio::test]
async fn foreign_bytes_are_a_decode_error_and_stay() {
    let backend = MemoryBackend::new();
    let key = Session::key("abc");
    backend.set(&key, "no session", None).await.unwrap();
    let error = Session::get(&backend, "abc").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(Session::exists(&backend, "abc").await.unwrap());
}

#[test]
fn the_declaration_can_be_read() {
    let info = Membership::INFO;
    assert_eq!((info.name, info.prefix), ("Membership", "membership"));
    assert_eq!(info.key_fields, ["org", "user"]);
    assert_eq!(info.life, Life::Never);
    assert_eq!(Session::INFO.life, Life::In(HALF_AN_HOUR));
}

#[test]
fn a_ttl_may_be_a_constant() {
    struct Limits;
    impl Limits {
        const WINDOW: Duration = Duration::from_millis(1500);
    }
    #[derive(Keyspace)]
    #[keyspace(prefix = "window", ttl = Limits::WINDOW, counter)]
    struct Window;
    assert_eq!(Window::INFO.life, Life::In(Limits::WINDOW));
}

#[test]
fn a_ttl_may_come_from_a_macro() {
    macro_rules! keyspace {
        ($name:ident, $prefix:literal, $ttl:expr, $value:ty) => {
            #[derive(Keyspace)]
            #[keyspace(prefix = $prefix, ttl = $ttl, value = $value)]
            struct $name {
                id: u8,
            }
        };
    }
    keyspace!(Text, "text", "1h30m", Option<String>);
    keyspace!(Path, "path", never, Vec<(u8, u8)>);
    assert_eq!(Text::INFO.life, Life::In(Duration::from_secs(90 * 60)));
    assert_eq!(&*Path { id: 1 }.key(), "path:1");
    assert_eq!(Path::INFO.life, Life::Never);
}
