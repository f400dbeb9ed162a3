//! The functions that show people the entries of a keyspace with the word `inspect`.

use futures_util::future::BoxFuture;

use super::key::Key;
use super::tree::Tree;
use super::value::decode_or_fail;
use super::{Counter, Keyspace, Throttled, Valued, writes};
use crate::backend::Backend;
use crate::codec::Decode;
use crate::error::BackendResult;
use crate::quota::{Quota, record_end};

/// The functions of one keyspace that people may look at.
///
/// A keyspace without the word `inspect` has none, so nothing can show its entries, and the linker
/// keeps no code for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inspected {
    /// Decodes a value as the keyspace does, and shows it as its own `Serialize` writes it. The
    /// state of a throttle is shown by peeking, and is a tree of nothing here.
    pub(crate) tree: fn(&Key, &[u8]) -> BackendResult<Tree>,
    /// The limits of a throttle.
    pub(crate) quotas: &'static [Quota],
    /// Removes an entry as the keyspace does: with its older versions, and with the leases on it
    /// made void.
    pub(crate) remove: for<'a> fn(&'a dyn Backend, &'a Key) -> BoxFuture<'a, BackendResult<bool>>,
}

impl Inspected {
    pub(super) const fn values<K: Valued>() -> Option<Self> {
        Self::of::<K>(
            |key, bytes| Ok(Tree::of(&decode_or_fail::<K>(key, bytes)?)),
            &[],
        )
    }

    pub(super) const fn counters<K: Counter>() -> Option<Self> {
        Self::of::<K>(
            |_, bytes| Ok(Tree::of(&<i64 as Decode>::decode(bytes)?)),
            &[],
        )
    }

    pub(super) const fn throttles<K: Throttled>() -> Option<Self> {
        let tree = |_: &Key, bytes: &[u8]| record_end(bytes).map(|_| Tree::of(&()));
        Self::of::<K>(tree, K::QUOTAS)
    }

    const fn of<K: Keyspace>(
        tree: fn(&Key, &[u8]) -> BackendResult<Tree>,
        quotas: &'static [Quota],
    ) -> Option<Self> {
        if !K::INFO.inspect {
            return None;
        }
        Some(Self {
            tree,
            quotas,
            remove: |backend, key| {
                Box::pin(async move { writes::remove::<K, dyn Backend>(backend, key).await })
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::Keyspace;
    use crate::keyspace::{KeyspaceInfo, registrations};

    macro_rules! keyspaces {
        ($shown:ident, $hidden:ident: $prefix:literal, $($words:tt)*) => {
            #[derive(Keyspace)]
            #[keyspace(crate = crate, prefix = $prefix, $($words)*, inspect)]
            struct $shown;

            #[derive(Keyspace)]
            #[keyspace(crate = crate, prefix = $prefix, version = 2, $($words)*)]
            struct $hidden;
        };
    }

    keyspaces!(ShownValue, Value: "inspected.value", ttl = never, value = u8);
    keyspaces!(ShownCounter, Counter: "inspected.counter", ttl = never, counter);
    keyspaces!(ShownThrottle, Throttle: "inspected.throttle", limit = "5/min");

    fn is_shown(info: KeyspaceInfo) -> bool {
        let all = registrations();
        let mut same = all
            .iter()
            .filter(|it| (it.info.prefix, it.info.version) == (info.prefix, info.version));
        same.next().unwrap().vtable.inspected.is_some()
    }

    #[test]
    fn only_a_keyspace_with_the_word_has_the_functions() {
        for shown in [ShownValue::INFO, ShownCounter::INFO, ShownThrottle::INFO] {
            assert!(is_shown(shown), "{}", shown.name);
        }
        for hidden in [Value::INFO, Counter::INFO, Throttle::INFO] {
            assert!(!is_shown(hidden), "{}", hidden.name);
        }
    }
}
