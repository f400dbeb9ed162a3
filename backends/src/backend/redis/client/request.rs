//! The commands that one call sends, and the node of a cluster that they are for.

use super::ids::NodeId;
#[cfg(feature = "redis-commands")]
use super::raw::Raw;
use super::resp::{Argument, Command};
use super::script::{Invocation, KeyedInvocation, Script};
use super::slot::Slots;

/// The commands that one call sends.
pub(super) enum Request {
    /// The `GET` of a key, which may be merged with others.
    Get(Argument),
    /// A script with one key, which may be merged with others.
    Keyed(KeyedInvocation),
    One(Command),
    /// A script.
    Script(Invocation),
    /// Several commands. The answer is an array of their answers.
    Many(Vec<Command>),
    /// Commands that a program made itself. Their replies come as they are, except errors.
    #[cfg(feature = "redis-commands")]
    Raw(Raw),
}

impl Request {
    pub(super) fn names_many_keys(&self) -> bool {
        match self {
            Self::Get(_) | Self::Keyed(_) => false,
            Self::One(command) => command.names_many_keys(),
            Self::Script(invocation) => invocation.names_many_keys(),
            Self::Many(commands) => commands.len() > 1,
            #[cfg(feature = "redis-commands")]
            Self::Raw(_) => false,
        }
    }

    pub(super) fn script(&self) -> Option<&'static Script> {
        match self {
            Self::Keyed(invocation) => Some(invocation.script()),
            Self::Script(invocation) => Some(invocation.script()),
            Self::Get(_) | Self::One(_) | Self::Many(_) => None,
            #[cfg(feature = "redis-commands")]
            Self::Raw(_) => None,
        }
    }

    /// Returns the hash slots of the request's keys.
    pub(super) fn slots(&self) -> Slots {
        match self {
            Self::Get(key) => Slots::of([key.bytes()].into_iter()),
            Self::Keyed(invocation) => Slots::of([invocation.key()].into_iter()),
            Self::One(command) => Slots::of(command.keys()),
            Self::Script(invocation) => Slots::of(invocation.keys()),
            Self::Many(commands) => Slots::of(commands.iter().flat_map(Command::keys)),
            #[cfg(feature = "redis-commands")]
            Self::Raw(raw) => raw.slots,
        }
    }

    /// Returns about the number of bytes that the request takes.
    pub(super) fn length(&self) -> usize {
        match self {
            Self::Get(key) => key.length(),
            Self::Keyed(invocation) => invocation.length(),
            Self::One(command) => command.length(),
            Self::Script(invocation) => invocation.length(),
            Self::Many(commands) => commands.iter().map(Command::length).sum(),
            #[cfg(feature = "redis-commands")]
            Self::Raw(raw) => raw.packed.len(),
        }
    }

    pub(super) fn is_raw(&self) -> bool {
        match self {
            Self::Get(_) | Self::Keyed(_) | Self::One(_) | Self::Script(_) | Self::Many(_) => false,
            #[cfg(feature = "redis-commands")]
            Self::Raw(_) => true,
        }
    }
}

/// The node of a cluster that a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestTarget {
    /// The node of the request's key; any node where it names no key.
    Owner,
    /// A replica of the node of the request's key, or that node itself where none is up.
    Replica,
    /// A node to which the request's key is on the way, and which answers only after `ASKING`.
    Importing,
    Node(NodeId),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::redis::client::slot::slot;

    #[test]
    fn a_request_knows_the_slots_of_its_keys() {
        let one = |keys: &[&[u8]]| {
            let begin = Command::new("MGET");
            keys.iter()
                .fold(begin, |command, key| command.key(b"ns:", key))
        };
        let of = |request: Request| request.slots();
        let expected = Slots::One(slot(b"ns:a"));
        assert_eq!(of(Request::Get(Argument::joined(b"ns:", b"a"))), expected);
        assert_eq!(of(Request::One(one(&[b"a"]).arg("x"))), expected);
        assert_eq!(of(Request::One(one(&[b"a", b"a"]))), expected);
        assert_eq!(of(Request::One(one(&[b"a", b"b"]))), Slots::Several);
        assert_eq!(
            of(Request::One(one(&[b"{t}a", b"{t}b"]))),
            Slots::One(slot(b"t"))
        );
        assert_eq!(of(Request::One(Command::new("PING"))), Slots::None);
        assert_eq!(
            of(Request::Many(vec![one(&[b"a"]), one(&[b"b"])])),
            Slots::Several
        );
        let empty = Argument::joined(b"", b"");
        assert_eq!(of(Request::Get(empty)), Slots::One(0));
    }

    #[test]
    fn the_keys_of_a_script_stand_behind_its_hash_and_their_number() {
        static SCRIPT: std::sync::LazyLock<Script> =
            std::sync::LazyLock::new(|| Script::new("return 1"));
        let script = Invocation::new(&SCRIPT, 2)
            .key(b"ns:", b"{t}a")
            .key(b"ns:", b"{t}b");
        let request = Request::Script(script.arg("argument"));
        assert!(request.names_many_keys());
        assert_eq!(request.slots(), Slots::One(slot(b"t")));
    }
}
