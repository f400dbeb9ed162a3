//! The speed of the memory backend beside DashMap, moka and quick_cache: rows M1 to M4 of the goals.
//!
//! `cargo bench -p reinhardt-backends-tests --bench memory -- [ROUNDS] [get] [save] [increment] [threads]`

mod peers;
mod traffic;

use std::sync::Arc;

use bytes::Bytes;
use reinhardt_backends::{Backend, MemoryBackend};
use reinhardt_backends_tests::measure::Bound::{AtLeast, AtMost};
use reinhardt_backends_tests::measure::{Cases, Report, Run, Table, Unit};

use self::peers::{Map, MapOfCounters, Moka, MokaOfCounters, Quick, QuickOfCounters};
use self::traffic::{Rate, Session, Traffic, client, id, runtime};

fn main() {
    let Some(run) = Run::from_arguments(21) else {
        return;
    };
    let mut report = Report::new("memory");
    for traffic in [Traffic::warm(), Traffic::cold()] {
        let parts: [(&str, Part); 5] = [
            ("get", get),
            ("save", save),
            ("increment", increment),
            ("threads", get_on_threads),
            ("threads", save_on_threads),
        ];
        for (name, part) in parts {
            if run.wants(name) {
                report.table(&part(&traffic, run.rounds()));
            }
        }
    }
    report.finish();
}

type Part = fn(&Traffic, usize) -> Table;

fn get(traffic: &Traffic, rounds: usize) -> Table {
    let backend = filled(traffic);
    let object: &dyn Backend = &backend;
    let map = Map::<Bytes>::filled(traffic);
    let arcs = Map::<Arc<[u8]>>::filled(traffic);
    let moka = runtime().block_on(Moka::filled(traffic));
    let quick = Quick::filled(traffic);

    let mut cases = Cases::new();
    cases.case("typed get", || {
        traffic.keys(async |key| Session::get(&backend, id(key)).await.unwrap().unwrap())
    });
    cases.case("typed get, &dyn Backend", || {
        traffic.keys(async |key| Session::get(object, id(key)).await.unwrap().unwrap())
    });
    cases.case("raw get", || {
        traffic.keys(async |key| backend.get::<Session>(key).await.unwrap().unwrap())
    });
    cases.case("get_stored, no decoding", || {
        traffic.keys(async |key| backend.get_stored(key).await.unwrap().unwrap())
    });
    cases.case("DashMap get + decode", || {
        traffic.keys(async |key| map.get_decoded(key).unwrap())
    });
    cases.case("DashMap of Arc<[u8]> get + decode", || {
        traffic.keys(async |key| arcs.get_decoded(key).unwrap())
    });
    cases.case("DashMap get", || {
        traffic.keys(async |key| map.get(key).unwrap())
    });
    cases.case("moka get", || {
        traffic.keys(async |key| moka.get(key).await.unwrap())
    });
    cases.case("quick_cache get", || {
        traffic.keys(async |key| quick.get(key).unwrap())
    });

    let title = format!("M1: get, {}", traffic.name());
    Table::new(&title, Unit::Time, cases.measure(rounds))
        .ratios_to("DashMap get + decode")
        .goal("typed get", AtMost(1.15), "DashMap get + decode")
        .goal("typed get", AtMost(1.0), "moka get")
}

fn save(traffic: &Traffic, rounds: usize) -> Table {
    let backend = filled(traffic);
    let object: &dyn Backend = &backend;
    let map = Map::<Bytes>::filled(traffic);
    let mut buffer = Vec::new();
    let moka = runtime().block_on(Moka::filled(traffic));
    let quick = Quick::filled(traffic);

    let mut cases = Cases::new();
    cases.case("typed save", || {
        traffic.sessions(async |_, session| session.save(&backend).await.unwrap())
    });
    cases.case("typed save, &dyn Backend", || {
        traffic.sessions(async |_, session| session.save(object).await.unwrap())
    });
    cases.case("raw set", || {
        let ttl = Some(traffic::TTL);
        traffic.sessions(async |key, session| backend.set(key, session, ttl).await.unwrap())
    });
    cases.case("encode + DashMap insert", || {
        traffic.sessions(async |key, session| map.insert_encoded(key, session, &mut buffer))
    });
    cases.case("moka insert", || {
        traffic.owned_sessions(async |key, session| moka.insert(key, session).await)
    });
    cases.case("quick_cache insert", || {
        traffic.owned_sessions(async |key, session| quick.insert(key, session))
    });

    let title = format!("M2: save with TTL, {}", traffic.name());
    Table::new(&title, Unit::Time, cases.measure(rounds))
        .ratios_to("encode + DashMap insert")
        .goal("typed save", AtMost(1.25), "encode + DashMap insert")
        .goal("typed save", AtMost(1.0 / 5.0), "moka insert")
}

fn increment(traffic: &Traffic, rounds: usize) -> Table {
    let backend = MemoryBackend::new();
    let object: &dyn Backend = &backend;
    let map = MapOfCounters::default();
    let moka = MokaOfCounters::default();
    let quick = QuickOfCounters::default();

    let mut cases = Cases::new();
    cases.case("typed increment", || {
        traffic.counters(async |key| {
            let client = client(key);
            Rate { client }.increment(&backend).await.unwrap()
        })
    });
    cases.case("typed increment, &dyn Backend", || {
        traffic.counters(async |key| {
            let client = client(key);
            Rate { client }.increment(object).await.unwrap()
        })
    });
    cases.case("raw increment", || {
        let window = Some(traffic::WINDOW);
        traffic.counters(async |key| backend.increment(key, window).await.unwrap())
    });
    cases.case("DashMap entry + 1", || {
        traffic.counters(async |key| map.increment(key))
    });
    cases.case("DashMap get_mut + 1", || {
        traffic.counters(async |key| map.increment_present(key))
    });
    cases.case("moka upsert", || {
        traffic.counters(async |key| moka.increment(key).await)
    });
    cases.case("quick_cache entry + 1", || {
        traffic.counters(async |key| quick.increment(key))
    });

    let title = format!("M3: increment with a window, {}", traffic.name());
    Table::new(&title, Unit::Time, cases.measure(rounds))
        .ratios_to("DashMap entry + 1")
        .goal("typed increment", AtMost(1.25), "DashMap entry + 1")
        .goal("typed increment", AtMost(1.0 / 15.0), "moka upsert")
}

fn get_on_threads(traffic: &Traffic, rounds: usize) -> Table {
    let backend = filled(traffic);
    let map = Map::<Bytes>::filled(traffic);
    let moka = runtime().block_on(Moka::filled(traffic));
    let quick = Quick::filled(traffic);

    let mut cases = Cases::new();
    for threads in [1, 2] {
        let (backend, map, moka, quick) = (&backend, &map, &moka, &quick);
        cases.case(&on_threads("typed get", threads), move || {
            traffic.threads(threads, async |key, _| {
                Session::get(backend, id(key)).await.unwrap().unwrap()
            })
        });
        cases.case(&on_threads("DashMap get + decode", threads), move || {
            traffic.threads(threads, async |key, _| map.get_decoded(key).unwrap())
        });
        cases.case(&on_threads("moka get", threads), move || {
            traffic.threads(threads, async |key, _| moka.get(key).await.unwrap())
        });
        cases.case(&on_threads("quick_cache get", threads), move || {
            traffic.threads(threads, async |key, _| quick.get(key).unwrap())
        });
    }

    let title = format!("M4: get on threads, {}", traffic.name());
    Table::new(&title, Unit::Rate, cases.measure(rounds))
        .ratios_to(&on_threads("typed get", 1))
        .goal(
            &on_threads("typed get", 2),
            AtLeast(1.6),
            &on_threads("typed get", 1),
        )
}

fn save_on_threads(traffic: &Traffic, rounds: usize) -> Table {
    let backend = filled(traffic);
    let map = Map::<Bytes>::filled(traffic);
    let moka = runtime().block_on(Moka::filled(traffic));
    let quick = Quick::filled(traffic);

    let mut cases = Cases::new();
    for threads in [1, 2] {
        let (backend, map, moka, quick) = (&backend, &map, &moka, &quick);
        cases.case(&on_threads("typed save", threads), move || {
            traffic.threads(threads, async |_, session| {
                session.save(backend).await.unwrap()
            })
        });
        cases.case(&on_threads("encode + DashMap insert", threads), move || {
            traffic.threads(threads, async |key, session| {
                map.insert_encoded(key, session, &mut Vec::with_capacity(128));
            })
        });
        cases.case(&on_threads("moka insert of a clone", threads), move || {
            traffic.threads(threads, async |key, session| {
                moka.insert(key, session.clone()).await
            })
        });
        cases.case(
            &on_threads("quick_cache insert of a clone", threads),
            move || {
                traffic.threads(threads, async |key, session| {
                    quick.insert(key, session.clone())
                })
            },
        );
    }

    let title = format!("M4: save on threads, {}", traffic.name());
    Table::new(&title, Unit::Rate, cases.measure(rounds))
        .ratios_to(&on_threads("typed save", 1))
        .goal(
            &on_threads("typed save", 2),
            AtLeast(1.3),
            &on_threads("typed save", 1),
        )
}

fn on_threads(name: &str, threads: usize) -> String {
    format!(
        "{name}, {threads} thread{}",
        if threads == 1 { "" } else { "s" }
    )
}

fn filled(traffic: &Traffic) -> MemoryBackend {
    let backend = MemoryBackend::new();
    runtime().block_on(async {
        for (_, session) in traffic.distinct() {
            session.save(&backend).await.unwrap();
        }
    });
    backend
}
