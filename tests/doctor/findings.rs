//! Each kind of finding, once, on memory and on Redis.

use std::process::ExitCode;

use futures::TryStreamExt;
use reinhardt_backends::doctor::{Doctor, Examined, FindingKind, Report, Severity, doctor};
use reinhardt_backends::lease::Lease;
use reinhardt_backends::session::SessionStore;
use reinhardt_backends::throttle::{Quota, Throttle};
use reinhardt_backends::{Backend, Eviction, Life, MemoryBackend, Write};
use reinhardt_backends_tests::Server;

use super::{
    Account, Forgiving, Hits, Login, LoginV1, MINUTE, Pass, PassV1, Settings, Teaser, Tries, fill,
    of_kind, row, the,
};

async fn examined<B: Examined>(backend: &B) -> Report {
    fill(backend).await;
    doctor(backend).await.unwrap()
}

/// Makes the same faults in a store in memory and on a server.
macro_rules! on_both {
    ($($name:ident)*) => {
        mod memory {
            $(#[tokio::test]
            async fn $name() {
                super::$name(reinhardt_backends::MemoryBackend::new()).await;
            })*
        }

        mod redis {
            $(#[tokio::test]
            async fn $name() {
                let server = reinhardt_backends_tests::Server::start();
                super::$name(server.connect().await).await;
            })*
        }
    };
}

on_both! {
    an_entry_without_the_declared_end_is_found
    an_entry_that_lives_too_long_is_found
    what_does_not_decode_is_found
    a_key_of_other_fields_is_found
    an_older_version_is_counted
    the_oldest_version_keeps_the_whole_chain
    a_store_without_entries_gives_no_advice
    a_version_that_nobody_declares_is_found
    a_version_is_a_small_number
    a_cache_that_misses_what_does_not_decode_is_warned_of
    a_session_without_an_end_is_found
    hostile_values_are_what_they_are
    what_nobody_declares_is_counted_and_never_shown
    sessions_and_throttles_that_are_declared_are_checked
    sessions_that_nobody_declares_are_told
    leases_are_no_undeclared_keys
    a_sample_says_how_large_it_is
    a_part_of_the_keys_is_no_proof
}

async fn an_entry_without_the_declared_end_is_found<B: Examined>(backend: B) {
    let key = Teaser { page: 8 }.key();
    backend.set(&key, "V4lue", None).await.unwrap();
    let report = examined(&backend).await;
    let finding = the(&report, FindingKind::MissingTtl);
    assert_eq!(
        (finding.severity, &*finding.subject),
        (Severity::Warning, "teaser")
    );
    assert!(
        finding
            .message
            .starts_with("1 of 2 sampled entries have no end"),
        "{report}"
    );
    assert_eq!(row(&report, "teaser").without_ttl, 1);
    assert_eq!(report.worst(), Some(Severity::Warning));
}

async fn an_entry_that_lives_too_long_is_found<B: Examined>(backend: B) {
    // The stale time belongs to the life.
    let teaser = Teaser { page: 8 };
    backend
        .set(&teaser.key(), "x", Some(6 * MINUTE))
        .await
        .unwrap();
    let report = examined(&backend).await;
    assert!(!report.has(FindingKind::LongTtl), "{report}");
    backend
        .expire(&teaser.key(), Life::In(7 * MINUTE))
        .await
        .unwrap();
    let report = doctor(&backend).await.unwrap();
    assert_eq!(the(&report, FindingKind::LongTtl).subject, "teaser");
}

async fn what_does_not_decode_is_found<B: Examined>(backend: B) {
    let hits = Hits {
        route: "/".to_string(),
    };
    backend
        .set(&hits.key(), "no number", Some(MINUTE))
        .await
        .unwrap();
    backend
        .set(&Tries { user: 8 }.key(), 1, Some(MINUTE))
        .await
        .unwrap();
    // The bytes of another entry: its key fields are others.
    let stored = Login {
        id: "other".to_string(),
        user: 1,
    };
    let copy = Login::key("copy");
    backend.set(&copy, &stored, Some(MINUTE)).await.unwrap();
    let report = examined(&backend).await;
    let found = of_kind(&report, FindingKind::Undecodable);
    let subjects: Vec<&str> = found.iter().map(|finding| &*finding.subject).collect();
    assert_eq!(subjects, ["hits", "login@2", "tries"], "{report}");
    assert!(
        found
            .iter()
            .all(|finding| finding.severity == Severity::Fault)
    );
    let code = report.exit_code(Severity::Fault);
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::FAILURE));
    let report = doctor(&MemoryBackend::new()).await.unwrap();
    let code = report.exit_code(Severity::Note);
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
}

async fn a_key_of_other_fields_is_found<B: Examined>(backend: B) {
    for key in ["hits:a:b", "teaser:seven", "tries", "staff:ann"] {
        backend.set(key, 1, Some(MINUTE)).await.unwrap();
    }
    let report = examined(&backend).await;
    let found = of_kind(&report, FindingKind::MalformedKey);
    let subjects: Vec<&str> = found.iter().map(|finding| &*finding.subject).collect();
    assert_eq!(subjects, ["hits", "staff", "teaser", "tries"], "{report}");
    assert_eq!(row(&report, "teaser").malformed_keys, 1);
    assert_eq!(row(&report, "teaser").entries, 1);
}

async fn an_older_version_is_counted<B: Examined>(backend: B) {
    let old = LoginV1 {
        id: "old".to_string(),
    };
    old.save(&backend).await.unwrap();
    let report = examined(&backend).await;
    let finding = the(&report, FindingKind::OlderVersion);
    assert_eq!(finding.subject, "login@2");
    assert!(
        finding
            .message
            .contains("1 of `LoginV1`: `migrates = LoginV1` has to stay"),
        "{report}"
    );
    LoginV1::delete(&backend, "old").await.unwrap();
    let report = doctor(&backend).await.unwrap();
    let finding = the(&report, FindingKind::MigratesUnneeded);
    assert!(
        finding
            .message
            .contains("`migrates = LoginV1` may be taken out, if")
    );
}

/// Reads go through the whole chain.
async fn the_oldest_version_keeps_the_whole_chain<B: Examined>(backend: B) {
    let first = PassV1 {
        id: "old".to_string(),
    };
    first.save(&backend).await.unwrap();
    assert!(Pass::get(&backend, "old").await.unwrap().is_some());
    let pass = Pass {
        id: "new".to_string(),
    };
    pass.save(&backend).await.unwrap();
    let report = doctor(&backend).await.unwrap();
    let found = of_kind(&report, FindingKind::OlderVersion);
    let subjects: Vec<&str> = found.iter().map(|finding| &*finding.subject).collect();
    assert_eq!(subjects, ["pass@2", "pass@3"], "{report}");
    assert!(!report.has(FindingKind::MigratesUnneeded), "{report}");
}

/// A store that has no entries says nothing about those of another one.
async fn a_store_without_entries_gives_no_advice<B: Examined>(backend: B) {
    Settings.set(&backend, 1).await.unwrap();
    let report = doctor(&backend).await.unwrap();
    assert_eq!(
        of_kind(&report, FindingKind::MigratesUnneeded).len(),
        0,
        "{report}"
    );
}

async fn a_version_that_nobody_declares_is_found<B: Examined>(backend: B) {
    for key in ["login@3:a", "login@3:b", "login@x:c", "solo:d"] {
        backend.set(key, 1, Some(MINUTE)).await.unwrap();
    }
    let report = examined(&backend).await;
    let found = of_kind(&report, FindingKind::UnknownVersion);
    let [login, solo] = found[..] else {
        panic!("{report}");
    };
    assert!(login.message.contains("`login@3` (2)"), "{report}");
    // The first version has no number in its keys.
    assert!(solo.message.contains("`solo` (1)"), "{report}");
    assert_eq!(report.undeclared_keys, 1);
}

/// A number behind a prefix may be a part of somebody's key.
async fn a_version_is_a_small_number<B: Examined>(backend: B) {
    for number in 491_700_000..491_700_300_u32 {
        backend
            .set(&format!("login@{number}:x"), 1, None)
            .await
            .unwrap();
    }
    for version in 100..200_u32 {
        backend
            .set(&format!("login@{version}:x"), 1, None)
            .await
            .unwrap();
    }
    let report = doctor(&backend).await.unwrap();
    assert_eq!(
        of_kind(&report, FindingKind::UnknownVersion).len(),
        1,
        "{report}"
    );
    assert!(report.undeclared_keys >= 300 + 100 - 8);
    assert!(!report.to_string().contains("4917"));
    assert!(report.to_string().len() < 5_000);
}

async fn what_nobody_declares_is_counted_and_never_shown<B: Examined>(backend: B) {
    for key in ["S3cret", "teasers:S3cret", "S3cret:a:b"] {
        backend.set(key, "V4lue", None).await.unwrap();
    }
    backend
        .set("login@2:S3cret:S3cret", "V4lue", None)
        .await
        .unwrap();
    let report = examined(&backend).await;
    assert_eq!(report.undeclared_keys, 3);
    assert!(
        the(&report, FindingKind::UndeclaredKeys)
            .message
            .starts_with("3 keys")
    );
    let json = serde_json::to_string(&report).unwrap();
    for text in [report.to_string(), json, format!("{report:?}")] {
        assert!(
            !text.contains("S3cret") && !text.contains("V4lue"),
            "{text}"
        );
    }
}

async fn sessions_and_throttles_that_are_declared_are_checked<B: Examined + Clone>(backend: B) {
    let staff = SessionStore::<u64, _>::builder(backend.clone()).prefix("staff");
    let staff = staff.build().unwrap();
    staff.create("ann", 7).await.unwrap();
    let api = Throttle::new("api", [Quota::gcra(5, MINUTE)]).unwrap();
    assert!(api.check(&backend, "ann").await.unwrap().allowed);
    let report = examined(&backend).await;
    assert_eq!(row(&report, "staff").sampled, 1, "{report}");
    assert_eq!(row(&report, "api").sampled, 1);
    assert_eq!(report.worst(), Some(Severity::Note), "{report}");
    backend.set("staff:ann:x", 7, Some(MINUTE)).await.unwrap();
    backend.set("api:ben", "5/min", Some(MINUTE)).await.unwrap();
    let report = doctor(&backend).await.unwrap();
    assert_eq!(
        of_kind(&report, FindingKind::Undecodable).len(),
        2,
        "{report}"
    );
}

async fn sessions_that_nobody_declares_are_told<B: Examined + Clone>(backend: B) {
    let sessions = SessionStore::<u64, _>::new(backend.clone());
    sessions.create("ann", 7).await.unwrap();
    let report = examined(&backend).await;
    assert_eq!(
        the(&report, FindingKind::UndeclaredSessions).subject,
        "session-store"
    );
    assert_eq!(row(&report, "session-store").entries, 1);
    assert_eq!(report.undeclared_keys, 0);
}

/// A lease, that of a value, and the counter of fencing numbers.
async fn leases_are_no_undeclared_keys<B: Examined + Clone + 'static>(backend: B) {
    let lease = Lease::new(backend.clone(), "report", MINUTE).unwrap();
    let _guard = lease.acquire().await.unwrap().unwrap();
    backend
        .set("teaser@lease:9", 1, Some(MINUTE))
        .await
        .unwrap();
    let report = examined(&backend).await;
    assert_eq!((report.leases, report.undeclared_keys), (3, 0), "{report}");
}

async fn a_cache_that_misses_what_does_not_decode_is_warned_of<B: Examined>(backend: B) {
    let key = Forgiving { id: 7 }.key();
    backend.set(&key, "no number", Some(MINUTE)).await.unwrap();
    let report = doctor(&backend).await.unwrap();
    let finding = the(&report, FindingKind::Undecodable);
    assert_eq!(finding.severity, Severity::Warning, "{report}");
}

async fn a_session_without_an_end_is_found<B: Examined + Clone>(backend: B) {
    let sessions = SessionStore::<u64, _>::builder(backend.clone()).prefix("staff");
    sessions.build().unwrap().create("ann", 7).await.unwrap();
    let keys: Vec<String> = backend.scan("staff:").try_collect().await.unwrap();
    backend.expire(&keys[0], Life::Never).await.unwrap();
    let report = doctor(&backend).await.unwrap();
    assert_eq!(
        the(&report, FindingKind::MissingTtl).subject,
        "staff",
        "{report}"
    );
}

async fn hostile_values_are_what_they_are<B: Examined>(backend: B) {
    let nested = [vec![0x81; 100_000], vec![0x80]].concat();
    let markup = b"<script>alert(1)</script>".to_vec();
    let large = vec![0x9f; 16 << 20];
    for (page, bytes) in [nested, vec![0x81; 128], markup, Vec::new(), large]
        .iter()
        .enumerate()
    {
        let key = Teaser { page: page as u64 }.key();
        let options = Write::new(Life::In(MINUTE));
        assert!(backend.write(&key, bytes, options).await.unwrap());
    }
    let report = doctor(&backend).await.unwrap();
    let teaser = row(&report, "teaser");
    assert_eq!(
        (teaser.sampled, teaser.undecodable, teaser.too_large),
        (5, 4, 1),
        "{report}"
    );
    assert!(report.has(FindingKind::TooLarge));
    assert!(!report.to_string().contains("script"));
}

async fn a_sample_says_how_large_it_is<B: Examined>(backend: B) {
    for page in 0..60 {
        let key = Teaser { page }.key();
        backend.set(&key, "V4lue", None).await.unwrap();
    }
    let doctor = Doctor::new().sample_size(20).commands_per_second(100_000);
    let report = doctor.examine(&backend).await.unwrap();
    let teaser = row(&report, "teaser");
    assert_eq!(
        (teaser.entries, teaser.sampled, teaser.without_ttl),
        (60, 20, 20)
    );
    assert!(!teaser.is_read_whole);
    assert!((teaser.share(20).low - 0.839).abs() < 0.001);
    let message = &the(&report, FindingKind::MissingTtl).message;
    assert!(
        message.starts_with("20 of 20 sampled entries (83.9 to 100.0 %)"),
        "{report}"
    );
    assert!(
        report.to_string().contains("up to 16.1 % of the entries"),
        "{report}"
    );
}

async fn a_part_of_the_keys_is_no_proof<B: Examined>(backend: B) {
    for page in 0..3_000 {
        let teaser = Teaser { page };
        teaser.set(&backend, String::new()).await.unwrap();
    }
    let doctor = Doctor::new()
        .max_keys(1_000)
        .sample_size(5)
        .commands_per_second(100_000);
    let report = doctor.examine(&backend).await.unwrap();
    assert!(!report.is_whole);
    assert!(row(&report, "teaser").entries < 3_000);
    assert!(report.has(FindingKind::Partial));
    assert!(!report.has(FindingKind::MigratesUnneeded), "{report}");
}

#[tokio::test]
async fn a_memory_store_that_evicts_sessions_is_found() {
    let off = MemoryBackend::builder().max_entries(100).build();
    assert!(!examined(&off).await.has(FindingKind::Eviction));
    let evicts = || {
        MemoryBackend::builder()
            .max_entries(100)
            .eviction(Eviction::S3Fifo)
    };
    // Entries that this store doesn't have are in another one.
    let cache = evicts().build();
    Teaser { page: 1 }.set(&cache, String::new()).await.unwrap();
    assert!(!doctor(&cache).await.unwrap().has(FindingKind::Eviction));
    let report = examined(&evicts().build()).await;
    let finding = the(&report, FindingKind::Eviction);
    assert_eq!(finding.severity, Severity::Warning);
    for keys in ["`login@2`", "`hits`", "`tries`"] {
        assert!(finding.message.contains(keys), "{report}");
    }
    // A cache is there to be evicted.
    assert!(!finding.message.contains("teaser"), "{report}");
}

#[tokio::test]
async fn a_server_that_evicts_sessions_is_found() {
    let server =
        Server::with_settings(&["--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru"]);
    let backend = server.connect().await;
    let account = Account {
        id: "ann".to_string(),
    };
    account.save(&backend).await.unwrap();
    let report = examined(&backend).await;
    let finding = the(&report, FindingKind::Eviction);
    assert!(finding.message.contains("`volatile-lru`"), "{report}");
    // These have no end, so that the policy spares them.
    assert!(!finding.message.contains("account"), "{report}");
    assert!(!report.has(FindingKind::NoMemoryLimit));
    server.command("CONFIG SET maxmemory-policy noeviction");
    let report = doctor(&server.connect().await).await.unwrap();
    assert!(!report.has(FindingKind::Eviction) && !report.has(FindingKind::NearlyFull));
    server.command("CONFIG SET maxmemory 1mb");
    let report = doctor(&server.connect().await).await.unwrap();
    assert_eq!(
        the(&report, FindingKind::NearlyFull).severity,
        Severity::Warning
    );
    server.command("CONFIG SET maxmemory 0");
    let report = doctor(&server.connect().await).await.unwrap();
    assert!(report.has(FindingKind::NoMemoryLimit));
}

#[tokio::test]
async fn another_type_under_a_key_is_found() {
    let server = Server::start();
    server.command("RPUSH reinhardt:teaser:9 V4lue");
    server.command("RPUSH reinhardt:list V4lue");
    server.command("RPUSH other:teaser:9 V4lue");
    let report = examined(&server.connect().await).await;
    assert_eq!(the(&report, FindingKind::WrongType).subject, "teaser");
    assert_eq!(row(&report, "teaser").wrong_type, 1);
    // A list is no less a key, and other namespaces are nobody's business.
    assert_eq!(report.undeclared_keys, 1);
}

#[tokio::test]
async fn a_key_that_is_no_text_is_counted() {
    let server = Server::start();
    server.command(
        "EVAL \"return redis.call('SET', 'reinhardt:login@2:' .. string.char(255), 'x')\" 0",
    );
    let report = examined(&server.connect().await).await;
    assert_eq!(report.undeclared_keys, 1, "{report}");
}
