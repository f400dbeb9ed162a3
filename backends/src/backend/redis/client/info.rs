//! The facts that a server tells about itself and others: the replies to `INFO`, `HELLO` and the
//! like.

use super::resp::Reply;

/// Names and values in turns, as `HELLO` and Sentinel answer.
pub(super) struct Facts<'a>(pub(super) &'a [Reply]);

impl<'a> Facts<'a> {
    pub(super) fn value(&self, name: &str) -> Option<&'a Reply> {
        let mut pairs = self.0.chunks_exact(2);
        pairs.find_map(|pair| match &pair[0] {
            Reply::Bytes(bytes) if bytes.as_bytes() == name.as_bytes() => Some(&pair[1]),
            _ => None,
        })
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        match self.value(name)? {
            Reply::Bytes(bytes) => str::from_utf8(bytes.as_bytes()).ok(),
            _ => None,
        }
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        match self.value(name)? {
            Reply::Integer(number) => Some(*number),
            _ => None,
        }
    }
}

/// The answer to `INFO`; nothing where it was refused.
#[derive(Clone, Copy, Default)]
pub(crate) struct Info<'a>(&'a str);

impl<'a> Info<'a> {
    pub(crate) fn of(reply: &'a Reply) -> Self {
        Self(match reply {
            Reply::Bytes(bytes) => str::from_utf8(bytes.as_bytes()).unwrap_or_default(),
            _ => "",
        })
    }

    pub(crate) fn lines(self) -> impl Iterator<Item = &'a str> {
        self.0.lines()
    }

    pub(crate) fn field(self, name: &str) -> Option<&'a str> {
        let mut lines = self.lines();
        lines.find_map(|line| {
            line.strip_prefix(name)?
                .strip_prefix(':')
                .map(str::trim_end)
        })
    }

    /// Returns the version of Valkey, which calls itself a version of Redis too, or that of Redis.
    pub(crate) fn version(self) -> Option<&'a str> {
        let valkey = self.field("valkey_version");
        valkey.or_else(|| self.field("redis_version"))
    }

    pub(super) fn run_id(self) -> Option<Box<str>> {
        self.field("run_id").map(Into::into)
    }
}
