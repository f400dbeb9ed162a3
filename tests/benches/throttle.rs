//! The cost of a throttle, in memory and on Redis, and a picture of how each algorithm lets a burst
//! through.
//!
//! `cargo bench -p reinhardt-backends-tests --bench throttle -- [ROUNDS] [memory] [redis]
//! [picture]`

use std::hint::black_box;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use governor::{Quota as Rate, RateLimiter};
use plotters::prelude::*;
use redis::aio::MultiplexedConnection;
use redis::{Client, Script};
use reinhardt_backends::store::Store;
use reinhardt_backends::throttle::{Attempt, Quota};
use reinhardt_backends::{Keyspace, MemoryBackend, RedisBackend};
use reinhardt_backends_tests::Server;
use reinhardt_backends_tests::measure::{Cases, Report, Run, Sweep, Table, Unit};
use tokio::runtime::{Builder, Runtime};

fn main() {
    let Some(run) = Run::from_arguments(7) else {
        return;
    };
    let mut report = Report::new("throttle");
    if run.wants("memory") {
        report.table(&memory("a call that is allowed", run.rounds()));
        report.table(&memory(REFUSED, run.rounds()));
    }
    if run.wants("redis") {
        report.sweep(&redis(run.rounds()));
    }
    if run.wants("picture") {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/results/bursts.svg");
        picture(&path);
        report.line(&format!("picture in {}", path.display()));
    }
    report.finish();
}

#[derive(Keyspace)]
#[keyspace(prefix = "gcra", limit = "1000000/s")]
struct Open {
    client: usize,
}

#[derive(Keyspace)]
#[keyspace(prefix = "sliding", limit = "1000000/s", window = "sliding")]
struct Sliding {
    client: usize,
}

#[derive(Keyspace)]
#[keyspace(prefix = "both", limit = ["1000000/s", "100000000/h"])]
struct Both {
    client: usize,
}

#[derive(Keyspace)]
#[keyspace(prefix = "closed", limit = "1/day")]
struct Closed {
    client: usize,
}

#[derive(Keyspace)]
#[keyspace(prefix = "counter", ttl = "1s", counter)]
struct Counter {
    client: usize,
}

const CLIENTS: usize = 1000;
const CALLS: usize = 200_000;
const HIT: &str = "hit, a counter with a window";
const REFUSED: &str = "a call that is refused";

/// Nanoseconds a call on a thousand keys.
fn memory(what: &str, rounds: usize) -> Table {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let backend = MemoryBackend::new();
    let refuses = what == REFUSED;
    let each = |call: &dyn Fn(usize)| {
        let begun = Instant::now();
        for index in 0..CALLS {
            call(index % CLIENTS);
        }
        begun.elapsed().as_nanos() as f64 / CALLS as f64
    };
    macro_rules! ours {
        ($keyspace:ident.$method:ident) => {
            || {
                runtime.block_on(async {
                    let begun = Instant::now();
                    for index in 0..CALLS {
                        let key = $keyspace {
                            client: index % CLIENTS,
                        };
                        let _ = black_box(key.$method(&backend).await.expect("memory answers"));
                    }
                    begun.elapsed().as_nanos() as f64 / CALLS as f64
                })
            }
        };
    }
    let rate = match refuses {
        true => Rate::with_period(Duration::from_secs(86_400)).expect("a period"),
        false => Rate::per_second(NonZeroU32::new(1_000_000).expect("a number")),
    };
    let governor = RateLimiter::dashmap(rate);
    let mut cases = Cases::new();
    if refuses {
        cases.case("check, GCRA", ours!(Closed.check));
    } else {
        cases.case("check, GCRA", ours!(Open.check));
        cases.case("check, sliding window", ours!(Sliding.check));
        cases.case("check, two quotas", ours!(Both.check));
    }
    cases.case(HIT, ours!(Counter.hit));
    cases.case("governor, keyed", || {
        each(&|client| {
            let _ = black_box(governor.check_key(&client));
        })
    });
    Table::new(
        &format!("In memory: {what}"),
        Unit::Time,
        cases.measure(rounds),
    )
    .ratios_to(HIT)
}

/// Calls a second with so many tasks at once.
fn redis(rounds: usize) -> Sweep {
    let server = Server::on_tcp();
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let client = Client::open(server.url()).expect("a URL");
    let (ours, raw) = runtime.block_on(async {
        let ours = RedisBackend::new(&server.url()).await.expect("the server");
        let raw = client
            .get_multiplexed_async_connection()
            .await
            .expect("the server");
        (ours, raw)
    });
    let script = Arc::new(Script::new(include_str!(
        "../../backends/src/backend/redis/scripts/throttle.lua"
    )));
    let mut sweep = Sweep::new("On Redis: a call that is allowed", Unit::Rate).ratios_to(RAW);
    for tasks in [1, 64, 256] {
        let mut cases = Cases::new();
        cases.case("check, GCRA", || {
            let ours = ours.clone();
            rate(&runtime, tasks, move |client| {
                let ours = ours.clone();
                async move {
                    assert!(
                        Open { client }
                            .check(&ours)
                            .await
                            .expect("an answer")
                            .allowed
                    );
                }
            })
        });
        cases.case(HIT, || {
            let ours = ours.clone();
            rate(&runtime, tasks, move |client| {
                let ours = ours.clone();
                async move {
                    Counter { client }.hit(&ours).await.expect("an answer");
                }
            })
        });
        cases.case(RAW, || {
            let (raw, script) = (raw.clone(), script.clone());
            rate(&runtime, tasks, move |client| {
                let (raw, script) = (raw.clone(), script.clone());
                async move { raw_check(raw, &script, client).await }
            })
        });
        sweep.point(tasks, cases.measure(rounds));
    }
    sweep
}

const RAW: &str = "redis-rs, the same script";

async fn raw_check(mut connection: MultiplexedConnection, script: &Script, client: usize) {
    let mut call = script.key(format!("raw:{client}"));
    call.arg(1).arg(0).arg("g1000").arg(1_000_000).arg(1).arg(1);
    let answer: (i64, i64, i64, i64, i64, i64) =
        call.invoke_async(&mut connection).await.expect("an answer");
    assert_eq!(answer.0, 1);
}

fn rate<F>(
    runtime: &Runtime,
    tasks: usize,
    call: impl Fn(usize) -> F + Clone + Send + 'static,
) -> f64
where
    F: Future<Output = ()> + Send,
{
    let each = 40_000 / tasks;
    let begun = Instant::now();
    let work = (0..tasks).map(|task| {
        let call = call.clone();
        runtime.spawn(async move {
            for round in 0..each {
                call((task * 31 + round) % CLIENTS).await;
            }
        })
    });
    for ended in runtime.block_on(join_all(work)) {
        ended.expect("no task panics");
    }
    (tasks * each) as f64 / begun.elapsed().as_secs_f64()
}

/// Draws when each algorithm lets a call pass: a client calls once, is silent, and then calls twice
/// a second.
fn picture(path: &Path) {
    let minute = Duration::from_secs(60);
    let lanes = [
        (
            "fixed_window(10, 1 min)",
            Some(Quota::fixed_window(10, minute)),
        ),
        (
            "sliding_window(10, 1 min)",
            Some(Quota::sliding_window(10, minute)),
        ),
        ("gcra(10, 1 min)", Some(Quota::gcra(10, minute))),
        (
            "gcra(10, 1 min), burst 1",
            Some(Quota::gcra(10, minute).with_burst(1)),
        ),
        ("what is asked for", None),
    ];
    let lanes = lanes.map(|(name, quota)| (name, passed(quota)));
    let draw = || -> Result<(), Box<dyn std::error::Error>> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let root = SVGBackend::new(path, (900, 330)).into_drawing_area();
        root.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&root)
            .caption("Ten a minute: when a call passes", ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(40)
            .build_cartesian_2d(-62.0..186.0, 0.0..lanes.len() as f64)?;
        chart
            .configure_mesh()
            .disable_mesh()
            .disable_y_axis()
            .x_labels(32)
            .x_label_formatter(&|second| match (*second >= 0.0) && second % 30.0 == 0.0 {
                true => format!("{second:.0} s"),
                false => String::new(),
            })
            .draw()?;
        for (row, (name, times)) in lanes.iter().rev().enumerate() {
            let row = row as f64;
            let colour = if row == 0.0 { BLACK } else { BLUE }.mix(0.7);
            let text = ("sans-serif", 14).into_font();
            chart.draw_series([Text::new(
                name.to_string(),
                (-60.0, row + 0.72),
                text.clone(),
            )])?;
            let most = format!("at most {} in 60 s", most_in_a_minute(times));
            let small = ("sans-serif", 12).into_font().color(&BLACK.mix(0.6));
            chart.draw_series([Text::new(most, (-60.0, row + 0.45), small)])?;
            for (index, time) in times.iter().enumerate() {
                // Requests that come without an end are drawn as one block.
                if row > 0.0 || index == 0 {
                    let bar = [(*time, row + 0.15), (*time, row + 0.8)];
                    chart.draw_series([PathElement::new(bar, colour.stroke_width(1))])?;
                } else if let (1, Some(last)) = (index, times.last()) {
                    let block = [(*time, row + 0.15), (*last, row + 0.8)];
                    chart.draw_series([Rectangle::new(block, colour.filled())])?;
                }
            }
        }
        root.present()?;
        Ok(())
    };
    draw().expect("the picture can be drawn");
    // A label without text is an empty line, at which the picture would end where it stands in a
    // page of Markdown.
    let drawn = std::fs::read_to_string(path).expect("it was just drawn");
    let lines = drawn.lines().filter(|line| !line.is_empty());
    std::fs::write(path, lines.collect::<Vec<_>>().join("\n")).expect("it was just drawn");
}

/// Returns the seconds at which calls pass.
fn passed(quota: Option<Quota>) -> Vec<f64> {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let backend = MemoryBackend::new();
        let mut times = Vec::new();
        for half_second in 0..370 {
            let seconds = f64::from(half_second) / 2.0;
            if half_second == 0 || half_second >= 100 {
                let passes = match quota {
                    Some(quota) => {
                        let attempt = backend.throttle("client", Attempt::new(&[quota])).await;
                        attempt.expect("memory answers").allowed
                    }
                    None => true,
                };
                if passes {
                    times.push(seconds);
                }
            }
            tokio::time::advance(Duration::from_millis(500)).await;
        }
        times
    })
}

fn most_in_a_minute(times: &[f64]) -> usize {
    let within = |from: &f64| {
        times
            .iter()
            .filter(|time| (*from..from + 60.0).contains(time))
            .count()
    };
    times.iter().map(within).max().unwrap_or(0)
}
