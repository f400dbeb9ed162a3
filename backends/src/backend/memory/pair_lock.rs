//! The locks of two shards at one time.

use parking_lot::RwLock;

/// Runs `work` under the locks of two shards. If both are the same shard, it is locked once and
/// passed as the second, and there is no first one.
///
/// Two locks are always taken in the order of their addresses, so that two moves never wait for
/// each other.
pub(super) fn with_both<S, T>(
    first: &RwLock<S>,
    second: &RwLock<S>,
    work: impl FnOnce(Option<&mut S>, &mut S) -> T,
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

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn moves_in_both_directions_never_wait_for_each_other() {
        let [left, right] = [0, 0].map(RwLock::new);
        let pass = |from: &RwLock<i32>, to: &RwLock<i32>| {
            for _ in 0..10_000 {
                with_both(from, to, |from, to| {
                    *from.unwrap() -= 1;
                    *to += 1;
                });
            }
        };
        thread::scope(|scope| {
            scope.spawn(|| pass(&left, &right));
            scope.spawn(|| pass(&right, &left));
        });
        assert_eq!((*left.read(), *right.read()), (0, 0));
    }

    #[test]
    fn one_shard_is_locked_once_and_passed_as_the_second() {
        let shard = RwLock::new(0);
        with_both(&shard, &shard, |first, second| {
            assert!(first.is_none());
            *second += 1;
        });
        assert_eq!(*shard.read(), 1);
    }
}
