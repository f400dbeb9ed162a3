//! The checks of the fuzz targets that need more than the public API. They are compiled for tests
//! and for fuzzing alone, and stand beside what they check.
//!
//! Each takes the bytes of the fuzzer and panics if something doesn't hold. The fuzz targets, which
//! are in the folder `fuzz` of the repository, call them, and so does the replay below.

#[cfg(feature = "redis-backend")]
pub use crate::backend::redis::{replies as resp, urls as url};
#[cfg(feature = "schema-lock")]
pub use crate::keyspace::lock_files as schema_lock;
pub use crate::quota::stored_text as throttle_text;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Checks every file of a corpus. The package alone, as a registry has it, comes without the
    /// corpora; a test of the repository holds that each is there.
    #[track_caller]
    fn replay(target: &str, check: fn(&[u8])) {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        if !repository.join("backends-derive").exists() {
            return;
        }
        let corpus = repository.join("fuzz/corpus").join(target);
        let mut files = 0;
        for entry in fs::read_dir(&corpus).expect(target) {
            let path = entry.unwrap().path();
            // Shown if the check fails.
            println!("{}", path.display());
            check(&fs::read(&path).unwrap());
            files += 1;
        }
        assert!(files > 0, "{} is empty", corpus.display());
    }

    #[test]
    fn throttles_go_by_any_text_or_refuse_it() {
        replay("throttle_text", super::throttle_text);
    }

    #[cfg(feature = "redis-backend")]
    #[test]
    fn replies_are_the_same_however_they_come() {
        replay("resp", super::resp);
    }

    #[cfg(feature = "redis-backend")]
    #[test]
    fn urls_mean_what_they_say_and_show_no_password() {
        replay("url", super::url);
    }

    #[cfg(feature = "schema-lock")]
    #[test]
    fn lock_files_that_are_read_are_written_as_the_same() {
        replay("schema_lock", super::schema_lock);
    }
}
