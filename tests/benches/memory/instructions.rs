//! The number of instructions that an operation takes, where the time of a shared machine says
//! little: rows M1 to M3, warm.
//!
//! `cargo bench -p reinhardt-backends-tests --bench instructions -- [get] [save] [increment]
//! [layers] [parts]`, with valgrind on the path.

#[expect(dead_code, reason = "who times them asks them for more")]
mod peers;
#[expect(dead_code, reason = "what is timed has more traffic")]
mod traffic;

use std::env;
use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use reinhardt_backends::codec::{Cbor, Codec};
use reinhardt_backends::layer::{Answer, Intercept, Next, Observe, Operation};
use reinhardt_backends::store::check_ttl;
use reinhardt_backends::{Backend, BackendResult, KeyStream, MemoryBackend};
use reinhardt_backends_tests::measure::Bound::AtMost;
use reinhardt_backends_tests::measure::{Measured, Report, Run, Table, Unit, instructions};
use tokio::time::Instant;

use self::peers::{Map, MapOfCounters};
use self::traffic::{Rate, Session, Sliding, Traffic, client, encoded, id, runtime};

fn main() {
    let arguments: Vec<String> = env::args().collect();
    if let [_, case, passes] = arguments.as_slice()
        && let Ok(passes) = passes.parse()
    {
        return run_case(case, passes);
    }
    let Some(run) = Run::from_arguments(1) else {
        return;
    };
    let operations = Traffic::counted().operations() as f64;
    let mut report = Report::new("instructions");
    for (part, title, baseline, cases, goals) in PARTS {
        if !run.wants(part) {
            continue;
        }
        let mut measured = Measured::default();
        for (name, _) in *cases {
            // Both counts contain the filling of the stores and the work of the first pass.
            let counts = ["1", "2"].map(|passes| instructions(&[name, passes]));
            let [Some(once), Some(twice)] = counts else {
                println!("nothing is counted: there is no `valgrind` on the path");
                return;
            };
            measured.add(name, vec![(twice - once) / operations]);
        }
        let mut table = Table::new(title, Unit::Count, measured).ratios_to(baseline);
        for (case, bound, baseline) in *goals {
            table = table.goal(case, AtMost(*bound), baseline);
        }
        report.table(&table);
    }
    report.finish();
}

type Part = (
    &'static str,
    &'static str,
    &'static str,
    &'static [(&'static str, Case)],
    &'static [(&'static str, f64, &'static str)],
);

/// Goes through the operations of the traffic so many times.
type Case = fn(&Traffic, usize);

const PARTS: &[Part] = &[
    (
        "get",
        "M1: instructions of a get, warm",
        "DashMap get + decode",
        &[
            ("typed get", |traffic, passes| {
                let backend = filled(traffic);
                repeat(passes, || {
                    traffic.keys(async |key| Session::get(&backend, id(key)).await.unwrap())
                });
            }),
            ("typed get_shared", |traffic, passes| {
                let backend = filled(traffic);
                repeat(passes, || {
                    traffic.keys(async |key| Session::get_shared(&backend, id(key)).await.unwrap())
                });
            }),
            ("typed get, sliding", |traffic, passes| {
                let backend = MemoryBackend::new();
                slide(traffic, &backend);
                repeat(passes, || {
                    traffic.keys(async |key| Sliding { id: id(key) }.get(&backend).await.unwrap())
                });
            }),
            ("raw get", |traffic, passes| {
                let backend = filled(traffic);
                repeat(passes, || {
                    traffic.keys(async |key| backend.get::<Session>(key).await.unwrap())
                });
            }),
            ("get_stored, no decoding", |traffic, passes| {
                let backend = filled(traffic);
                repeat(passes, || {
                    traffic.keys(async |key| backend.get_stored(key).await.unwrap())
                });
            }),
            ("DashMap get + decode", |traffic, passes| {
                let map = Map::<Bytes>::filled(traffic);
                repeat(passes, || traffic.keys(async |key| map.get_decoded(key)));
            }),
            ("DashMap get", |traffic, passes| {
                let map = Map::<Bytes>::filled(traffic);
                repeat(passes, || traffic.keys(async |key| map.get(key)));
            }),
        ],
        &[
            ("typed get", 1.15, "DashMap get + decode"),
            ("typed get_shared", 2.1, "DashMap get"),
        ],
    ),
    (
        "save",
        "M2: instructions of a save with TTL, warm",
        "encode + DashMap insert",
        &[
            ("typed save", |traffic, passes| {
                let backend = filled(traffic);
                repeat(passes, || {
                    traffic.sessions(async |_, session| session.save(&backend).await.unwrap())
                });
            }),
            ("raw set", |traffic, passes| {
                let backend = filled(traffic);
                let ttl = Some(traffic::TTL);
                repeat(passes, || {
                    traffic.sessions(async |key, session| {
                        backend.set(key, session, ttl).await.unwrap();
                    })
                });
            }),
            ("encode + DashMap insert", |traffic, passes| {
                let map = Map::<Bytes>::filled(traffic);
                let mut buffer = Vec::new();
                repeat(passes, || {
                    traffic.sessions(async |key, session| {
                        map.insert_encoded(key, session, &mut buffer);
                    })
                });
            }),
        ],
        &[("typed save", 1.45, "encode + DashMap insert")],
    ),
    (
        "increment",
        "M3: instructions of an increment with a window, warm",
        "DashMap entry + 1",
        &[
            ("typed increment", |traffic, passes| {
                let backend = MemoryBackend::new();
                repeat(passes, || {
                    traffic.counters(async |key| {
                        let client = client(key);
                        Rate { client }.increment(&backend).await.unwrap()
                    })
                });
            }),
            ("raw increment", |traffic, passes| {
                let backend = MemoryBackend::new();
                let window = Some(traffic::WINDOW);
                repeat(passes, || {
                    traffic.counters(async |key| backend.increment(key, window).await.unwrap())
                });
            }),
            ("DashMap entry + 1", |traffic, passes| {
                let map = MapOfCounters::default();
                repeat(passes, || traffic.counters(async |key| map.increment(key)));
            }),
        ],
        &[("typed increment", 1.7, "DashMap entry + 1")],
    ),
    (
        "layers",
        "Instructions of a typed get and an increment in layers that do nothing, warm",
        "typed get",
        &[
            ("typed get", |traffic, passes| {
                let backend = filled(traffic);
                repeat(passes, || {
                    traffic.keys(async |key| Session::get(&backend, id(key)).await.unwrap())
                });
            }),
            ("typed get in a layer", |traffic, passes| {
                let backend = filled(traffic).layer(Idle::<true>);
                repeat(passes, || {
                    traffic.keys(async |key| Session::get(&backend, id(key)).await.unwrap())
                });
            }),
            (
                "typed get in a layer without a fast path",
                |traffic, passes| {
                    let backend = filled(traffic).layer(Idle::<false>);
                    repeat(passes, || {
                        traffic.keys(async |key| Session::get(&backend, id(key)).await.unwrap())
                    });
                },
            ),
            ("typed get, observed by no recorder", |traffic, passes| {
                let backend = filled(traffic).layer(Observe::new().with_metrics());
                repeat(passes, || {
                    traffic.keys(async |key| Session::get(&backend, id(key)).await.unwrap())
                });
            }),
            ("typed get, observed by a recorder", |traffic, passes| {
                let backend = filled(traffic).layer(Observe::new().with_metrics());
                let recorder = metrics_util::debugging::DebuggingRecorder::new();
                metrics::with_local_recorder(&recorder, || {
                    repeat(passes, || {
                        traffic.keys(async |key| Session::get(&backend, id(key)).await.unwrap())
                    });
                });
            }),
            ("typed get, traced for no subscriber", |traffic, passes| {
                let backend = filled(traffic).layer(Observe::new().with_tracing());
                repeat(passes, || {
                    traffic.keys(async |key| Session::get(&backend, id(key)).await.unwrap())
                });
            }),
            ("increment", |traffic, passes| {
                increments(traffic, passes, &MemoryBackend::new())
            }),
            ("increment in a layer", |traffic, passes| {
                increments(traffic, passes, &MemoryBackend::new().layer(Idle::<true>));
            }),
            (
                "increment in a layer without a fast path",
                |traffic, passes| {
                    increments(traffic, passes, &MemoryBackend::new().layer(Idle::<false>));
                },
            ),
        ],
        &[],
    ),
    (
        "parts",
        "Instructions of what operations are made of",
        "the key",
        &[
            ("nothing", |traffic, passes| {
                repeat(passes, || traffic.keys(async |key| key.len()));
            }),
            ("the key", |traffic, passes| {
                repeat(passes, || traffic.keys(async |key| Session::key(id(key))));
            }),
            ("the clock", |traffic, passes| {
                repeat(passes, || traffic.keys(async |_| Instant::now()));
            }),
            ("the TTL", |traffic, passes| {
                let ttl = |_: &str| check_ttl(black_box(Duration::from_secs(1800))).unwrap();
                repeat(passes, || traffic.keys(async |key| ttl(key)));
            }),
            ("encoding", |traffic, passes| {
                repeat(passes, || {
                    traffic.sessions(async |_, session| Cbor::encode(session).unwrap())
                });
            }),
            ("encoding by ciborium, buffer reused", |traffic, passes| {
                let mut buffer = Vec::new();
                repeat(passes, || {
                    traffic.sessions(async |_, session| {
                        buffer.clear();
                        ciborium::into_writer(session, &mut buffer).unwrap();
                        black_box(&buffer);
                    })
                });
            }),
            ("decoding", |traffic, passes| {
                let (_, session) = traffic.distinct().next().unwrap();
                let bytes = encoded(session);
                let decode = || Cbor::decode::<Session>(black_box(&bytes)).unwrap();
                repeat(passes, || traffic.keys(async |_| decode()));
            }),
        ],
        &[],
    ),
];

/// A layer that does nothing.
struct Idle<const FAST_PATH: bool>;

impl<const FAST_PATH: bool> Intercept for Idle<FAST_PATH> {
    const FAST_PATH: bool = FAST_PATH;

    async fn call<T: Answer>(&self, _: Operation<'_>, next: Next<'_, T>) -> BackendResult<T> {
        next.run().await
    }

    fn call_now<T: Answer>(
        &self,
        _: Operation<'_>,
        next: impl FnOnce() -> BackendResult<T>,
    ) -> BackendResult<T> {
        next()
    }

    fn keys<'a>(&'a self, _: Operation<'_>, next: KeyStream<'a>) -> KeyStream<'a> {
        next
    }
}

fn increments(traffic: &Traffic, passes: usize, backend: &impl Backend) {
    let window = Some(traffic::WINDOW);
    repeat(passes, || {
        traffic.counters(async |key| backend.increment(key, window).await.unwrap())
    });
}

fn run_case(case: &str, passes: usize) {
    let mut cases = PARTS.iter().flat_map(|(.., cases, _)| *cases);
    let (_, run) = cases
        .find(|(name, _)| *name == case)
        .expect("who counts names a case");
    run(&Traffic::counted(), passes);
}

fn repeat(passes: usize, mut pass: impl FnMut() -> f64) {
    for _ in 0..passes {
        pass();
    }
}

fn slide(traffic: &Traffic, backend: &MemoryBackend) {
    runtime().block_on(async {
        for (_, session) in traffic.distinct() {
            let sliding = Sliding { id: &session.id };
            sliding.set(backend, session).await.unwrap();
        }
    });
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
