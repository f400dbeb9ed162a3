//! The operations that take more than one command: each one is a script, so that it is one step and
//! one round trip.
//!
//! Scripts answer with text where a number could be larger than a double holds. Errors of the
//! commands inside are handed on as they are (`pcall`), because Redis 6.2 buries the code word of
//! an error that `call` raises.
//!
//! A script that fails has changed nothing. Its first write is the last one that a server can
//! refuse for a state of its own (a replica, no memory left, nothing saved). A user may be allowed
//! one command of a script and not another: so a script with two writes undoes the first one where
//! the second one is refused, by the same command on the same key. (`RENEW_MANY` undoes nothing: a
//! user whose permissions differ by key may have renewed those before the one that was refused.)
//!
//! A user may have no permission for `UNLINK`, and an old server or a proxy may not know it: if
//! `UNLINK` fails a script removes by `DEL`.
//!
//! Redis and Valkey run Lua 5.1. Other servers, such as Dragonfly, run Lua 5.4, which has no global
//! `unpack` and answers a number with a fraction, even zero, as a double. The scripts work in both.

use std::sync::LazyLock;

use super::client::Script;

/// The code word of a sum that leaves the range of `i64`.
pub(super) const OVERFLOW: &str = "OVERFLOW";
/// The code word of counting on something that is not an integer.
pub(super) const NOT_AN_INTEGER: &str = "NOTANINTEGER";
/// The code word of an attempt for which there is no room beside the quotas of others.
pub(super) const TOO_MANY_QUOTAS: &str = "TOOMANYQUOTAS";

/// Key; none. Answers the value and its remaining milliseconds.
pub(super) static READ: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/read.lua")));

/// Key; milliseconds. Answers the value and gives the key these milliseconds if it would end
/// sooner.
pub(super) static RENEW: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/renew.lua")));

/// Keys; milliseconds. Does what `RENEW` does for each key; a key of a foreign type is absent, as
/// in `MGET`.
pub(super) static RENEW_MANY: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/renew_many.lua")));

/// Key; expected value, new value, `KEEP`, `NEVER` or milliseconds. Answers whether it was swapped.
pub(super) static COMPARE_AND_SET: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/compare_and_set.lua")));

/// Key; expected value. Answers how many keys were removed.
pub(super) static COMPARE_AND_DELETE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/compare_and_delete.lua")));

/// Old and new key; expected value, new value, `KEEP`, `NEVER` or milliseconds, and the value to be
/// replaced if there is to be one. Answers whether the entry was moved.
///
/// The new entry is written first: a server without memory refuses this step. If the old entry
/// can't be removed the new entry goes, by a `SET` whose end has passed, or the entry that it
/// replaced is set back.
pub(super) static MOVE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/move.lua")));

/// Keys; for each the delta and its window in milliseconds, 0 for none. Answers for each the sum
/// (text where a double could not hold it) or an error, and the remaining milliseconds.
///
/// Many counters in one script cost the server half of what as many scripts do. No error is raised:
/// each counter has its own. A user that may not run one of the commands gets the server's refusal
/// and has counted nothing: the added number is taken away by the command that added it, which this
/// user may run for certain. That command can't take the least number away at once, which has no
/// counterpart.
pub(super) static COUNT: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/count.lua")));

/// Key; none. Answers the value and removes the key: `GETDEL` for servers older than Redis 6.2.
pub(super) static TAKE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/take.lua")));

/// Key; milliseconds. Answers the value and gives the key these milliseconds: `GETEX` for servers
/// older than Redis 6.2.
pub(super) static RESTART: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/restart.lua")));

/// Key; none. Takes the end of the key's life away and answers whether there is a key.
pub(super) static PERSIST: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/persist.lua")));

/// Key; cost, 1 for a peek or 0, and for each quota its head, capacity, and interval as a fraction.
/// Answers whether the attempt was allowed, the position of the quota to tell of, what remains of
/// it, and the microseconds until the attempt fits, until nothing is used up, and until more
/// remains.
pub(super) static THROTTLE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/throttle.lua")));
