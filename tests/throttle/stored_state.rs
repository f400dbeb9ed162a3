//! The stored state of a limiter is read, counted with and written by memory and by the script
//! alike, whoever has put it there.

use std::time::Duration;

use redis::{Connection, Script};
use reinhardt_backends::store::Store;
use reinhardt_backends::throttle::{Algorithm, Attempt, MAX_PERIOD, Quota};
use reinhardt_backends::{Backend, ErrorKind, Life, MemoryBackend, Write};
use reinhardt_backends_tests::Server;
use tokio::runtime::Builder;

use super::script_agreement::{script, told, try_ask};

/// The time that memory's clock shows at its beginning, in microseconds.
const START: u64 = 1 << 50;

/// Memory and the script, which are asked the same attempts.
struct Both {
    connection: Connection,
    script: Script,
    /// The number of times that both decided, found something else than a throttle, and had no room
    /// for another quota.
    kinds: [u32; 3],
    /// The age of the store.
    age: Duration,
    /// The last field, so that the connection is closed before the server ends.
    _server: Server,
}

impl Both {
    fn new() -> Self {
        let server = Server::start();
        let client = redis::Client::open(server.url()).unwrap();
        Self {
            connection: client.get_connection().unwrap(),
            script: script(),
            kinds: [0; 3],
            age: Duration::ZERO,
            _server: server,
        }
    }

    /// Makes an attempt where these bytes are stored, and compares the answers and the bytes that
    /// are stored then.
    fn ask(&mut self, bytes: &[u8], attempt: Attempt<'_>) {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let (decided, stored) = runtime.block_on(async {
            let memory = MemoryBackend::new();
            let write = memory.write("throttle", bytes, Write::new(Life::Never));
            assert!(write.await.unwrap());
            tokio::time::advance(self.age).await;
            let decided = memory.throttle("throttle", attempt).await;
            if decided.is_ok() {
                // The state that was written can be read again.
                let again = memory.throttle("throttle", attempt.peeking()).await;
                assert!(again.is_ok(), "{attempt:?}");
            }
            let stored = memory.get_stored("throttle").await.unwrap().unwrap();
            (decided, stored.as_bytes().to_vec())
        });
        redis::cmd("SET")
            .arg("throttle")
            .arg(bytes)
            .exec(&mut self.connection)
            .unwrap();
        let now = START + self.age.as_micros() as u64;
        let answered = try_ask(&mut self.connection, &self.script, attempt, now);
        let text = format!("{} {attempt:?}", String::from_utf8_lossy(bytes));
        let kind = match (decided, answered) {
            (Ok(decision), Ok(answer)) => {
                assert_eq!(told(&decision), answer, "{text}");
                0
            }
            (Err(error), Err(answer)) => match (error.kind(), answer.code()) {
                (ErrorKind::WrongType, Some("WRONGTYPE")) => 1,
                (ErrorKind::InvalidConfig, Some("TOOMANYQUOTAS")) => 2,
                (kind, code) => panic!("{text}: {kind:?} and {code:?}"),
            },
            (decided, answered) => panic!("{text}: {decided:?} and {answered:?}"),
        };
        self.kinds[kind] += 1;
        let after: Vec<u8> = redis::cmd("GET")
            .arg("throttle")
            .query(&mut self.connection)
            .unwrap();
        assert_eq!(after, stored, "{text}");
    }
}

/// Bytes that somebody else could have put there. Either memory and the script both say that they
/// are no throttle's, or both read the same.
#[test]
fn memory_and_the_script_read_the_same_bytes() {
    let mut both = Both::new();
    let quotas = [
        Quota::gcra(5, Duration::from_secs(60)),
        Quota::sliding_window(4, Duration::from_secs(1)),
    ];
    let attempt = Attempt::new(&quotas);
    for text in [
        "1",
        "1x",
        "",
        " ",
        "1 ",
        "+1:1",
        "1:",
        ":1",
        "1:1",
        "1:0",
        "1:1:1",
        "1:1 ",
        "1:1x",
        "01:0001",
        "99999999999999999999:1",
        "4503599627370495:1",
        "4503599627370496:1",
        "9007199254740991:1",
        "9007199254740992:1",
        "1:4503599627371",
        "1:4503599627372",
        "1:1 g60000",
        "1:1 g60000:1",
        "1:1 g60000:1:2",
        "1:1 g60000:1:2:3",
        "1:1 g60000:1:2:3:4",
        "1:1 g60000:1:3:3",
        "1:1 g60000:1:0:0",
        "1:1 g60000:1:0:4294967295",
        "1:1 g60000:1:0:4294967296",
        "1:0000000000001 g60000:1:0000000002:0000000003",
        "1:00000000000000001",
        "1:1 g60000:1:2:0000000004294967295",
        "1:1 g60000:1:2:00000000000000003",
        "1:1 s1000:0:0000000001:0000000002",
        "1:1 f60000:1:0000000002",
        "1:1 f060000:1:2",
        "1:1 g060000:1:2:3",
        "1:1 g0:1:2:3",
        "1:1 x60000:1:2:3",
        "1:1 g60000:+1:2:3",
        "1:1 g60000:1:2:3 ",
        "1:1  g60000:1:2:3",
        "1:1 g60000:99999999999999999999:0:1",
        "1:1 g60000:9007199254740991:0:1",
        "1:1 g60000:4503599627370497:0:1",
        "1:1 g60000:4503599627370498:0:1",
        "4503599627370495:1 g60000:9007199254740991:0:1",
        "1:1 g315576000000:1:0:1",
        "1:1 g315576000001:1:0:1",
        "1:1 g9007199254740991:1:0:1",
        "1:1 s1000:1:2",
        "1:1 s1000:0:1:2",
        "999:1 s1000:1:1:2",
        "1000:1 s1000:1:1:2",
        "1:1 s1000:0:1:2:4",
        "1:1 s1000:0:1125899906842:1125899906842",
        "1:1 s1000:0:1125899906843:0",
        "1:1 s1000:0:0:1125899906843",
        "1:1 s1000:9007199254740991:9007199254740991:9007199254740991",
        "1:1 s9007199254740991:9007199254740991:1:1",
        "1:1 s315576000000:0:3567:3567",
        "1:1 s315576000000:0:3568:0",
        "1:1 f60000:60000001:9007199254740991",
        "1:1 f60000:60000002:0",
        "1:1 f1000:1:2\u{e9}",
    ] {
        both.ask(&[b"\xFD", text.as_bytes()].concat(), attempt);
    }
    let parts = |at: u64| {
        let (millis, soon) = (at / 1000, at + 30_000_000);
        [
            format!("g60000:{soon}:0:1"),
            format!("g60000:{soon}:99998:99999"),
            format!("g60000:{}:0:1", at + (1 << 52)),
            format!("s1000:{millis}:3:2"),
            format!("s1000:{millis}:1125899906842:2"),
            format!("s1000:{}:2:1", millis - 700),
            format!("s1000:{}:2:1125899906842", millis - 700),
            format!("f3600000:{soon}:7"),
            format!("g3600000:{soon}:7:9"),
            "f1000:5:5".to_string(),
        ]
    };
    let mut random = fastrand::Rng::with_seed(7);
    for count in (0..36).cycle().take(4000) {
        // Before, at and after the time that memory's clock shows.
        let at = START + random.choice([0, 1, 700_000, 5_000_000]).unwrap() - 500_000;
        let (mut text, parts) = (format!("{at}:60000"), parts(at));
        // Parts of all kinds, or those of other quotas alone, for which there may be no room.
        let parts = [&parts[..], &parts[7..9]][usize::from(random.u8(..3) == 0)];
        for _ in 0..count {
            text.push(' ');
            text.push_str(&parts[random.usize(..parts.len())]);
        }
        let mut bytes = [b"\xFD", text.as_bytes()].concat();
        if random.bool() {
            let at = random.usize(1..bytes.len());
            bytes[at] = random.choice(*b" :0159gfsx\xFF").unwrap();
        }
        both.ask(&bytes, attempt);
    }
    assert!(
        both.kinds.iter().all(|count| *count > 15),
        "{:?}",
        both.kinds
    );
}

/// Quotas that can just be counted, and counts, debts and times at their bounds.
#[test]
fn memory_and_the_script_count_alike_at_the_bounds() {
    let quotas = [
        Quota::gcra(1, MAX_PERIOD).with_burst(14),
        Quota::gcra(u32::MAX, MAX_PERIOD).with_burst(14),
        Quota::gcra(u32::MAX, Duration::from_millis(1)),
        Quota::gcra(99_991, Duration::from_secs(3600)),
        Quota::fixed_window(u32::MAX, MAX_PERIOD),
        Quota::fixed_window(1, Duration::from_millis(1)),
        Quota::sliding_window(3567, MAX_PERIOD),
        Quota::sliding_window(u32::MAX, Duration::from_millis(262_000)),
    ];
    let quotas: Vec<Quota> = quotas
        .into_iter()
        .filter(|quota| quota.check().is_ok())
        .collect();
    assert!(quotas.len() > 6);
    let mut both = Both::new();
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..3000 {
        // In the end past the latest time that is told.
        let years = if round < 2800 { 0 } else { 110 };
        both.age = Duration::from_secs(years * 31_557_600);
        let at = random.choice([0, START - 1, START, START + 7_000_001, (1 << 52) - 1]);
        let at = at.unwrap();
        let quotas = [
            quotas[random.usize(..quotas.len())],
            quotas[random.usize(..quotas.len())],
        ];
        let mut text = format!("\u{fd}{at}:1");
        for quota in quotas.iter().chain(&quotas) {
            text.push_str(&part(quota, at, &mut random));
        }
        let bytes: Vec<u8> = text.chars().map(|char| char as u8).collect();
        let most = quotas.iter().map(Quota::capacity).min().unwrap();
        let cost = random.choice([0, 1, most / 2, most]).unwrap();
        both.ask(&bytes, Attempt::new(&quotas).with_cost(cost));
    }
    assert!(both.kinds[0] == 3000, "{:?}", both.kinds);
}

/// Returns a state of a quota that could be stored, as text.
fn part(quota: &Quota, at: u64, random: &mut fastrand::Rng) -> String {
    let period = u64::try_from(quota.period().as_millis()).unwrap();
    let mut near = |most: u64| match random.u8(..4) {
        0 => 0,
        1 => random.u64(..=most),
        2 => most - random.u64(..=most.min(2)),
        _ => random.u64(..=most.min(1000)),
    };
    match quota.algorithm() {
        Algorithm::Gcra => {
            let units = 1 + near(u64::from(u32::MAX) - 1);
            let whole = at + near(1 << 52);
            format!(" g{period}:{whole}:{}:{units}", near(units - 1))
        }
        Algorithm::FixedWindow => {
            format!(
                " f{period}:{}:{}",
                at + near(period * 1000),
                near((1 << 53) - 1)
            )
        }
        _ => {
            let start = (at / 1000).saturating_sub(near(2 * period));
            let most = (1 << 50) / period;
            format!(" s{period}:{start}:{}:{}", near(most), near(most))
        }
    }
}
