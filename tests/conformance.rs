//! Every backend keeps every clause of the contract.

#[allow(unreachable_pub)]
#[path = "../examples/own_backend.rs"]
mod own_backend;

/// In paused time.
mod memory {
    use reinhardt_backends::MemoryBackend;
    use reinhardt_backends_tests::InProcess;

    reinhardt_backends::conformance_suite!(InProcess<MemoryBackend>);
}

mod memory_with_bounds {
    reinhardt_backends::conformance_suite!(reinhardt_backends_tests::Bounded<false>);
}

mod memory_that_evicts {
    reinhardt_backends::conformance_suite!(reinhardt_backends_tests::Bounded<true>);
}

/// Each test on a private server.
mod redis {
    reinhardt_backends::conformance_suite!(reinhardt_backends_tests::Redis, server);
}

mod redis_in_an_odd_namespace {
    reinhardt_backends::conformance_suite!(reinhardt_backends_tests::OddNamespace, server);
}

mod redis_by_tls {
    reinhardt_backends::conformance_suite!(reinhardt_backends_tests::RedisByTls, server);
}

mod redis_as_old_servers_and_proxies_have_it {
    reinhardt_backends::conformance_suite!(reinhardt_backends_tests::OldServer, server);
}

mod arc_dyn_memory {
    use reinhardt_backends::MemoryBackend;
    use reinhardt_backends_tests::{InProcess, Shared};

    reinhardt_backends::conformance_suite!(Shared<InProcess<MemoryBackend>>);
}

mod arc_dyn_redis {
    use reinhardt_backends_tests::{Redis, Shared};

    reinhardt_backends::conformance_suite!(Shared<Redis>, server);
}

mod box_dyn_memory {
    use reinhardt_backends::MemoryBackend;
    use reinhardt_backends_tests::{Boxed, InProcess};

    reinhardt_backends::conformance_suite!(Boxed<InProcess<MemoryBackend>>);
}

/// The backend of the example, which has the required methods and nothing else.
mod own {
    use reinhardt_backends_tests::InProcess;

    use super::own_backend::MapBackend;

    reinhardt_backends::conformance_suite!(InProcess<MapBackend>);
}

/// A layer that keeps the fast path.
mod layered_memory {
    use reinhardt_backends::MemoryBackend;
    use reinhardt_backends_tests::{InProcess, Layered};

    reinhardt_backends::conformance_suite!(Layered<InProcess<MemoryBackend>, true>);
}

mod layered_memory_without_a_fast_path {
    use reinhardt_backends::MemoryBackend;
    use reinhardt_backends_tests::{InProcess, Layered};

    reinhardt_backends::conformance_suite!(Layered<InProcess<MemoryBackend>, false>);
}

mod layered_redis {
    use reinhardt_backends_tests::{Layered, Redis};

    reinhardt_backends::conformance_suite!(Layered<Redis, true>, server);
}

/// Without rules.
mod flaky_memory {
    use reinhardt_backends::MemoryBackend;
    use reinhardt_backends::testing::Flaky;
    use reinhardt_backends_tests::InProcess;

    reinhardt_backends::conformance_suite!(InProcess<Flaky<MemoryBackend>>);
}

mod layered_own {
    use reinhardt_backends_tests::{InProcess, Layered};

    use super::own_backend::MapBackend;

    reinhardt_backends::conformance_suite!(Layered<InProcess<MapBackend>, true>);
}

mod observed_memory {
    use reinhardt_backends::MemoryBackend;
    use reinhardt_backends_tests::{InProcess, Observed};

    reinhardt_backends::conformance_suite!(Observed<InProcess<MemoryBackend>>);
}

mod observed_redis {
    use reinhardt_backends_tests::{Observed, Redis};

    reinhardt_backends::conformance_suite!(Observed<Redis>, server);
}
