//! A cluster keeps every clause of the contract.

use reinhardt_backends::conformance;
use reinhardt_backends::conformance::Harness;
use reinhardt_backends_tests::{RedisCluster, RedisClusterAlone};

reinhardt_backends::conformance_suite!(RedisCluster);

macro_rules! on_a_cluster_of_its_own {
    ($($clause:ident)*) => {
        $(#[test]
        fn $clause() {
            RedisClusterAlone::run(async {
                conformance::$clause(&RedisClusterAlone::default()).await;
            });
        })*
    };
}

on_a_cluster_of_its_own! {
    every_call_to_a_stopped_server_ends
    a_dead_backend_is_an_error_not_a_miss
    nothing_is_written_twice
}
