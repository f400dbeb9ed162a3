//! The speed of the memory backend beside DashMap, moka and quick_cache: rows M1 to M4 of the
//! goals.
//!
//! `cargo bench -p reinhardt-backends-tests --bench memory -- [ROUNDS] [get] [save] [increment]
//! [threads]`

mod peers;
#[expect(dead_code, reason = "who counts instructions has traffic of its own")]
mod traffic;

use std::sync::Arc;

use bytes::Bytes;
use reinhardt_backends::{Backend, MemoryBackend};
use reinhardt_backends_tests::measure::Bound::{self, AtLeast, AtMost};
use reinhardt_backends_tests::measure::{Cases, Measured, Report, Run, Table, Unit};

use self::peers::{Map, MapOfCounters, Moka, MokaOfCounters, Quick, QuickOfCounters};
use self::traffic::{Rate, Session, Sliding, Traffic, client, id, runtime};

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
                for table in part(&traffic, run.rounds()) {
                    report.table(&table);
                }
            }
        }
    }
    if run.wants("threads") {
        for table in get_on_threads(&Traffic::hot(), run.rounds()) {
            report.table(&table);
        }
    }
    report.finish();
}

type Part = fn(&Traffic, usize) -> Vec<Table>;

fn get(traffic: &Traffic, rounds: usize) -> Vec<Table> {
    let Stores {
        backend,
        renewing,
        map,
        moka,
        quick,
    } = Stores::filled(traffic);
    let object: &dyn Backend = &backend;
    let arcs = Map::<Arc<[u8]>>::filled(traffic);

    let mut cases = Cases::new();
    cases.case("typed get", || {
        traffic.keys(async |key| Session::get(&backend, id(key)).await.unwrap().unwrap())
    });
    cases.case("typed get, &dyn Backend", || {
        traffic.keys(async |key| Session::get(object, id(key)).await.unwrap().unwrap())
    });
    cases.case("typed get_shared", || {
        traffic.keys(async |key| {
            Session::get_shared(&backend, id(key))
                .await
                .unwrap()
                .unwrap()
        })
    });
    cases.case("typed get, sliding", || {
        traffic.keys(async |key| {
            let sliding = Sliding { id: id(key) };
            sliding.get(&renewing).await.unwrap().unwrap()
        })
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
    let table = Table::new(&title, Unit::Time, cases.measure(rounds))
        .ratios_to("DashMap get + decode")
        .goal("typed get", AtMost(1.15), "DashMap get + decode")
        .goal("typed get", AtMost(1.0), "moka get")
        .goal("typed get_shared", AtMost(1.6), "DashMap get")
        .goal("moka get", AtLeast(2.5), "typed get_shared");
    vec![table]
}

fn save(traffic: &Traffic, rounds: usize) -> Vec<Table> {
    let Stores {
        backend,
        map,
        moka,
        quick,
        ..
    } = Stores::filled(traffic);
    let object: &dyn Backend = &backend;
    let mut buffer = Vec::new();

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
    let table = Table::new(&title, Unit::Time, cases.measure(rounds))
        .ratios_to("encode + DashMap insert")
        .goal("typed save", AtMost(1.5), "encode + DashMap insert")
        .goal("moka insert", AtLeast(5.0), "typed save");
    vec![table]
}

fn increment(traffic: &Traffic, rounds: usize) -> Vec<Table> {
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
    let table = Table::new(&title, Unit::Time, cases.measure(rounds))
        .ratios_to("DashMap entry + 1")
        .goal("typed increment", AtMost(1.25), "DashMap entry + 1")
        .goal("moka upsert", AtLeast(15.0), "typed increment");
    vec![table]
}

fn get_on_threads(traffic: &Traffic, rounds: usize) -> Vec<Table> {
    let Stores {
        backend,
        renewing,
        map,
        moka,
        quick,
    } = Stores::filled(traffic);

    let mut cases = Cases::new();
    for threads in [1, 2] {
        let (backend, renewing) = (&backend, &renewing);
        let (map, moka, quick) = (&map, &moka, &quick);
        cases.case(&on_threads("typed get", threads), move || {
            traffic.threads(threads, async |key, _| {
                Session::get(backend, id(key)).await.unwrap().unwrap()
            })
        });
        cases.case(&on_threads("typed get, sliding", threads), move || {
            traffic.threads(threads, async |key, _| {
                let sliding = Sliding { id: id(key) };
                sliding.get(renewing).await.unwrap().unwrap()
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

    // On one key threads wait for one another: there is no goal.
    let bound = (traffic.distinct().count() > 1).then_some(AtLeast(1.6));
    two_over_one("get", traffic, &cases.measure(rounds), bound)
}

fn save_on_threads(traffic: &Traffic, rounds: usize) -> Vec<Table> {
    let Stores {
        backend,
        map,
        moka,
        quick,
        ..
    } = Stores::filled(traffic);

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

    two_over_one("save", traffic, &cases.measure(rounds), Some(AtLeast(1.3)))
}

fn two_over_one(
    what: &str,
    traffic: &Traffic,
    measured: &Measured,
    bound: Option<Bound>,
) -> Vec<Table> {
    let mut scaling = Measured::default();
    for two in measured.names() {
        if let Some(case) = two.strip_suffix(TWO) {
            scaling.add(case, measured.ratios(two, &on_threads(case, 1)));
        }
    }
    let ours = format!("typed {what}");
    let rates = format!("M4: {what} on threads, {}", traffic.name());
    let ratios = format!("M4: {what}, two threads over one, {}", traffic.name());
    let ratios = Table::new(&ratios, Unit::Times, scaling);
    vec![
        Table::new(&rates, Unit::Rate, measured.clone()).ratios_to(&on_threads(&ours, 1)),
        match bound {
            Some(bound) => ratios.limit(&ours, bound),
            None => ratios,
        },
    ]
}

fn on_threads(name: &str, threads: usize) -> String {
    let suffix = if threads == 1 { ONE } else { TWO };
    format!("{name}{suffix}")
}

/// Every store, with all sessions in it.
struct Stores {
    backend: MemoryBackend,
    /// As `backend`, where every read renews what it reads.
    renewing: MemoryBackend,
    map: Map<Bytes>,
    moka: Moka,
    quick: Quick,
}

impl Stores {
    fn filled(traffic: &Traffic) -> Self {
        let (backend, renewing) = (MemoryBackend::new(), MemoryBackend::new());
        let moka = runtime().block_on(async {
            for (_, session) in traffic.distinct() {
                session.save(&backend).await.unwrap();
                let sliding = Sliding { id: &session.id };
                sliding.set(&renewing, session).await.unwrap();
            }
            Moka::filled(traffic).await
        });
        Self {
            backend,
            renewing,
            map: Map::filled(traffic),
            moka,
            quick: Quick::filled(traffic),
        }
    }
}

const ONE: &str = ", 1 thread";
const TWO: &str = ", 2 threads";
