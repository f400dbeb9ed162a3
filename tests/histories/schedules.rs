//! Some dozens of schedules; `cargo run --bin histories` runs more.

use reinhardt_backends_tests::histories::{Plan, Stage, run};

fn all_are_right(stage: Stage, seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let plan = Plan::new(stage, seed);
        let outcome = run(&plan, None);
        let [answered, ..] = outcome.counts();
        assert!(answered > 0 && outcome.deleted_sessions > 0, "{plan}");
        match outcome.verdict {
            Ok(judged) => assert!(judged.undecided * 20 <= judged.keys, "{plan}: {judged:?}"),
            Err(violation) => panic!("{plan}: {violation}"),
        }
    }
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
