//! The features that only a derived keyspace has, on memory and on a real server.

mod codecs;
mod full;
mod many;
mod readable;
mod shared;
mod updates;
mod versions;
mod words;

use std::time::Duration;

use reinhardt_backends::Expiry;
use reinhardt_backends_tests::on_every_backend;

const MINUTE: Duration = Duration::from_secs(60);

/// Says whether an expiry is the life that was given, up to the minutes that a very slow machine
/// may take.
fn about(expiry: Option<Expiry>, given: Duration) -> bool {
    matches!(expiry, Some(Expiry::In(left)) if left <= given && left + 4 * MINUTE > given)
}
