//! A call allocates as little as is promised, whatever the backend is wrapped in.
//!
//! That is nothing for an accessor and for a raw call that memory answers at once, one boxed future
//! for other raw calls, and the entry where a call writes one.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use reinhardt_backends::{Backend, Keyspace, Life, MemoryBackend, Write};

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "1m", version = 12, value = u8)]
struct Page<'a> {
    site: u32,
    path: &'a str,
}

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = "1m", counter)]
struct Hits {
    site: u32,
}

/// Returns how often `call`, which is ready at once, allocates.
fn allocations<T, F: Future<Output = T>>(call: impl FnOnce() -> F) -> u64 {
    let mut call = Some(call);
    let info = allocation_counter::measure(|| {
        let output = call.take().unwrap()().now_or_never();
        assert!(output.is_some(), "memory answers at once");
    });
    info.count_total
}

fn few_allocations_a_call<B: Backend>(backend: &B) {
    backend
        .set("flag", true, None)
        .now_or_never()
        .unwrap()
        .unwrap();
    backend
        .set("hits", 1, None)
        .now_or_never()
        .unwrap()
        .unwrap();
    // The first read of a thread makes its counts of hits and misses.
    backend.get::<bool>("flag").now_or_never().unwrap().unwrap();
    let minute = Some(Duration::from_secs(60));
    assert_eq!(allocations(|| backend.get::<bool>("flag")), 0);
    assert_eq!(allocations(|| backend.get_with_ttl::<bool>("flag")), 1);
    assert_eq!(allocations(|| backend.get_stored("flag")), 0);
    assert_eq!(allocations(|| backend.exists("flag")), 1);
    assert_eq!(allocations(|| backend.ttl("flag")), 1);
    assert_eq!(allocations(|| backend.expire("flag", Life::Never)), 1);
    assert_eq!(allocations(|| backend.increment("hits", minute)), 0);
    assert_eq!(allocations(|| backend.increment_by("hits", 2, minute)), 0);
    assert_eq!(
        allocations(|| backend.write("hits", b"7", Write::new(Life::Keep))),
        1
    );
    assert_eq!(allocations(|| backend.remove("hits", Some(b"8"))), 1);
    assert_eq!(allocations(|| backend.delete("hits")), 1);
    assert_eq!(allocations(|| backend.take::<bool>("flag")), 1);
    assert_eq!(allocations(|| backend.ping()), 1);
}

#[test]
fn memory() {
    few_allocations_a_call(&MemoryBackend::new());
}

#[test]
fn a_shared_backend() {
    few_allocations_a_call(&Arc::new(MemoryBackend::new()));
}

#[test]
fn a_shared_trait_object() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    few_allocations_a_call(&backend);
    few_allocations_a_call(&&backend);
}

#[test]
fn a_boxed_trait_object() {
    let backend: Box<dyn Backend> = Box::new(MemoryBackend::new());
    few_allocations_a_call(&backend);
}

#[test]
fn a_borrowed_trait_object() {
    let memory = MemoryBackend::new();
    let backend: &dyn Backend = &memory;
    few_allocations_a_call(&backend);
}

#[test]
fn accessors_in_memory_allocate_what_they_store() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let page = || Page { site: 7, path: "/" };
    let hits = || Hits { site: 7 };
    // The first entries make the tables, and the first read of a thread makes its counts.
    page().set(&backend, &1).now_or_never().unwrap().unwrap();
    hits().increment(&backend).now_or_never().unwrap().unwrap();
    page().get(&backend).now_or_never().unwrap().unwrap();
    assert_eq!(allocations(|| page().get(&backend)), 0);
    assert_eq!(allocations(|| hits().increment(&backend)), 0);
    assert_eq!(allocations(|| hits().get(&backend)), 0);
    // The entry; the buffer for the encoded bytes is used again.
    assert_eq!(allocations(|| page().set(&backend, &2)), 1);
}

#[derive(serde::Serialize, serde::Deserialize, Keyspace)]
#[keyspace(prefix = "seat", ttl = "1m")]
struct Seat {
    #[keyspace(key)]
    hall: u32,
    #[keyspace(key)]
    name: String,
}

/// The key that was asked for is compared with the entry that was found: a long key, which is
/// allocated once, must not be built a second time.
#[test]
fn a_read_entry_is_compared_with_its_key_without_an_allocation() {
    let backend = MemoryBackend::new();
    let odd = "a b:c%".repeat(40);
    for name in ["row 7", &"x".repeat(60), &"x".repeat(900), &odd] {
        let seat = || Seat {
            hall: 7,
            name: name.to_string(),
        };
        seat().save(&backend).now_or_never().unwrap().unwrap();
        let get = || Seat::get(&backend, 7, name);
        assert!(get().now_or_never().unwrap().unwrap().is_some());
        let of_the_key = u64::from(Seat::key(7, name).len() > 60);
        let of_the_name = 1;
        assert_eq!(allocations(get), of_the_key + of_the_name, "{name}");
    }
}

#[test]
fn a_short_key_allocates_nothing_and_a_long_one_once() {
    let count = |path: &str| {
        let building = allocation_counter::measure(|| {
            let key = Page { site: 7, path }.key();
            assert!(key.len() > path.len());
        });
        building.count_total
    };
    assert_eq!(count("/about us"), 0);
    let odd = "a b:c".repeat(80);
    for long in ["x".repeat(60), "x".repeat(1000), odd] {
        assert_eq!(count(&long), 1, "{} bytes", long.len());
    }
}
