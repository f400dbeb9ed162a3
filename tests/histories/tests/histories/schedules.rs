//! Some dozens of schedules; `cargo run -p reinhardt-backends-histories` runs more.

use reinhardt_backends_histories::{Plan, Seen, Stage, run};

fn all_are_right(stage: Stage, seeds: std::ops::Range<u64>) {
    let mut seen = Seen::default();
    for seed in seeds {
        let plan = Plan::new(stage, seed);
        let outcome = run(&plan, None);
        let [answered, ..] = outcome.counts();
        assert!(answered > 0, "{plan}");
        seen.add(outcome.seen);
        match outcome.verdict {
            Ok(judged) => assert!(judged.undecided * 20 <= judged.keys, "{plan}: {judged:?}"),
            Err(violation) => panic!("{plan}: {violation}"),
        }
    }
    let Seen {
        allowed,
        sessions,
        grants,
        cached,
        lists,
    } = seen;
    let least = [allowed, sessions, grants, cached, lists].into_iter().min();
    assert!(least > Some(0), "{seen:?}");
}

#[test]
fn schedules_in_memory_are_right() {
    all_are_right(Stage::Memory, 0..12);
}

#[test]
fn schedules_on_a_server_are_right() {
    all_are_right(Stage::Server, 0..12);
}

#[test]
fn schedules_on_a_cluster_are_right() {
    all_are_right(Stage::Cluster, 0..3);
}

#[test]
fn schedules_where_sentinels_watch_are_right() {
    all_are_right(Stage::Sentinel, 0..2);
}
