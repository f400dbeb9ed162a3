//! The checks of the fuzz targets that need the public API alone. Each takes the bytes of the
//! fuzzer and panics if something doesn't hold.
//!
//! The targets call them, and so does the replay of the corpora among the project's tests, which
//! includes this file. The checks of what isn't public are in the library, in the module `fuzzing`.

pub mod cbor;
mod codec;
pub mod forwarded;
pub mod json;
pub mod keys;
pub mod postcard;
pub mod throttle_calls;
mod types;
