//! Requests of many callers that become one command, and the reply to it that becomes many.
//!
//! Reads of single keys that go out together become one `MGET`, and scripts with one key one
//! invocation, which costs the server half or less. Each caller gets the answer that a command of
//! its own would have been given. The reply to an `MGET` is handed out element by element as it
//! comes, and a command names as many keys as the values of late allow.
//!
//! `MGET` says nil of a foreign type, where a `GET` fails. So one `EXISTS` asks for all keys that
//! were nil: if it counts none the keys don't exist, otherwise each is read by a `GET`. Where many
//! keys were nil of late the two commands go out together, as a transaction, so that nothing comes
//! between them. A command fails as a whole for one forbidden key; then, too, each read is sent by
//! itself, and reading twice is harmless. The script answers each key by itself. If it wasn't begun
//! it is sent again: each invocation by itself after a forbidden key, all at once to a server that
//! doesn't know the script.

mod gets;
mod habits;
mod hot_slot;
mod keyed;
mod merged;
mod reads;
mod refusing;
mod taken;
mod unanswered;

pub(super) use self::gets::Gets;
pub(super) use self::habits::ReadHabits;
pub(super) use self::hot_slot::HotSlot;
pub(super) use self::keyed::Keyed;
pub(super) use self::merged::Merged;
pub(super) use self::unanswered::Unanswered;
