//! The speed of the Redis backend beside redis-rs on the same private server: rows R1 to R3, R5 and
//! R7 of the goals.
//!
//! `cargo bench -p reinhardt-backends-tests --bench redis -- [ROUNDS] [get] [save] [increment]
//! [many] [clear] [tls]`

use std::future::Future;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fred::prelude::{ClientLike, KeysInterface, LuaInterface};
use futures::future::join_all;
use redis::aio::{ConnectionLike, ConnectionManager, MultiplexedConnection};
use redis::io::tcp::TcpSettings;
use redis::{AsyncConnectionConfig, Client, RedisConnectionInfo, Script, cmd};
use reinhardt_backends::codec::{Cbor, Codec};
use reinhardt_backends::{Backend, Keyspace, RedisBackend, Tls};
use reinhardt_backends_tests::measure::Bound::{AtLeast, AtMost};
use reinhardt_backends_tests::measure::{Cases, Measured, Report, Run, Sweep, Table, Unit};
use reinhardt_backends_tests::{Authority, Server};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsConnector;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct Session {
    #[keyspace(key)]
    id: String,
    user: u64,
    roles: Vec<String>,
    seen: u64,
}

#[derive(Keyspace)]
#[keyspace(prefix = "rate", ttl = "60s", counter)]
struct Rate {
    client: usize,
}

fn main() {
    let Some(run) = Run::from_arguments(7) else {
        return;
    };
    let mut report = Report::new("redis");
    for workers in [1, 2] {
        let bench = Bench::new(workers);
        for (name, what) in [
            ("get", "R1: get"),
            ("save", "R2: save"),
            ("increment", "R2: increment"),
        ] {
            if run.wants(name) {
                report.sweep(&bench.sweep(name, what, run.rounds()));
            }
        }
        if run.wants("many") {
            report.table(&bench.many(run.rounds()));
        }
        if run.wants("clear") && workers == 2 {
            report.table(&bench.clear(run.rounds()));
        }
    }
    if run.wants("tls") {
        for workers in [1, 2] {
            let bench = Bench::by_tls(workers);
            for (name, what) in [("get", "R7: get by TLS"), ("save", "R7: save by TLS")] {
                report.sweep(&bench.sweep(name, what, run.rounds()));
            }
        }
    }
    report.finish();
}

/// A server, a runtime, and a connection of every client.
struct Bench {
    server: Server,
    workers: usize,
    runtime: Runtime,
    ours: RedisBackend,
    default: MultiplexedConnection,
    nodelay: MultiplexedConnection,
    /// The clients that are measured without TLS alone.
    others: Option<(ConnectionManager, fred::clients::Client)>,
    keys: Arc<[String]>,
}

const OURS: &str = "ours, typed";
const DEFAULT: &str = "redis-rs";
const NODELAY: &str = "redis-rs, TCP_NODELAY";
const MANAGER: &str = "redis-rs ConnectionManager";
const FRED: &str = "fred";
const CEILING: &str = "redis-benchmark -P 16";
/// How many keys there are.
const KEYS: usize = 10_000;
const TASKS: [usize; 5] = [1, 16, 64, 256, 1024];
const MANY: usize = 100;
const CLEARED: usize = 100_000;

impl Bench {
    fn new(workers: usize) -> Self {
        let server = Server::on_tcp();
        let runtime = runtime(workers);
        let client = Client::open(server.url()).expect("a URL");
        let (ours, default, nodelay, manager, fred) = runtime.block_on(async {
            let config = AsyncConnectionConfig::new();
            let tcp = TcpSettings::default().set_nodelay(true);
            let nodelay = Client::open(client.get_connection_info().clone().set_tcp_settings(tcp));
            let nodelay = nodelay.expect("the same server");
            (
                RedisBackend::new(&server.url()).await.expect("the server"),
                client
                    .get_multiplexed_async_connection_with_config(&config)
                    .await
                    .expect("the server"),
                nodelay
                    .get_multiplexed_async_connection_with_config(&config)
                    .await
                    .expect("the server"),
                ConnectionManager::new(client.clone())
                    .await
                    .expect("the server"),
                fred_client(&server.url()).await,
            )
        });
        let others = Some((manager, fred));
        Self::on(server, workers, runtime, ours, [default, nodelay], others)
    }

    fn by_tls(workers: usize) -> Self {
        let authority = Authority::new();
        let certificate = authority.certify(&["127.0.0.1"]);
        let server = Server::on_tls(&authority, &certificate, &[]);
        let runtime = runtime(workers);
        let (ours, default, nodelay) = runtime.block_on(async {
            let tls = Tls::ca_pem(authority.pem()).expect("a certificate");
            let ours = RedisBackend::builder().url(&server.url()).tls(tls);
            (
                ours.build().await.expect("the server"),
                raw_by_tls(&server, &authority, false).await,
                raw_by_tls(&server, &authority, true).await,
            )
        });
        Self::on(server, workers, runtime, ours, [default, nodelay], None)
    }

    /// Stores what is read.
    fn on(
        server: Server,
        workers: usize,
        runtime: Runtime,
        ours: RedisBackend,
        [default, nodelay]: [MultiplexedConnection; 2],
        others: Option<(ConnectionManager, fred::clients::Client)>,
    ) -> Self {
        let sessions: Vec<Session> = (0..KEYS).map(session).collect();
        let saved = Session::save_many(&ours, &sessions);
        runtime.block_on(saved).expect("the server takes them");
        Self {
            server,
            workers,
            runtime,
            ours,
            default,
            nodelay,
            others,
            keys: (0..KEYS)
                .map(|index| format!("reinhardt:{}", Session::key(id(index))))
                .collect(),
        }
    }

    /// Measures one operation with so many tasks at once, all clients in turn.
    fn sweep(&self, name: &str, what: &str, rounds: usize) -> Sweep {
        let title = format!("{what}, {}", self.threads());
        let mut sweep = Sweep::new(&title, Unit::Rate).ratios_to(DEFAULT);
        for tasks in TASKS {
            let mut cases = Cases::new();
            cases.case(OURS, || self.typed(name, tasks));
            cases.case(DEFAULT, || self.raw(name, tasks, &self.default));
            cases.case(NODELAY, || self.raw(name, tasks, &self.nodelay));
            if let Some((manager, fred)) = &self.others {
                cases.case(MANAGER, || self.raw(name, tasks, manager));
                cases.case(FRED, || self.fred(name, tasks, fred));
            }
            let is_plain = self.others.is_some();
            if is_plain && name == "get" && self.workers == 2 {
                cases.case(CEILING, || self.ceiling());
            }
            let measured = cases.measure(rounds);
            sweep.point(tasks, measured);
            let least = match (name, tasks) {
                (_, 256) if !is_plain => 3.0,
                ("get", 64) if is_plain => 1.3,
                ("get", 256) => 2.0,
                (_, 256) => 1.2,
                _ => 0.95,
            };
            for raw in [DEFAULT, NODELAY] {
                sweep.goal(tasks, OURS, AtLeast(least), raw);
            }
            if is_plain && name == "get" && self.workers == 2 && tasks == 256 {
                sweep.goal(tasks, OURS, AtLeast(0.45), CEILING);
            }
        }
        sweep
    }

    fn threads(&self) -> String {
        match self.workers {
            1 => "one worker thread".to_string(),
            workers => format!("{workers} worker threads"),
        }
    }

    fn typed(&self, name: &str, tasks: usize) -> f64 {
        let backend = self.ours.clone();
        match name {
            "get" => self.rate(tasks, move |index| {
                let backend = backend.clone();
                async move {
                    let session = Session::get(&backend, id(index)).await;
                    assert!(session.expect("an answer").is_some());
                }
            }),
            "save" => self.rate(tasks, move |index| {
                let backend = backend.clone();
                async move { session(index).save(&backend).await.expect("an answer") }
            }),
            _ => self.rate(tasks, move |index| {
                let backend = backend.clone();
                async move {
                    let rate = Rate { client: index };
                    rate.increment(&backend).await.expect("an answer");
                }
            }),
        }
    }

    fn raw<C>(&self, name: &str, tasks: usize, connection: &C) -> f64
    where
        C: ConnectionLike + Clone + Send + Sync + 'static,
    {
        let (connection, keys) = (connection.clone(), self.keys.clone());
        match name {
            "get" => self.rate(tasks, move |index| {
                let (mut connection, keys) = (connection.clone(), keys.clone());
                async move {
                    let mut get = cmd("GET");
                    let bytes = get
                        .arg(&keys[index])
                        .query_async::<Vec<u8>>(&mut connection);
                    let bytes = bytes.await.expect("an answer");
                    let _: Session = Cbor::decode(&bytes).expect("a session");
                }
            }),
            "save" => self.rate(tasks, move |index| {
                let (mut connection, keys) = (connection.clone(), keys.clone());
                async move {
                    let bytes = Cbor::encode(&session(index)).expect("bytes");
                    let mut set = cmd("SET");
                    set.arg(&keys[index]).arg(bytes).arg("PX").arg(1_800_000);
                    let done = set.query_async::<()>(&mut connection);
                    done.await.expect("an answer");
                }
            }),
            _ => {
                let window = Arc::new(Script::new(WINDOW));
                self.rate(tasks, move |index| {
                    let (mut connection, window) = (connection.clone(), window.clone());
                    async move {
                        let mut script = window.key(format!("raw:{index}"));
                        let script = script.arg(60_000);
                        let count = script.invoke_async::<i64>(&mut connection);
                        count.await.expect("an answer");
                    }
                })
            }
        }
    }

    fn fred(&self, name: &str, tasks: usize, client: &fred::clients::Client) -> f64 {
        let (client, keys) = (client.clone(), self.keys.clone());
        match name {
            "get" => self.rate(tasks, move |index| {
                let (client, keys) = (client.clone(), keys.clone());
                async move {
                    let bytes: bytes::Bytes = client.get(&keys[index]).await.expect("an answer");
                    let _: Session = Cbor::decode(&bytes).expect("a session");
                }
            }),
            "save" => self.rate(tasks, move |index| {
                let (client, keys) = (client.clone(), keys.clone());
                async move {
                    let bytes = Cbor::encode(&session(index)).expect("bytes");
                    let ends = Some(fred::types::Expiration::PX(1_800_000));
                    let bytes = bytes.as_slice();
                    let set = client.set::<(), _, _>(&keys[index], bytes, ends, None, false);
                    set.await.expect("an answer");
                }
            }),
            _ => {
                let hash: Arc<str> = Script::new(WINDOW).get_hash().into();
                let load = client.script_load::<String, _>(WINDOW);
                self.runtime.block_on(load).expect("an answer");
                self.rate(tasks, move |index| {
                    let (client, hash) = (client.clone(), hash.clone());
                    async move {
                        let key = format!("fred:{index}");
                        let count = client.evalsha::<i64, _, _, _>(&*hash, key, 60_000);
                        count.await.expect("an answer");
                    }
                })
            }
        }
    }

    /// Returns how many operations a second so many tasks do.
    fn rate<F>(&self, tasks: usize, operation: impl Fn(usize) -> F + Clone + Send + 'static) -> f64
    where
        F: Future<Output = ()> + Send,
    {
        let each = (OPERATIONS / tasks).clamp(4, 3_000);
        let begun = Instant::now();
        let work = (0..tasks).map(|task| {
            let operation = operation.clone();
            self.runtime.spawn(async move {
                for round in 0..each {
                    operation((task * 7919 + round * 31) % KEYS).await;
                }
            })
        });
        for ended in self.runtime.block_on(join_all(work)) {
            ended.expect("no task panics");
        }
        (tasks * each) as f64 / begun.elapsed().as_secs_f64()
    }

    /// Returns how many `GET`s a second the server's own benchmark reaches with 50 connections of
    /// 16 in flight.
    fn ceiling(&self) -> f64 {
        let port = self.server.port().to_string();
        let run = [
            "-p", &port, "-c", "50", "-P", "16", "-n", "400000", "-q", "--csv",
        ];
        let key = self.keys[0].as_str();
        let output = Command::new("redis-benchmark")
            .args(run)
            .args(["GET", key])
            .output();
        let output = output.expect("redis-benchmark is on PATH").stdout;
        let text = String::from_utf8_lossy(&output);
        // "test","rps",.. and a line of numbers in quotation marks.
        let line = text.lines().last().expect("a result");
        let rate = line
            .rsplit("GET")
            .next()
            .and_then(|rest| rest.split('"').nth(2));
        rate.and_then(|rate| rate.parse().ok()).expect("a number")
    }

    /// R3: a hundred keys at once.
    fn many(&self, rounds: usize) -> Table {
        let ids: Vec<String> = (0..MANY).map(id).collect();
        let mut cases = Cases::new();
        let timed = |times: usize, begun: Instant| begun.elapsed().as_nanos() as f64 / times as f64;
        cases.case("get_many", || {
            self.runtime.block_on(async {
                let begun = Instant::now();
                for _ in 0..500 {
                    let all = Session::get_many(&self.ours, &ids)
                        .await
                        .expect("an answer");
                    assert!(all.iter().all(Option::is_some));
                }
                timed(500, begun)
            })
        });
        cases.case("MGET + decode", || {
            self.runtime.block_on(async {
                let mut connection = self.default.clone();
                let begun = Instant::now();
                for _ in 0..500 {
                    let mut mget = cmd("MGET");
                    let all = mget
                        .arg(&self.keys[..MANY])
                        .query_async::<Vec<Vec<u8>>>(&mut connection);
                    for bytes in all.await.expect("an answer") {
                        let _: Session = Cbor::decode(&bytes).expect("a session");
                    }
                }
                timed(500, begun)
            })
        });
        let title = format!("R3: get_many of {MANY}, {}", self.threads());
        Table::new(&title, Unit::Time, cases.measure(rounds))
            .ratios_to("MGET + decode")
            .goal("MGET + decode", AtLeast(0.9), "get_many")
    }

    /// R5: what a `PING` by another connection waits for at most while many keys are cleared.
    fn clear(&self, rounds: usize) -> Table {
        let mut slowest = Vec::new();
        for _ in 0..rounds {
            let (backend, mut other) = (self.ours.clone(), self.default.clone());
            slowest.push(self.runtime.block_on(async move {
                let entries: Vec<(String, u64)> =
                    (0..CLEARED).map(|i| (format!("clear:{i}"), 1)).collect();
                let entries: Vec<(&str, u64)> =
                    entries.iter().map(|(k, v)| (k.as_str(), *v)).collect();
                backend.set_many(&entries, None).await.expect("an answer");
                let clearing = tokio::spawn(async move { backend.clear_prefix("clear:").await });
                let mut slowest = Duration::ZERO;
                while !clearing.is_finished() {
                    let begun = Instant::now();
                    let ping = cmd("PING");
                    ping.exec_async(&mut other).await.expect("an answer");
                    slowest = slowest.max(begun.elapsed());
                }
                let cleared = clearing.await.expect("no panic").expect("an answer");
                assert_eq!(cleared as usize, CLEARED);
                slowest.as_nanos() as f64
            }));
        }
        let mut measured = Measured::default();
        measured.add(PING, slowest);
        Table::new(
            "R5: the slowest PING while 100,000 keys are cleared",
            Unit::Time,
            measured,
        )
        .limit(PING, AtMost(10e6))
    }
}

const PING: &str = "slowest PING";
/// How many operations a round is, at most: long enough that starting the tasks doesn't matter.
const OPERATIONS: usize = 200_000;
const WINDOW: &str = "local n = redis.call('INCRBY', KEYS[1], 1) \
    if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end return n";

fn runtime(workers: usize) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(workers).enable_all().build();
    runtime.expect("a runtime")
}

/// Connects redis-rs over rustls, as its feature `tokio-rustls-comp` does. The feature itself would
/// be turned on for the library too, which has no TLS of that crate.
async fn raw_by_tls(
    server: &Server,
    authority: &Authority,
    nodelay: bool,
) -> MultiplexedConnection {
    let provider = rustls::crypto::ring::default_provider();
    let config = rustls::ClientConfig::builder_with_provider(provider.into());
    let config = config.with_safe_default_protocol_versions();
    let mut roots = rustls::RootCertStore::empty();
    let authority = authority.pem();
    let authority = CertificateDer::from_pem_slice(authority.as_bytes());
    let added = roots.add(authority.expect("a certificate"));
    added.expect("a certificate");
    let config = config.expect("a provider").with_root_certificates(roots);
    let connector = TlsConnector::from(Arc::new(config.with_no_client_auth()));
    let socket = TcpStream::connect(("127.0.0.1", server.port())).await;
    let socket = socket.expect("the server");
    socket.set_nodelay(nodelay).expect("a socket");
    let name = ServerName::try_from("127.0.0.1").expect("an address");
    let socket = connector.connect(name, socket).await.expect("the server");
    let settings = RedisConnectionInfo::default();
    let config = AsyncConnectionConfig::new();
    let connected = MultiplexedConnection::new_with_config(&settings, socket, config).await;
    let (connection, driver) = connected.expect("the server");
    tokio::spawn(driver);
    connection
}

async fn fred_client(url: &str) -> fred::clients::Client {
    let config = fred::types::config::Config::from_url(url).expect("a URL");
    let client = fred::types::Builder::from_config(config).build();
    let client = client.expect("settings");
    client.init().await.expect("the server");
    client
}

fn id(index: usize) -> String {
    format!("{index:016}")
}

fn session(index: usize) -> Session {
    Session {
        id: id(index),
        user: 1_000_000 + index as u64,
        roles: ["admin", "editor", "reader"].map(String::from).to_vec(),
        seen: 1_700_000_000,
    }
}
