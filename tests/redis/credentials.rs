//! Logins that a provider returns may change while a backend is in use.

use std::error::Error;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use futures::future::{join_all, pending};
use reinhardt_backends::{
    Backend, BackendError, Credentials, ErrorKind, RedisBackend, RedisBackendBuilder,
};
use reinhardt_backends_tests::{Answer, FakeServer, Server};
use tokio::time::sleep;

use super::{BRIEF, PATIENCE, builder, eventually, recovered, runtime, said};

const HOUR: Duration = Duration::from_secs(3600);

type Provided = Result<Credentials, Box<dyn Error + Send + Sync>>;

/// A source of credentials that a test changes, and that counts the calls of the provider.
#[derive(Clone, Default)]
struct Source(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// The credentials that the provider returns. The provider fails while none are set.
    credentials: Mutex<Option<Credentials>>,
    asked: AtomicUsize,
}

impl Source {
    fn new(credentials: Credentials) -> Self {
        let source = Self::default();
        source.returns(credentials);
        source
    }

    fn returns(&self, credentials: Credentials) {
        *self.0.credentials.lock().unwrap() = Some(credentials);
    }

    fn fails(&self) {
        *self.0.credentials.lock().unwrap() = None;
    }

    fn asked(&self) -> usize {
        self.0.asked.load(SeqCst)
    }

    /// Waits until it was asked so often.
    async fn was_asked(&self, count: usize) {
        eventually(async || self.asked() >= count).await;
    }

    fn answer(&self) -> Provided {
        self.0.asked.fetch_add(1, SeqCst);
        let credentials = self.0.credentials.lock().unwrap().clone();
        credentials.ok_or_else(|| "the vault says topsecret".into())
    }

    fn builder(&self, url: &str) -> RedisBackendBuilder {
        let source = self.clone();
        builder(url).credentials(move || {
            let source = source.clone();
            async move { source.answer() }
        })
    }
}

fn app(password: &str) -> Credentials {
    Credentials::new("app", password)
}

/// A server with a user `app` of these passwords.
fn server(passwords: &[&str]) -> Server {
    let server = Server::on_tcp();
    let passwords: String = passwords.iter().map(|word| format!(" >{word}")).collect();
    command(
        &server,
        &format!("ACL SETUSER app on{passwords} ~* &* +@all"),
    );
    server
}

fn command(server: &Server, line: &str) {
    let answer = server.command(line);
    assert!(!answer.starts_with('-'), "{line}: {answer}");
}

/// The connections of a user, by their ids.
fn connections(server: &Server, user: &str) -> Vec<String> {
    let clients = server.command("CLIENT LIST");
    let of_user = format!(" user={user} ");
    let ours = clients.lines().filter(|line| line.contains(&of_user));
    ours.map(|line| line.split(' ').next().unwrap().to_string())
        .collect()
}

/// Calls that go on until they are ended, and those of them that failed.
struct Load {
    is_over: Arc<AtomicBool>,
    calls: Vec<tokio::task::JoinHandle<Vec<BackendError>>>,
}

impl Load {
    fn start(backend: &RedisBackend) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let calls = (0..8).map(|index: u32| {
            let (backend, is_over) = (backend.clone(), is_over.clone());
            tokio::spawn(async move {
                let mut failed = Vec::new();
                while !is_over.load(SeqCst) {
                    let outcome = match index % 2 {
                        0 => backend.increment("hits", None).await.map(drop),
                        _ => backend.get::<i64>("hits").await.map(drop),
                    };
                    failed.extend(outcome.err());
                }
                failed
            })
        });
        Self {
            calls: calls.collect(),
            is_over,
        }
    }

    async fn end(self) -> Vec<BackendError> {
        self.is_over.store(true, SeqCst);
        let calls = join_all(self.calls).await;
        calls.into_iter().flat_map(Result::unwrap).collect()
    }
}

#[tokio::test]
async fn connections_log_in_with_what_the_provider_returns() {
    let server = server(&["pa55"]);
    command(&server, "CONFIG SET requirepass default-pa55");
    let port = server.port();
    for protocol in ["", "?protocol=2"] {
        for credentials in [app("pa55"), Credentials::password("default-pa55")] {
            let source = Source::new(credentials);
            let url = format!("redis://127.0.0.1:{port}/1{protocol}");
            let backend = source.builder(&url).build().await.unwrap();
            backend.set("k", 1, None).await.unwrap();
            assert_eq!(source.asked(), 1);
        }
    }
}

/// The call site of the documentation.
#[tokio::test]
async fn a_provider_is_a_closure_that_may_fail_by_any_error() {
    async fn token() -> std::io::Result<String> {
        Ok("pa55".to_string())
    }
    let server = server(&["pa55"]);
    let backend = builder(&server.url())
        .credentials(|| async {
            Ok(Credentials::new("app", token().await?).valid_for(Duration::from_secs(900)))
        })
        .client_name("shop-web")
        .build()
        .await
        .unwrap();
    backend.set("k", 1, None).await.unwrap();
    assert_eq!(connections(&server, "app").len(), 1);
}

#[tokio::test]
async fn a_client_of_redis_rs_goes_with_a_provider() {
    let server = server(&["pa55"]);
    let client = redis::Client::open(server.url()).unwrap();
    let source = Source::new(app("pa55"));
    let builder = source.builder("redis://nowhere").client(client);
    let backend = builder.build().await.unwrap();
    backend.set("k", 1, None).await.unwrap();
    assert_eq!(connections(&server, "app").len(), 1);
}

#[tokio::test]
async fn a_lazy_backend_asks_at_its_first_call() {
    let server = server(&["pa55"]);
    let source = Source::new(app("pa55"));
    let backend = source.builder(&server.url()).build_lazy().unwrap();
    sleep(Duration::from_millis(20)).await;
    assert_eq!(source.asked(), 0);
    backend.set("k", 1, None).await.unwrap();
    assert_eq!(source.asked(), 1);
}

#[tokio::test]
async fn credentials_that_hold_serve_every_attempt_and_others_one() {
    let server = server(&["pa55"]);
    for (credentials, expected) in [(app("pa55").valid_for(HOUR), 1), (app("pa55"), 4)] {
        let source = Source::new(credentials);
        let backend = source.builder(&server.url()).build().await.unwrap();
        for _ in 0..3 {
            command(&server, "CLIENT KILL USER app");
            recovered(&backend).await;
        }
        assert_eq!(source.asked(), expected);
    }
}

/// Both users have the same permissions, so that `CLIENT LIST` tells which user is logged in where.
#[tokio::test]
async fn a_living_connection_logs_in_again_before_its_credentials_end() {
    let server = server(&["pa55"]);
    command(&server, "ACL SETUSER other on >pa55 ~* &* +@all");
    for protocol in ["", "?protocol=2"] {
        let source = Source::new(app("pa55").valid_for(BRIEF));
        let url = format!("{}{protocol}", server.url());
        let backend = source.builder(&url).build().await.unwrap();
        source.returns(Credentials::new("other", "pa55").valid_for(HOUR));
        let before = connections(&server, "app");
        assert_eq!(before.len(), 1);
        eventually(async || connections(&server, "other") == before).await;
        assert_eq!(source.asked(), 2);
        backend.ping().await.unwrap();
        assert_eq!(connections(&server, "other"), before);
    }
}

#[tokio::test]
async fn a_server_without_a_password_takes_any_renewal() {
    let server = Server::on_tcp();
    let source = Source::new(Credentials::password("pa55").valid_for(BRIEF));
    let backend = source.builder(&server.url()).build().await.unwrap();
    let before = connections(&server, "default");
    let load = Load::start(&backend);
    source.was_asked(4).await;
    let failed = load.end().await;
    assert!(failed.is_empty(), "{}", failed[0]);
    let kept = connections(&server, "default");
    assert!(before.iter().any(|connection| kept.contains(connection)));
    backend.close().await;
}

/// Each password is valid together with the next one for a while, as where secrets are rotated.
#[tokio::test]
async fn passwords_that_overlap_fail_no_call_under_load() {
    let server = server(&["pa55-0"]);
    let life = Duration::from_millis(250);
    let source = Source::new(app("pa55-0").valid_for(life));
    let backend = source.builder(&server.url()).build().await.unwrap();
    let load = Load::start(&backend);
    for round in 1..=4 {
        command(&server, &format!("ACL SETUSER app >pa55-{round}"));
        source.returns(app(&format!("pa55-{round}")).valid_for(life));
        // The second question begins after the answer to the first one is in use.
        source.was_asked(source.asked() + 2).await;
        command(&server, &format!("ACL SETUSER app <pa55-{}", round - 1));
    }
    let failed = load.end().await;
    assert!(failed.is_empty(), "{}", failed[0]);
    assert_eq!(connections(&server, "app").len(), 1);
    let stats = server.command("INFO commandstats");
    let renewed = stats.lines().find(|line| line.starts_with("cmdstat_auth:"));
    let renewed = renewed.expect("connections log in again");
    assert!(
        renewed.contains("rejected_calls=0,failed_calls=0"),
        "{renewed}"
    );
}

#[tokio::test]
async fn a_replaced_password_is_asked_for_by_the_attempt_that_meets_it() {
    let server = server(&["old"]);
    let source = Source::new(app("old").valid_for(HOUR));
    let backend = source.builder(&server.url()).build().await.unwrap();
    command(&server, "ACL SETUSER app resetpass >new");
    source.returns(app("new").valid_for(HOUR));
    command(&server, "CLIENT KILL USER app");
    // A read may have been on its way.
    backend.get::<u8>("k").await.unwrap();
    backend.set("k", 1, None).await.unwrap();
    assert_eq!(source.asked(), 2);
    // All connections know it.
    command(&server, "CLIENT KILL USER app");
    backend.get::<u8>("k").await.unwrap();
    assert_eq!(source.asked(), 2);
}

#[tokio::test]
async fn a_password_that_the_provider_does_not_know_yet_is_denied_until_it_does() {
    let server = server(&["old"]);
    for credentials in [app("old").valid_for(HOUR), app("old")] {
        command(&server, "ACL SETUSER app resetpass >old");
        let source = Source::new(credentials);
        let backend = source.builder(&server.url()).build().await.unwrap();
        let load = Load::start(&backend);
        command(&server, "ACL SETUSER app resetpass >new");
        command(&server, "CLIENT KILL USER app");
        let begun = Instant::now();
        let before = source.asked();
        eventually(async || {
            let answer = backend.ping().await;
            answer.is_err_and(|error| error.kind() == ErrorKind::Denied)
        })
        .await;
        sleep(BRIEF).await;
        let asked = source.asked() - before;
        // Attempts with a refused login are 80 ms apart at least, and the first one asks too.
        let most = begun.elapsed().as_millis() / 80 + 2;
        assert!((2..=most).contains(&(asked as u128)), "{asked} of {most}");
        source.returns(app("new").valid_for(HOUR));
        recovered(&backend).await;
        let failed = load.end().await;
        for error in failed {
            let denied = matches!(error.kind(), ErrorKind::Denied | ErrorKind::Unavailable);
            assert!(denied, "{error}");
            assert!(!said(&error).contains("old"), "{error}");
        }
        assert_eq!(connections(&server, "app").len(), 1);
    }
}

#[tokio::test]
async fn a_user_who_was_removed_and_made_anew_is_served_again() {
    let server = server(&["pa55"]);
    let source = Source::new(app("pa55").valid_for(HOUR));
    let backend = source.builder(&server.url()).build().await.unwrap();
    command(&server, "ACL DELUSER app");
    eventually(async || {
        let answer = backend.ping().await;
        answer.is_err_and(|error| error.kind() == ErrorKind::Denied)
    })
    .await;
    command(&server, "ACL SETUSER app on >next ~* &* +@all");
    source.returns(app("next").valid_for(HOUR));
    recovered(&backend).await;
    assert_eq!(connections(&server, "app").len(), 1);
}

#[tokio::test]
async fn a_renewal_that_is_refused_fails_no_call_while_the_old_credentials_hold() {
    let server = server(&["pa55"]);
    let source = Source::new(app("pa55").valid_for(Duration::from_secs(3)));
    let backend = source.builder(&server.url()).build().await.unwrap();
    let before = connections(&server, "app");
    source.returns(app("not yet known").valid_for(HOUR));
    let load = Load::start(&backend);
    source.was_asked(3).await;
    command(&server, "ACL SETUSER app resetpass >next");
    source.returns(app("next").valid_for(HOUR));
    let asked = source.asked();
    source.was_asked(asked + 1).await;
    // After the end of the first ones.
    sleep(Duration::from_secs(1)).await;
    let failed = load.end().await;
    assert!(failed.is_empty(), "{}", failed[0]);
    assert_eq!(connections(&server, "app"), before);
}

#[tokio::test]
async fn a_question_of_a_renewal_that_never_ends_is_given_up_and_asked_again() {
    let server = server(&["pa55"]);
    let asked = Arc::new(AtomicUsize::new(0));
    let of_provider = asked.clone();
    let backend = builder(&server.url()).credentials(move || {
        let number = of_provider.fetch_add(1, SeqCst);
        async move {
            if number == 1 {
                pending::<()>().await;
            }
            Ok(app("pa55").valid_for(Duration::from_secs(5)))
        }
    });
    let backend = backend.connect_timeout(BRIEF).build().await.unwrap();
    let before = connections(&server, "app");
    eventually(async || asked.load(SeqCst) == 3).await;
    backend.ping().await.unwrap();
    assert_eq!(connections(&server, "app"), before);
}

#[tokio::test]
async fn a_provider_that_fails_fails_no_call_before_the_credentials_end() {
    let server = server(&["pa55"]);
    let life = Duration::from_millis(1500);
    let source = Source::new(app("pa55").valid_for(life));
    let backend = source.builder(&server.url()).build().await.unwrap();
    let begun = Instant::now();
    source.fails();
    let (mut asked, error) = loop {
        assert!(begun.elapsed() < PATIENCE, "they never end");
        let asked = source.asked();
        match backend.set("k", 1, None).await {
            Ok(()) => {}
            Err(error) => break (asked, error),
        }
    };
    assert!(begun.elapsed() + Duration::from_millis(100) > life);
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(!error.outcome_unknown());
    // 300 to 450 ms are left when the renewal begins, and questions are 80 ms apart at least.
    assert!((3..=8).contains(&asked), "{asked}");
    source.returns(app("pa55").valid_for(HOUR));
    recovered(&backend).await;
    asked = source.asked();
    command(&server, "CLIENT KILL USER app");
    backend.get::<u8>("k").await.unwrap();
    assert_eq!(source.asked(), asked);
}

/// A server that owes an answer is doubted, and there is no login to find out.
#[tokio::test]
async fn a_provider_that_fails_says_nothing_of_the_server() {
    let server = server(&["pa55"]);
    let source = Source::new(app("pa55"));
    let limit = Duration::from_secs(4);
    let backend = source.builder(&server.url()).call_timeout(limit);
    let backend = backend.build().await.unwrap();
    let before = connections(&server, "app");
    source.fails();
    server.pause();
    let (stored, ()) = tokio::join!(backend.set("k", 1, None), async {
        // The doubt begins after half the limit.
        source.was_asked(2).await;
        sleep(Duration::from_millis(50)).await;
        server.resume();
    });
    stored.unwrap();
    // The connection is still in use: another one can't be had.
    backend.set("k", 2, None).await.unwrap();
    assert_eq!(connections(&server, "app"), before);
}

#[test]
fn a_login_in_the_url_or_the_client_contradicts_a_provider() {
    let source = Source::new(app("pa55"));
    for url in [
        "redis://app:pa55@localhost",
        "redis://:pa55@localhost",
        "redis://app@localhost",
        "unix:///tmp/redis.sock?user=app&pass=pa55",
    ] {
        let client = redis::Client::open(url).unwrap();
        for builder in [source.builder(url), source.builder("").client(client)] {
            let error = builder.build_lazy().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{url}");
            assert!(error.to_string().contains("`credentials`"), "{error}");
            assert!(!said(&error).contains("pa55"));
        }
    }
    assert_eq!(source.asked(), 0);
}

#[tokio::test]
async fn no_debug_shows_what_a_provider_returned() {
    let server = server(&["topsecret"]);
    let source = Source::new(app("topsecret").valid_for(HOUR));
    let builder = source.builder(&server.url());
    let backend = builder.clone().build().await.unwrap();
    let shown = format!("{builder:?} {backend:?} {:?}", app("topsecret"));
    assert!(!shown.contains("topsecret"), "{shown}");
}

#[test]
fn all_runtimes_ask_once() {
    let server = server(&["pa55"]);
    let (asked, asking) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let life = Duration::from_secs(1);
    let provider = {
        let (asked, asking) = (asked.clone(), asking.clone());
        move || {
            let (asked, asking) = (asked.clone(), asking.clone());
            async move {
                asked.fetch_add(1, SeqCst);
                assert_eq!(asking.fetch_add(1, SeqCst), 0, "two questions at once");
                sleep(Duration::from_millis(50)).await;
                asking.fetch_sub(1, SeqCst);
                Ok(app("pa55").valid_for(life))
            }
        }
    };
    let backend = builder(&server.url()).credentials(provider);
    let backend = backend.build_lazy().unwrap();
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                runtime().block_on(async {
                    // Beyond the second renewal.
                    while begun.elapsed() < life * 2 {
                        backend.increment("hits", None).await.unwrap();
                        sleep(Duration::from_millis(5)).await;
                    }
                });
            });
        }
    });
    let asked = asked.load(SeqCst);
    assert!((3..=5).contains(&asked), "{asked}");
}

/// A provider whose first question never ends, and whether that was begun.
fn stuck_at_first(
    how: impl Fn() + Clone + Send + Sync + 'static,
) -> (Arc<AtomicUsize>, impl Fn(&str) -> RedisBackendBuilder) {
    let asked = Arc::new(AtomicUsize::new(0));
    let of_provider = asked.clone();
    let with_provider = move |url: &str| {
        let (asked, how) = (of_provider.clone(), how.clone());
        builder(url).credentials(move || {
            let (asked, how) = (asked.clone(), how.clone());
            async move {
                if asked.fetch_add(1, SeqCst) == 0 {
                    how();
                    pending::<()>().await;
                }
                Ok(app("pa55").valid_for(HOUR))
            }
        })
    };
    (asked, with_provider)
}

#[test]
fn a_runtime_that_ends_with_a_question_holds_up_no_other() {
    let server = server(&["pa55"]);
    let (asked, with_provider) = stuck_at_first(|| {});
    let backend = with_provider(&server.url()).build_lazy().unwrap();
    let other = runtime();
    thread::scope(|scope| {
        let waits = scope.spawn(|| {
            while asked.load(SeqCst) == 0 {
                thread::yield_now();
            }
            other.block_on(backend.ping())
        });
        let ends = runtime();
        ends.block_on(async {
            let _ = tokio::time::timeout(Duration::from_millis(100), backend.ping()).await;
        });
        drop(ends);
        waits.join().unwrap().unwrap();
    });
    assert_eq!(asked.load(SeqCst), 2);
}

#[test]
fn a_runtime_that_stands_still_with_a_question_holds_up_others_for_half_a_second() {
    let server = server(&["pa55"]);
    let may_go = Arc::new(AtomicBool::new(false));
    let (asked, with_provider) = stuck_at_first({
        let may_go = may_go.clone();
        move || {
            // Blocks the only thread of the runtime.
            while !may_go.load(SeqCst) {
                thread::yield_now();
            }
        }
    });
    let backend = with_provider(&server.url()).build_lazy().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| runtime().block_on(backend.ping()));
        while asked.load(SeqCst) == 0 {
            thread::yield_now();
        }
        let begun = Instant::now();
        let answer = runtime().block_on(backend.ping());
        let waited = begun.elapsed();
        may_go.store(true, SeqCst);
        answer.unwrap();
        assert!(waited > Duration::from_millis(400), "{waited:?}");
        assert!(waited < PATIENCE / 2, "{waited:?}");
    });
    assert_eq!(asked.load(SeqCst), 2);
}

/// A provider that takes its time isn't asked by another runtime as well.
#[test]
fn a_question_that_takes_long_is_waited_for_in_all_runtimes() {
    let server = server(&["pa55"]);
    let asked = Arc::new(AtomicUsize::new(0));
    let of_provider = asked.clone();
    let backend = builder(&server.url()).credentials(move || {
        of_provider.fetch_add(1, SeqCst);
        async {
            sleep(Duration::from_millis(1500)).await;
            Ok(app("pa55").valid_for(HOUR))
        }
    });
    let backend = backend.build_lazy().unwrap();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| runtime().block_on(backend.ping()).unwrap());
        }
    });
    assert_eq!(asked.load(SeqCst), 1);
}

#[tokio::test]
async fn a_connection_that_is_logged_out_is_replaced() {
    let fake = FakeServer::start(|connection, command| {
        (connection == 0 && command[0] == "GET")
            .then(|| Answer::line("-NOAUTH Authentication required."))
    });
    let source = Source::new(app("pa55"));
    let backend = source.builder(&fake.url()).build().await.unwrap();
    let error = backend.get::<u8>("k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert_eq!(backend.get::<u8>("k").await.unwrap(), None);
    assert_eq!((source.asked(), fake.connections()), (2, 2));
}

/// The state that the closure owns is gone with the last clone of the backend: no task holds it.
#[tokio::test]
async fn nothing_outlives_the_backend() {
    let server = server(&["pa55"]);
    let source = Source::new(app("pa55").valid_for(HOUR));
    let backend = source.builder(&server.url()).build().await.unwrap();
    let clone = backend.clone();
    clone.ping().await.unwrap();
    drop((backend, clone));
    eventually(async || Arc::strong_count(&source.0) == 1).await;
    eventually(async || connections(&server, "app").is_empty()).await;

    // The same while a question of a renewal never ends.
    let (asked, held) = (Arc::new(AtomicUsize::new(0)), Arc::new(()));
    let (count, of_provider) = (asked.clone(), held.clone());
    let backend = builder(&server.url()).credentials(move || {
        let (is_first, held) = (count.fetch_add(1, SeqCst) == 0, of_provider.clone());
        async move {
            if !is_first {
                pending::<()>().await;
            }
            drop(held);
            Ok(app("pa55").valid_for(BRIEF))
        }
    });
    let backend = backend.build().await.unwrap();
    eventually(async || asked.load(SeqCst) == 2).await;
    drop(backend);
    let begun = Instant::now();
    eventually(async || Arc::strong_count(&held) == 1).await;
    assert!(begun.elapsed() < PATIENCE / 2);
}
