//! Any backend is a store of tower-sessions under its own layer.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt;
use futures::future::join_all;
use http::header::{COOKIE, SET_COOKIE};
use http::{Request, Response, StatusCode};
use reinhardt_backends::session::TowerSessions;
use reinhardt_backends::store::MAX_TTL;
use reinhardt_backends::{Backend, ErrorKind, Expiry as Left, MemoryBackend};
use reinhardt_backends_tests::Server;
use serde::Serialize;
use serde_json::{Value, json};
use time::{OffsetDateTime, UtcOffset};
use tokio::sync::Barrier;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;
use tower_sessions::cookie::time::Duration as Span;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::Error;
use tower_sessions::{CachingSessionStore, Expiry, Session, SessionManagerLayer, SessionStore};

use crate::on_every_backend;

on_every_backend! {
    a_request_that_stores_nothing_gets_no_cookie_and_no_record
    what_is_inserted_is_there_in_the_next_request
    what_is_removed_is_gone_in_the_next_request
    a_bogus_cookie_gets_another_id
    a_malformed_cookie_is_removed
    a_cycled_id_keeps_the_data_and_the_old_one_is_dead
    a_flushed_session_is_gone_and_its_cookie_is_removed
    what_is_inserted_after_a_flush_is_a_session_under_an_id_that_nobody_knew
    a_planted_id_is_not_logged_in
    a_save_that_outlives_the_logout_does_not_bring_the_session_back
    an_id_that_is_cycled_after_the_logout_does_bring_the_session_back
    what_follows_a_clear_is_lost_unless_something_looked_for_the_record
    parallel_requests_all_succeed_and_leave_one_record
    a_session_ends_at_its_date
    a_session_that_has_ended_starts_anew_under_another_id
    a_created_record_gets_an_id_of_its_own
    a_save_stores_only_over_a_record_that_is_there
    behind_a_cache_it_has_the_records_that_the_cache_has
    every_json_value_survives
    the_expiry_date_is_kept_exactly_and_ends_the_entry
    a_record_that_has_expired_is_not_stored_and_is_removed
    what_is_no_record_is_a_decode_error
}

type Service = BoxCloneSyncService<Request<String>, Response<String>, Infallible>;

/// The barrier at which a slow request waits: once inside of its handler, and once before it goes
/// on.
type Gate = Arc<Barrier>;

fn service<S: SessionStore + Clone>(layer: SessionManagerLayer<S>, gate: &Gate) -> Service {
    let gate = gate.clone();
    let handler = tower::service_fn(move |request: Request<String>| {
        let gate = gate.clone();
        async move {
            let session = request.extensions().get::<Session>().unwrap().clone();
            let body = handle(request.uri().path(), &session, &gate).await;
            Ok::<_, Infallible>(Response::new(body))
        }
    });
    BoxCloneSyncService::new(tower::Layer::layer(&layer, handler))
}

async fn handle(path: &str, session: &Session, gate: &Gate) -> String {
    match path {
        "/" => {}
        "/get" => return format!("{:?}", session.get::<u32>("n").await.unwrap()),
        "/insert" => session.insert("n", 42).await.unwrap(),
        "/remove" => {
            let removed = session.remove::<u32>("n").await.unwrap();
            return format!("{removed:?}");
        }
        "/cycle" => session.cycle_id().await.unwrap(),
        "/flush" => session.flush().await.unwrap(),
        "/user" => return format!("{:?}", session.get::<u32>("user").await.unwrap()),
        "/flush-and-login" => {
            session.flush().await.unwrap();
            session.insert("user", 7).await.unwrap();
        }
        "/clear-and-login" => clear_and_login(session).await,
        "/load-clear-and-login" => {
            session.load().await.unwrap();
            clear_and_login(session).await;
        }
        "/get-clear-and-login" => {
            session.get::<u32>("n").await.unwrap();
            clear_and_login(session).await;
        }
        "/cycle-clear-and-login" => {
            session.cycle_id().await.unwrap();
            clear_and_login(session).await;
        }
        "/slow" => {
            session.insert("late", 1).await.unwrap();
            gate.wait().await;
            gate.wait().await;
        }
        "/slow-cycle" => {
            session.get::<u32>("n").await.unwrap();
            gate.wait().await;
            gate.wait().await;
            session.cycle_id().await.unwrap();
        }
        "/for-a-second" => {
            let date = OffsetDateTime::now_utc() + Duration::from_secs(1);
            session.set_expiry(Some(Expiry::AtDateTime(date)));
            session.insert("n", 42).await.unwrap();
        }
        other => session.insert(other, 1).await.unwrap(),
    }
    String::new()
}

async fn clear_and_login(session: &Session) {
    session.clear().await;
    session.insert("user", 7).await.unwrap();
}

fn hour() -> Option<Expiry> {
    Some(Expiry::OnInactivity(Span::hours(1)))
}

/// The layer over a backend, for sessions of an hour.
fn app(backend: &Arc<dyn Backend>) -> (Service, Gate) {
    let store = TowerSessions::new(backend.clone());
    let layer = SessionManagerLayer::new(store).with_expiry(hour().unwrap());
    let gate = Arc::new(Barrier::new(2));
    (service(layer, &gate), gate)
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    body: String,
    /// The value that the cookie is set to; an empty text removes the cookie.
    cookie: Option<String>,
}

async fn ask(app: &Service, path: &str, cookie: Option<&str>) -> Answer {
    let mut request = Request::builder().uri(path);
    if let Some(cookie) = cookie {
        request = request.header(COOKIE, format!("id={cookie}"));
    }
    let request = request.body(String::new()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let cookie = response.headers().get(SET_COOKIE).map(|header| {
        let text = header.to_str().unwrap().split(';').next().unwrap();
        text.strip_prefix("id=").unwrap().to_string()
    });
    Answer {
        status: response.status(),
        cookie,
        body: response.into_body(),
    }
}

/// Begins a session and returns its cookie.
async fn begun(app: &Service) -> String {
    let answer = ask(app, "/insert", None).await;
    assert_eq!(answer.status, StatusCode::OK);
    answer.cookie.expect("a session was begun")
}

async fn keys(backend: &Arc<dyn Backend>) -> Vec<String> {
    let keys = backend.scan("tower-sessions:").try_collect::<Vec<_>>();
    let mut keys = keys.await.unwrap();
    keys.sort();
    keys.dedup();
    keys
}

async fn records(backend: &Arc<dyn Backend>) -> usize {
    keys(backend).await.len()
}

/// Returns the key of the only record there is.
async fn only_key(backend: &Arc<dyn Backend>) -> String {
    let mut keys = keys(backend).await;
    assert_eq!(keys.len(), 1);
    keys.remove(0)
}

fn record(data: Value, expiry_date: OffsetDateTime) -> Record {
    Record {
        id: Id::default(),
        data: serde_json::from_value(data).unwrap(),
        expiry_date,
    }
}

fn in_an_hour() -> OffsetDateTime {
    OffsetDateTime::now_utc() + Span::hours(1)
}

async fn a_request_that_stores_nothing_gets_no_cookie_and_no_record(backend: Arc<dyn Backend>) {
    let (app, _) = app(&backend);
    assert_eq!(ask(&app, "/", None).await.cookie, None);
    assert_eq!(ask(&app, "/get", None).await.body, "None");
    assert_eq!(records(&backend).await, 0);
}

async fn what_is_inserted_is_there_in_the_next_request(backend: Arc<dyn Backend>) {
    let (app, _) = app(&backend);
    let cookie = begun(&app).await;
    assert_eq!(ask(&app, "/get", Some(&cookie)).await.body, "Some(42)");
    assert_eq!(ask(&app, "/get", None).await.body, "None");
}

async fn what_is_removed_is_gone_in_the_next_request(backend: Arc<dyn Backend>) {
    let (app, _) = app(&backend);
    let cookie = begun(&app).await;
    assert_eq!(ask(&app, "/remove", Some(&cookie)).await.body, "Some(42)");
    assert_eq!(ask(&app, "/get", Some(&cookie)).await.body, "None");
}

async fn a_bogus_cookie_gets_another_id(backend: Arc<dyn Backend>) {
    let (app, _) = app(&backend);
    let bogus = Id::default().to_string();
    let answer = ask(&app, "/insert", Some(&bogus)).await;
    assert_eq!(answer.status, StatusCode::OK);
    let cookie = answer.cookie.unwrap();
    assert_ne!(cookie, bogus);
    assert_eq!(ask(&app, "/get", Some(&cookie)).await.body, "Some(42)");
    assert_eq!(ask(&app, "/get", Some(&bogus)).await.body, "None");
}

async fn a_malformed_cookie_is_removed(backend: Arc<dyn Backend>) {
    let (app, _) = app(&backend);
    for malformed in ["malformed", "*", "a:b", &"A".repeat(5000)] {
        let answer = ask(&app, "/", Some(malformed)).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.cookie.as_deref(), Some(""), "{malformed:.20}");
        let answer = ask(&app, "/insert", Some(malformed)).await;
        assert_eq!(answer.cookie.unwrap().len(), 22);
    }
}

async fn a_cycled_id_keeps_the_data_and_the_old_one_is_dead(backend: Arc<dyn Backend>) {
    let (app, _) = app(&backend);
    let old = begun(&app).await;
    let new = ask(&app, "/cycle", Some(&old)).await.cookie.unwrap();
    assert_ne!(new, old);
    assert_eq!(ask(&app, "/get", Some(&new)).await.body, "Some(42)");
    assert_eq!(ask(&app, "/get", Some(&old)).await.body, "None");
    assert_eq!(records(&backend).await, 1);
}

async fn a_flushed_session_is_gone_and_its_cookie_is_removed(backend: Arc<dyn Backend>) {
    let (app, _) = app(&backend);
    let cookie = begun(&app).await;
    let answer = ask(&app, "/flush", Some(&cookie)).await;
    assert_eq!(
        (answer.status, answer.cookie.as_deref()),
        (StatusCode::OK, Some(""))
    );
    assert_eq!(records(&backend).await, 0);
    assert_eq!(ask(&app, "/get", Some(&cookie)).await.body, "None");
}

async fn what_is_inserted_after_a_flush_is_a_session_under_an_id_that_nobody_knew(
    backend: Arc<dyn Backend>,
) {
    let (app, _) = app(&backend);
    let cookie = begun(&app).await;
    let answer = ask(&app, "/flush-and-login", Some(&cookie)).await;
    let fresh = answer.cookie.unwrap();
    assert_ne!(fresh, cookie);
    assert_eq!(records(&backend).await, 1);
    assert_eq!(ask(&app, "/user", Some(&fresh)).await.body, "Some(7)");
    assert_eq!(ask(&app, "/get", Some(&fresh)).await.body, "None");
    assert_eq!(ask(&app, "/user", Some(&cookie)).await.body, "None");
}

async fn a_planted_id_is_not_logged_in(backend: Arc<dyn Backend>) {
    let (app, _) = app(&backend);
    let planted = Id::default().to_string();
    let answer = ask(&app, "/flush-and-login", Some(&planted)).await;
    assert_ne!(answer.cookie.unwrap(), planted);
    assert_eq!(ask(&app, "/user", Some(&planted)).await.body, "None");
}

async fn a_save_that_outlives_the_logout_does_not_bring_the_session_back(
    backend: Arc<dyn Backend>,
) {
    let (app, gate) = app(&backend);
    let cookie = begun(&app).await;
    let logout = async {
        gate.wait().await;
        ask(&app, "/flush", Some(&cookie)).await;
        gate.wait().await;
    };
    let (late, ()) = tokio::join!(ask(&app, "/slow", Some(&cookie)), logout);
    assert_eq!(late.status, StatusCode::OK);
    assert_eq!(records(&backend).await, 0);
    assert_eq!(ask(&app, "/get", Some(&cookie)).await.body, "None");
}

/// The crate's own: it creates a record then, as for any new session.
async fn an_id_that_is_cycled_after_the_logout_does_bring_the_session_back(
    backend: Arc<dyn Backend>,
) {
    let (app, gate) = app(&backend);
    let cookie = begun(&app).await;
    let logout = async {
        gate.wait().await;
        ask(&app, "/flush", Some(&cookie)).await;
        gate.wait().await;
    };
    let (late, ()) = tokio::join!(ask(&app, "/slow-cycle", Some(&cookie)), logout);
    let fresh = late.cookie.unwrap();
    assert_eq!(ask(&app, "/get", Some(&fresh)).await.body, "Some(42)");
    assert_eq!(ask(&app, "/get", Some(&cookie)).await.body, "None");
}

/// The crate's own: it saves over a record that it hasn't looked for.
async fn what_follows_a_clear_is_lost_unless_something_looked_for_the_record(
    backend: Arc<dyn Backend>,
) {
    let (app, _) = app(&backend);
    let gone = Id::default().to_string();
    for (path, expected) in [
        ("/clear-and-login", "None"),
        ("/load-clear-and-login", "None"),
        ("/get-clear-and-login", "Some(7)"),
        ("/cycle-clear-and-login", "Some(7)"),
        ("/flush-and-login", "Some(7)"),
    ] {
        let answer = ask(&app, path, Some(&gone)).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        let cookie = answer.cookie.unwrap();
        let user = ask(&app, "/user", Some(&cookie)).await.body;
        assert_eq!(user, expected, "{path}");
    }
    // With a live record it is stored.
    let cookie = begun(&app).await;
    ask(&app, "/clear-and-login", Some(&cookie)).await;
    assert_eq!(ask(&app, "/user", Some(&cookie)).await.body, "Some(7)");
    assert_eq!(ask(&app, "/get", Some(&cookie)).await.body, "None");
}

async fn parallel_requests_all_succeed_and_leave_one_record(backend: Arc<dyn Backend>) {
    let (app, _) = app(&backend);
    let cookie = begun(&app).await;
    let requests = (0..32).map(|n| {
        let (app, cookie) = (app.clone(), cookie.clone());
        tokio::spawn(async move { ask(&app, &format!("/n{n}"), Some(&cookie)).await })
    });
    for answer in join_all(requests).await {
        let answer = answer.unwrap();
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.cookie.as_deref(), Some(cookie.as_str()));
    }
    assert_eq!(records(&backend).await, 1);
    assert_eq!(ask(&app, "/get", Some(&cookie)).await.body, "Some(42)");
}

async fn a_session_ends_at_its_date(backend: Arc<dyn Backend>) {
    let (app, _) = app(&backend);
    let cookie = ask(&app, "/for-a-second", None).await.cookie.unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while ask(&app, "/get", Some(&cookie)).await.body != "None" {
        assert!(std::time::Instant::now() < deadline, "it never ends");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    while records(&backend).await > 0 {
        assert!(std::time::Instant::now() < deadline, "it stays");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn a_session_that_has_ended_starts_anew_under_another_id(backend: Arc<dyn Backend>) {
    let (app, _) = app(&backend);
    let old = begun(&app).await;
    assert_eq!(backend.clear_prefix("tower-sessions:").await.unwrap(), 1);
    let answer = ask(&app, "/insert", Some(&old)).await;
    assert_ne!(answer.cookie.unwrap(), old);
    assert_eq!(ask(&app, "/get", Some(&old)).await.body, "None");
}

async fn a_created_record_gets_an_id_of_its_own(backend: Arc<dyn Backend>) {
    let store = TowerSessions::new(backend);
    let mut first = record(json!({"n": 1}), in_an_hour());
    let mut second = Record {
        data: record(json!({"n": 2}), in_an_hour()).data,
        ..first.clone()
    };
    let known = first.id;
    store.create(&mut first).await.unwrap();
    store.create(&mut second).await.unwrap();
    assert!(first.id != known && second.id != known && first.id != second.id);
    assert_eq!(store.load(&known).await.unwrap(), None);
    assert_eq!(store.load(&first.id).await.unwrap(), Some(first));
    assert_eq!(store.load(&second.id).await.unwrap(), Some(second));
}

async fn a_save_stores_only_over_a_record_that_is_there(backend: Arc<dyn Backend>) {
    let store = TowerSessions::new(backend);
    let mut record = record(json!({"n": 1}), in_an_hour());
    store.save(&record).await.unwrap();
    assert_eq!(store.load(&record.id).await.unwrap(), None);
    store.create(&mut record).await.unwrap();
    record.data.insert("n".to_string(), json!(2));
    store.save(&record).await.unwrap();
    assert_eq!(store.load(&record.id).await.unwrap(), Some(record.clone()));
    store.delete(&record.id).await.unwrap();
    store.delete(&record.id).await.unwrap();
    store.save(&record).await.unwrap();
    assert_eq!(store.load(&record.id).await.unwrap(), None);
}

/// A cache like those of the crate: it stores all records that it is given.
#[derive(Debug, Clone, Default)]
struct Cache(Arc<Mutex<HashMap<Id, Record>>>);

#[async_trait]
impl SessionStore for Cache {
    async fn create(&self, record: &mut Record) -> Result<(), Error> {
        self.save(record).await
    }

    async fn save(&self, record: &Record) -> Result<(), Error> {
        self.0.lock().unwrap().insert(record.id, record.clone());
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>, Error> {
        Ok(self.0.lock().unwrap().get(id).cloned())
    }

    async fn delete(&self, id: &Id) -> Result<(), Error> {
        self.0.lock().unwrap().remove(id);
        Ok(())
    }
}

async fn behind_a_cache_it_has_the_records_that_the_cache_has(backend: Arc<dyn Backend>) {
    let behind = TowerSessions::new(backend);
    let cache = Cache::default();
    let store = CachingSessionStore::new(cache.clone(), behind.clone());
    let mut record = record(json!({"n": 1}), in_an_hour());
    store.create(&mut record).await.unwrap();
    let expected = Some(record.clone());
    assert_eq!(behind.load(&record.id).await.unwrap(), expected);
    assert_eq!(cache.load(&record.id).await.unwrap(), expected);
    cache.delete(&record.id).await.unwrap();
    assert_eq!(store.load(&record.id).await.unwrap(), expected);
    store.delete(&record.id).await.unwrap();
    assert_eq!(store.load(&record.id).await.unwrap(), None);
    assert_eq!(behind.load(&record.id).await.unwrap(), None);
}

async fn every_json_value_survives(backend: Arc<dyn Backend>) {
    let store = TowerSessions::new(backend);
    let deep = (0..60).fold(json!(1), |inner, _| json!([{"in": inner}]));
    let data = json!({
        "null": null, "bools": [true, false], "text": "é\u{0}\"", "": {"": []},
        "integers": [0, -1, i64::MIN, i64::MAX, u64::MAX],
        "floats": [0.0, -0.0, 0.1, 1.0, 1e300, f64::MIN_POSITIVE, 5e-324, 16777217.0],
        "bytes": [1, 2, 3, 255], "deep": deep,
    });
    let mut record = record(data, in_an_hour());
    store.create(&mut record).await.unwrap();
    let loaded = store.load(&record.id).await.unwrap().unwrap();
    assert_eq!(loaded, record);
    assert!(
        loaded.data["floats"][1]
            .as_f64()
            .unwrap()
            .is_sign_negative()
    );
    let too_deep = (0..1000).fold(json!(1), |inner, _| json!([inner]));
    record.data.insert("deep".to_string(), too_deep);
    let error = store.save(&record).await.unwrap_err();
    assert!(matches!(error, Error::Encode(_)), "{error}");
    assert_eq!(store.load(&record.id).await.unwrap(), Some(loaded));
}

async fn the_expiry_date_is_kept_exactly_and_ends_the_entry(backend: Arc<dyn Backend>) {
    let store = TowerSessions::new(backend.clone());
    let offset = UtcOffset::from_hms(5, 45, 13).unwrap();
    let date = in_an_hour().replace_nanosecond(123_456_789).unwrap();
    let mut record = record(json!({}), date.to_offset(offset));
    store.create(&mut record).await.unwrap();
    let loaded = store.load(&record.id).await.unwrap().unwrap();
    assert_eq!(loaded.expiry_date, record.expiry_date);
    assert_eq!(loaded.expiry_date.nanosecond(), 123_456_789);
    assert_eq!(loaded.expiry_date.offset(), offset);
    let key = only_key(&backend).await;
    let left = async || match backend.ttl(&key).await.unwrap() {
        Some(Left::In(left)) => left,
        other => panic!("{other:?}"),
    };
    let minutes = left().await.as_secs().div_ceil(60);
    assert!((55..=60).contains(&minutes), "{minutes}");
    record.expiry_date += Span::hours(1);
    store.save(&record).await.unwrap();
    let minutes = left().await.as_secs().div_ceil(60);
    assert!((115..=120).contains(&minutes), "{minutes}");
    record.expiry_date = OffsetDateTime::new_utc(time::Date::MAX, time::Time::MIDNIGHT);
    store.save(&record).await.unwrap();
    assert!(left().await <= MAX_TTL);
    let loaded = store.load(&record.id).await.unwrap();
    assert_eq!(loaded, Some(record));
}

async fn a_record_that_has_expired_is_not_stored_and_is_removed(backend: Arc<dyn Backend>) {
    let store = TowerSessions::new(backend.clone());
    let past = OffsetDateTime::now_utc() - Span::seconds(1);
    let mut old = record(json!({}), past);
    store.create(&mut old).await.unwrap();
    assert_eq!(records(&backend).await, 0);
    let mut now_old = record(json!({}), in_an_hour());
    store.create(&mut now_old).await.unwrap();
    now_old.expiry_date = OffsetDateTime::UNIX_EPOCH - Span::days(1);
    store.save(&now_old).await.unwrap();
    assert_eq!(records(&backend).await, 0);
    // A backend whose clock is behind still has it.
    #[derive(Serialize)]
    struct Stored<'a> {
        data: &'a HashMap<String, Value>,
        expiry_date: OffsetDateTime,
    }
    let mut outdated = record(json!({}), in_an_hour());
    store.create(&mut outdated).await.unwrap();
    let key = only_key(&backend).await;
    for (expiry_date, is_there) in [(outdated.expiry_date, true), (past, false)] {
        let data = &outdated.data;
        let stored = Stored { data, expiry_date };
        backend.set(&key, &stored, None).await.unwrap();
        assert_eq!(store.load(&outdated.id).await.unwrap().is_some(), is_there);
    }
}

async fn what_is_no_record_is_a_decode_error(backend: Arc<dyn Backend>) {
    let store = TowerSessions::new(backend.clone());
    let mut record = record(json!({}), in_an_hour());
    store.create(&mut record).await.unwrap();
    let key = only_key(&backend).await;
    backend.set(&key, "secret", None).await.unwrap();
    let error = store.load(&record.id).await.unwrap_err();
    assert!(matches!(error, Error::Decode(_)), "{error}");
    assert!(!format!("{error:?}").contains("secret"));
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_after_inactivity_and_use_prolongs_it() {
    let store = TowerSessions::new(MemoryBackend::new());
    let layer = SessionManagerLayer::new(store).with_expiry(hour().unwrap());
    let gate = Arc::new(Barrier::new(2));
    let app = service(layer.with_always_save(true), &gate);
    let cookie = begun(&app).await;
    for _ in 0..5 {
        tokio::time::advance(Duration::from_secs(50 * 60)).await;
        assert_eq!(ask(&app, "/get", Some(&cookie)).await.body, "Some(42)");
    }
    tokio::time::advance(Duration::from_secs(61 * 60)).await;
    assert_eq!(ask(&app, "/get", Some(&cookie)).await.body, "None");
    // Time that was skipped doesn't hurt sessions that begin after it.
    let cookie = begun(&app).await;
    assert_eq!(ask(&app, "/get", Some(&cookie)).await.body, "Some(42)");
}

#[tokio::test]
async fn a_store_that_is_down_is_an_error_and_no_empty_session() {
    let mut server = Server::start();
    let backend: Arc<dyn Backend> = Arc::new(server.connect().await);
    let store = TowerSessions::new(backend);
    let mut record = record(json!({}), in_an_hour());
    store.create(&mut record).await.unwrap();
    server.kill();
    let error = store.load(&record.id).await.unwrap_err();
    assert!(matches!(error, Error::Backend(_)), "{error}");
    assert!(store.delete(&record.id).await.is_err());
}

#[test]
fn another_prefix_is_another_store_and_a_bad_one_is_refused() {
    let backend = MemoryBackend::new();
    let one = TowerSessions::with_prefix(&backend, "one").unwrap();
    assert!(format!("{one:?}").contains("one"));
    let error = TowerSessions::with_prefix(&backend, "a:b").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
}
