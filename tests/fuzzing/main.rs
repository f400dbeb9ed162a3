//! Every file of the fuzz targets' corpora goes through its check. The checks of what isn't public
//! are replayed by the library's own tests.

#[allow(unreachable_pub)]
#[path = "../../fuzz/src/lib.rs"]
mod checks;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[track_caller]
fn replay(target: &str, check: fn(&[u8])) {
    let corpus = folder().join("corpus").join(target);
    let names = names(&corpus);
    assert!(!names.is_empty(), "{} is empty", corpus.display());
    for name in names {
        // Shown if the check fails.
        println!("{target}/{name}");
        check(&fs::read(corpus.join(name)).unwrap());
    }
}

#[test]
fn cbor_is_read_as_ciborium_reads_it() {
    replay("cbor", checks::cbor::check);
}

#[test]
fn json_is_read_as_serde_json_reads_it() {
    replay("json", checks::json::check);
}

#[test]
fn postcard_is_read_as_the_crate_reads_it() {
    replay("postcard", checks::postcard::check);
}

#[test]
fn keys_are_those_of_their_fields() {
    replay("keys", checks::keys::check);
}

#[test]
fn the_address_behind_proxies_is_that_of_the_model() {
    replay("forwarded", checks::forwarded::check);
}

#[test]
fn throttles_decide_alike_in_memory_and_by_text() {
    replay("throttle_calls", checks::throttle_calls::check);
}

#[test]
fn every_target_has_a_corpus_that_is_small() {
    let files = names(&folder().join("fuzz_targets"));
    let targets: BTreeSet<String> = files
        .iter()
        .map(|file| file.strip_suffix(".rs").unwrap().to_string())
        .collect();
    let corpora = folder().join("corpus");
    assert_eq!(names(&corpora), targets);
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    for target in targets {
        assert!(
            manifest.contains(&format!("name = \"{target}\"\n")),
            "{target}"
        );
        let corpus = corpora.join(&target);
        let sizes = names(&corpus).into_iter().map(|name| {
            let file = fs::metadata(corpus.join(name)).unwrap();
            file.len()
        });
        let sizes: Vec<u64> = sizes.collect();
        assert!(!sizes.is_empty(), "{target}");
        let bytes: u64 = sizes.iter().sum();
        assert!(
            sizes.len() <= 200 && bytes <= 200 << 10,
            "{target}: {} files, {bytes} bytes",
            sizes.len()
        );
    }
}
