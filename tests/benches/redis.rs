//! The speed of the Redis backend beside redis-rs on the same private server: rows R1 to R3, R5 and
//! R7 of the goals.
//!
//! `cargo bench -p reinhardt-backends-tests --bench redis -- [ROUNDS] [get] [miss] [mix] [save]
//! [increment] [hot-get] [hot-increment] [many] [cost] [large] [clear] [tls]`

mod load;

use std::future::Future;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fred::prelude::{ClientLike, KeysInterface, LuaInterface};
use futures::FutureExt;
use futures::future::join_all;
use redis::aio::{ConnectionLike, ConnectionManager, MultiplexedConnection};
use redis::io::tcp::TcpSettings;
use redis::{AsyncConnectionConfig, Client, RedisConnectionInfo, Script, cmd};
use reinhardt_backends::codec::{Cbor, Codec};
use reinhardt_backends::{Backend, RedisBackend, Tls};
use reinhardt_backends_tests::measure::Bound::{AtLeast, AtMost};
use reinhardt_backends_tests::measure::{
    Cases, Measured, Report, Run, Sweep, Table, Unit, in_own_process, peak_bytes, resident_bytes,
};
use reinhardt_backends_tests::{Authority, Proxy, Server};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;

use self::load::{
    KEYS, Session, WINDOW, Work, id, keys, raw, runtime, session, store, threads, typed,
};

fn main() {
    if let [_, slow, case, url] = std::env::args().collect::<Vec<_>>().as_slice()
        && slow == SLOW
    {
        println!("{}", read_slowly(case, url));
        return;
    }
    let Some(run) = Run::from_arguments(7) else {
        return;
    };
    let mut report = Report::new("redis");
    for workers in [1, 2] {
        let bench = Bench::new(workers);
        for work in Work::ALL {
            if run.wants(work.name()) {
                report.sweep(&bench.sweep(work, run.rounds()));
            }
        }
        if run.wants("many") {
            report.table(&bench.many(run.rounds()));
        }
        if run.wants("cost") && workers == 2 {
            report.table(&bench.cost(run.rounds()));
        }
        if run.wants("clear") && workers == 2 {
            report.table(&bench.clear(run.rounds()));
        }
    }
    if run.wants("large") {
        large(&mut report, run.rounds());
    }
    if run.wants("tls") {
        for workers in [1, 2] {
            let bench = Bench::by_tls(workers);
            for work in [Work::Get, Work::Save] {
                report.sweep(&bench.sweep(work, run.rounds()));
            }
        }
    }
    report.finish();
}

fn row(work: Work) -> &'static str {
    match work {
        Work::Get | Work::HotGet => "R1",
        Work::Miss | Work::Mix => "R1m",
        Work::Save | Work::Increment | Work::HotIncrement => "R2",
    }
}

/// Returns the least ratio to redis-rs with so many tasks at once.
fn goal(work: Work, tasks: usize, is_tls: bool) -> f64 {
    match (work, tasks) {
        (_, 256) if is_tls => 3.0,
        (Work::Get | Work::Miss | Work::Mix, 64) if !is_tls => 1.5,
        (Work::Get | Work::Miss | Work::Mix, 256) => 2.0,
        (_, 256) => 1.2,
        _ => 0.95,
    }
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

    /// Stores the entries that are read.
    fn on(
        server: Server,
        workers: usize,
        runtime: Runtime,
        ours: RedisBackend,
        [default, nodelay]: [MultiplexedConnection; 2],
        others: Option<(ConnectionManager, fred::clients::Client)>,
    ) -> Self {
        runtime.block_on(store(&ours));
        Self {
            server,
            workers,
            runtime,
            ours,
            default,
            nodelay,
            others,
            keys: keys().into(),
        }
    }

    /// Measures one kind of work with so many tasks at once, all clients in turn.
    fn sweep(&self, work: Work, rounds: usize) -> Sweep {
        let is_tls = self.others.is_none();
        let (row, way) = match is_tls {
            true => ("R7", " by TLS"),
            false => (row(work), ""),
        };
        let title = format!("{row}: {}{way}, {}", work.name(), threads(self.workers));
        let mut sweep = Sweep::new(&title, Unit::Rate).ratios_to(DEFAULT);
        let has_ceiling = work == Work::Get && self.workers == 2 && !is_tls;
        let is_rare = matches!(work, Work::Miss | Work::Mix);
        for tasks in TASKS {
            let mut cases = Cases::new();
            cases.case(OURS, || self.typed(work, tasks));
            cases.case(DEFAULT, || self.raw(work, tasks, &self.default));
            cases.case(NODELAY, || self.raw(work, tasks, &self.nodelay));
            if let Some((manager, fred)) = self.others.as_ref().filter(|_| !is_rare) {
                cases.case(MANAGER, || self.raw(work, tasks, manager));
                cases.case(FRED, || self.fred(work, tasks, fred));
            }
            if has_ceiling {
                cases.case(CEILING, || self.ceiling());
            }
            let measured = cases.measure(rounds);
            sweep.point(tasks, measured);
            for raw in [DEFAULT, NODELAY] {
                sweep.goal(tasks, OURS, AtLeast(goal(work, tasks, is_tls)), raw);
            }
            if has_ceiling && tasks == 256 {
                sweep.goal(tasks, OURS, AtLeast(0.65), CEILING);
            }
        }
        sweep
    }

    fn typed(&self, work: Work, tasks: usize) -> f64 {
        let backend = self.ours.clone();
        self.rate(tasks, move |index| {
            let backend = backend.clone();
            async move { typed(&backend, work, index).await }
        })
    }

    fn raw<C>(&self, work: Work, tasks: usize, connection: &C) -> f64
    where
        C: ConnectionLike + Clone + Send + Sync + 'static,
    {
        let (connection, keys) = (connection.clone(), self.keys.clone());
        let window = Arc::new(Script::new(WINDOW));
        self.rate(tasks, move |index| {
            let (mut connection, keys) = (connection.clone(), keys.clone());
            let window = window.clone();
            async move { raw(&mut connection, &keys, &window, work, index).await }
        })
    }

    fn fred(&self, work: Work, tasks: usize, client: &fred::clients::Client) -> f64 {
        let (client, keys) = (client.clone(), self.keys.clone());
        match work {
            Work::Get => self.rate(tasks, move |index| {
                let (client, keys) = (client.clone(), keys.clone());
                async move {
                    let bytes: bytes::Bytes = client.get(&keys[index]).await.expect("an answer");
                    let _: Session = Cbor::decode(&bytes).expect("a session");
                }
            }),
            Work::Save => self.rate(tasks, move |index| {
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
        let title = format!("R3: get_many of {MANY}, {}", threads(self.workers));
        Table::new(&title, Unit::Time, cases.measure(rounds))
            .ratios_to("MGET + decode")
            .goal("MGET + decode", AtLeast(0.9), "get_many")
    }

    /// R1m: the time of the server that a read takes, for a read that finds a value and for one
    /// that doesn't.
    fn cost(&self, rounds: usize) -> Table {
        let mut cases = Cases::new();
        let cost = |work| {
            let (before, begun) = (self.server_time(), Instant::now());
            let calls = self.typed(work, 256) * begun.elapsed().as_secs_f64();
            (self.server_time() - before) * 1e9 / calls
        };
        cases.case("a hit", || cost(Work::Get));
        cases.case("a miss", || cost(Work::Miss));
        let title = "R1m: CPU time of the server for a read, 256 tasks, 2 worker threads";
        Table::new(title, Unit::Time, cases.measure(rounds))
            .ratios_to("a hit")
            .goal("a miss", AtMost(1.0), "a hit")
    }

    /// Returns how many seconds of CPU time the server has taken.
    fn server_time(&self) -> f64 {
        let told = self.server.command("INFO cpu");
        let times = told.lines().filter_map(|line| {
            let (name, time) = line.split_once(':')?;
            matches!(name, "used_cpu_sys" | "used_cpu_user").then(|| time.trim().parse::<f64>())
        });
        times.map(|time| time.expect("a time")).sum()
    }

    /// R5: the longest time that a `PING` by another connection waits while many keys are cleared.
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

/// R1l: large values that many tasks read over a slow network, each client in a process of its own.
fn large(report: &mut Report, rounds: usize) {
    let server = Server::on_tcp();
    let proxy = Proxy::start(server.port());
    proxy.slow_down(SLOW_RATE);
    Runtime::new().expect("a runtime").block_on(async {
        let ours = RedisBackend::new(&server.url()).await.expect("the server");
        let value = vec![7_u8; LARGE];
        for index in 0..READERS {
            let stored = ours.set(&large_key(index), value.clone(), None).await;
            stored.expect("the server takes it");
        }
    });
    let (mut answered, mut memory) = (Measured::default(), Measured::default());
    let cases = [OURS, DEFAULT];
    let mut samples = cases.map(|_| (Vec::new(), Vec::new()));
    for _ in 0..rounds {
        for (case, (answered, memory)) in cases.iter().zip(&mut samples) {
            let said = in_own_process(&[SLOW, case, &proxy.url()]);
            let (count, bytes) = said.split_once(' ').expect("two numbers");
            answered.push(count.parse().expect("a count"));
            memory.push(bytes.parse().expect("bytes"));
        }
    }
    for (case, (count, bytes)) in cases.iter().zip(samples) {
        answered.add(case, count);
        memory.add(case, bytes);
    }
    let what = format!("R1l: of {READERS} reads of 1 MiB at 20 MiB/s");
    let title = format!("{what}, those that are answered within 1 s");
    let table = Table::new(&title, Unit::Count, answered).ratios_to(DEFAULT);
    report.table(&table.goal(OURS, AtLeast(0.95), DEFAULT));
    let title = format!("{what}, the memory that the client takes at most");
    let payload = (READERS * LARGE) as f64;
    report.table(&Table::new(&title, Unit::Bytes, memory).limit(OURS, AtMost(2.0 * payload)));
}

/// Reads the large values all at once, and returns how many came within a second, and how many
/// bytes of memory that took at most.
fn read_slowly(case: &str, url: &str) -> String {
    runtime(2).block_on(async {
        let limit = Duration::from_secs(1);
        let read = |reads: Vec<_>| async move {
            let before = resident_bytes();
            let reads = reads
                .into_iter()
                .map(|read| tokio::time::timeout(limit, read));
            let read = join_all(reads).await;
            let count = read.iter().filter(|read| matches!(read, Ok(true))).count();
            format!("{count} {}", peak_bytes() - before)
        };
        if case == OURS {
            let ours = RedisBackend::new(url).await.expect("the server");
            let get = |index| {
                let ours = ours.clone();
                async move { ours.get::<Vec<u8>>(&large_key(index)).await.is_ok() }.boxed()
            };
            return read((0..READERS).map(get).collect()).await;
        }
        let client = Client::open(url).expect("a URL");
        let config = AsyncConnectionConfig::new();
        let raw = client.get_multiplexed_async_connection_with_config(&config);
        let raw = raw.await.expect("the server");
        let get = |index| {
            let mut raw = raw.clone();
            async move {
                let mut get = cmd("GET");
                let key = format!("reinhardt:{}", large_key(index));
                let bytes = get.arg(key).query_async::<Vec<u8>>(&mut raw).await;
                bytes.is_ok()
            }
            .boxed()
        };
        read((0..READERS).map(get).collect()).await
    })
}

fn large_key(index: usize) -> String {
    format!("large:{index}")
}

const SLOW: &str = "read-slowly";
const READERS: usize = 64;
const LARGE: usize = 1 << 20;
/// Bytes a second.
const SLOW_RATE: u32 = 20 << 20;
const PING: &str = "slowest PING";
/// The largest number of operations in a round: so many that starting the tasks doesn't matter.
const OPERATIONS: usize = 200_000;

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
