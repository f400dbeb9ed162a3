//! The schema lock: a test that fails when stored values change their layout without a new version.

#[cfg(feature = "schema-lock")]
mod check;
#[cfg(feature = "schema-lock")]
mod diff;
#[cfg(all(feature = "schema-lock", any(test, fuzzing)))]
mod fuzzing;
#[cfg(feature = "schema-lock")]
pub(super) mod layout;
#[cfg(feature = "schema-lock")]
mod snapshot;
#[cfg(feature = "schema-lock")]
pub(super) mod tracer;
#[cfg(feature = "schema-lock")]
mod ttl;

#[cfg(feature = "schema-lock")]
pub use check::assert_schema_lock;
#[cfg(all(feature = "schema-lock", any(test, fuzzing)))]
pub use fuzzing::lock_files;

/// Compares the layouts of the values that every keyspace of the program stores with a file, and
/// fails on a change without a new `version`.
///
/// The macro needs the feature `schema-lock`, which tests alone switch on, so that no other program
/// carries the tracer that finds the layouts:
///
/// ```sh
/// cargo add --dev reinhardt-backends --features schema-lock
/// ```
///
/// Call it in one test of a crate, with a path that is relative to the crate's manifest, and commit
/// the file:
///
/// ```no_run
/// reinhardt_backends::assert_schema_lock!("keyspaces.lock");
/// ```
///
/// The file holds, for each keyspace of [`keyspaces`](crate::keyspaces), its kind, key fields,
/// codec and TTL, and a line for each place in its values, found through `Deserialize`, nested
/// types included. The names of types aren't in it: they change no byte. A type inside of itself is
/// `recursive`, and the line names the place that it recurs into. Sessions are among the keyspaces
/// where [`register_sessions!`](crate::register_sessions) declares them, and types of generic
/// keyspaces where [`register_keyspace!`](crate::register_keyspace) does.
///
/// # Panics
///
/// * If a layout has changed: the text names the place, what it was and what it is. Raise the
///   keyspace's `version`, or accept the change by running the test with
///   `REINHARDT_SCHEMA_LOCK=accept` in the environment, which writes the file anew. The first run
///   needs it as well.
/// * If a keyspace isn't in the file yet and the environment has `CI`. Elsewhere it is added to the
///   file.
/// * If a value under Postcard asks the format what comes (untagged and internally tagged enums,
///   flattened fields): it could never be read back.
/// * If the file can't be read or written, or two keyspaces have the same keys.
///
/// These changes leave the stored bytes alone and don't fail: another TTL, which is printed; a new
/// field with a default, and another order of fields, where the codec finds fields by their names
/// (Postcard doesn't); names of types. A fact that a file of an earlier version of this library
/// doesn't hold yet, such as the type that a place recurs into, is printed too, and not compared
/// until the file is written anew.
///
/// A choice that a type makes only when it sees the bytes (untagged and internally tagged enums,
/// types that take anything) can't be traced. The file calls such a place `opaque`, and the test
/// prints it: changes in it aren't seen. For a struct with flattened fields, the file holds the
/// fields that it can't be read without; fields that have a default aren't seen.
#[cfg(feature = "schema-lock")]
#[macro_export]
macro_rules! assert_schema_lock {
    ($file:expr) => {
        $crate::__private::assert_schema_lock(::core::env!("CARGO_MANIFEST_DIR"), $file)
    };
}

/// Needs the feature `schema-lock`: compares the layouts of the values that every keyspace of the
/// program stores with a file, and fails on a change without a new `version`.
///
/// Tests alone switch the feature on, so that no other program carries the tracer that finds the
/// layouts:
///
/// ```sh
/// cargo add --dev reinhardt-backends --features schema-lock
/// ```
#[cfg(not(feature = "schema-lock"))]
#[macro_export]
macro_rules! assert_schema_lock {
    ($($file:tt)*) => {
        ::core::compile_error!(
            "the schema lock is behind a feature, for tests alone: run \
            `cargo add --dev reinhardt-backends --features schema-lock`, which adds \
            `reinhardt-backends = { version = \"..\", features = [\"schema-lock\"] }` to [dev-dependencies]"
        )
    };
}
