//! Declares the prefixes of throttles where a program is linked.

use crate::keyspace::{KeyspaceInfo, Kind, Location, Registration, Vtable};

impl Registration {
    /// For [`register_throttle!`](crate::register_throttle): registers the throttles of a prefix.
    ///
    /// # Panics
    ///
    /// If `prefix` can't be one: in a constant this is a compile error.
    pub const fn of_throttles_at_run_time(prefix: &'static str, location: Location) -> Self {
        let info = KeyspaceInfo::at_run_time("Throttle", prefix, Kind::Throttles, &["key"]);
        let info = info.value("limits set at run time", "throttle");
        Self::at_run_time(info.location(location), Vtable::THROTTLES)
    }
}

/// Declares that a [`Throttle`](crate::throttle::Throttle) has its keys under a prefix, when the
/// program is linked.
///
/// The prefix is in [`keyspaces`](crate::keyspaces()) then, and
/// [`check_keyspaces`](crate::check_keyspaces) names what else is declared under it. It is a
/// literal or a constant. Any number of throttles may be made with it: they share what was used up,
/// as without the declaration. A keyspace with a `limit` declares its prefix itself: a throttle
/// that is made with that prefix shares what was used up of its keys, and the macro beside it would
/// be a second declaration.
///
/// The macro stands where an item or a statement can stand. The same declaration may stand in
/// several places, such as two crates of one program: it is listed once.
///
/// # Examples
///
/// ```standalone_crate
/// use reinhardt_backends::throttle::{Quota, Throttle};
/// use reinhardt_backends::{check_keyspaces, keyspaces, register_throttle};
/// use std::time::Duration;
///
/// register_throttle!("api");
///
/// # fn main() -> reinhardt_backends::BackendResult<()> {
/// check_keyspaces()?;
/// assert_eq!(keyspaces()[0].prefix, "api");
/// let throttle = Throttle::new("api", [Quota::gcra(100, Duration::from_secs(60))])?;
/// # Ok(()) }
/// ```
#[macro_export]
macro_rules! register_throttle {
    ($prefix:expr $(,)?) => {
        $crate::__private::submit! {
            $crate::keyspace::Registration::of_throttles_at_run_time($prefix, $crate::__here!())
        }
    };
}
