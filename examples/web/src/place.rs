//! The place where a page comes from: the store, and the instance of the service.

use std::process;
use std::sync::OnceLock;

/// Set once, before the first request.
static PLACE: OnceLock<Place> = OnceLock::new();

/// The facts about this process that the foot of each page shows.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) store: &'static str,
    pub(crate) port: u16,
    pub(crate) process: u32,
}

/// Says where this process serves.
pub(crate) fn set(is_on_redis: bool, port: u16) {
    let store = if is_on_redis { "Redis" } else { "memory" };
    let process = process::id();
    let place = Place {
        store,
        port,
        process,
    };
    PLACE.set(place).expect("a process serves at one place");
}

/// Returns the place of this process; `None` before it serves.
pub(crate) fn get() -> Option<&'static Place> {
    PLACE.get()
}
