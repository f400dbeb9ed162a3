//! The locks of two shards at one time.

use parking_lot::RwLock;

use super::shard::Shard;

/// Runs `work` under the locks of two shards. If both are the same shard, it is locked once and
/// passed as the second, and there is no first one.
///
/// Two locks are always taken in the order of their addresses, so that two moves never wait for
/// each other.
pub(super) fn with_both<T>(
    first: &RwLock<Shard>,
    second: &RwLock<Shard>,
    work: impl FnOnce(Option<&mut Shard>, &mut Shard) -> T,
) -> T {
    if std::ptr::eq(first, second) {
        return work(None, &mut second.write());
    }
    if std::ptr::from_ref(first) < std::ptr::from_ref(second) {
        let mut first = first.write();
        return work(Some(&mut first), &mut second.write());
    }
    let mut second = second.write();
    work(Some(&mut first.write()), &mut second)
}
