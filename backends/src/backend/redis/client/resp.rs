//! RESP3, the protocol of Redis: commands to bytes, and bytes to replies.
//!
//! This reader is ours because it is on the path of every call: a reply is read where it lies in
//! the buffer of the connection, and a value is copied once, into what its caller gets. The format
//! is that of <https://redis.io/docs/latest/develop/reference/protocol-spec/>.

use std::sync::Arc;

use super::location::ServerLocation;
use crate::backend::stored::Stored;

/// The length of an array as a command names it, and how deep replies may be nested.
pub(super) const DEEPEST: usize = 8;
/// A server's own limit is 512 MB (`proto-max-bulk-len`); more can't be a reply to anything that is
/// asked here.
const LONGEST: usize = 1 << 30;
/// A line is a number, a status or an error.
const LONGEST_LINE: usize = 64 * 1024;
/// Room for a command with a key and a small value.
const USUAL: usize = 192;

/// A command as it is sent, but for the count of its arguments in front.
#[derive(Clone)]
pub(crate) struct Command {
    arguments: usize,
    /// The number of the first argument that is a key, and how many are.
    keys: (u8, u32),
    body: Vec<u8>,
}

impl Command {
    pub(crate) fn new(name: &str) -> Self {
        let command = Self {
            arguments: 0,
            keys: (0, 0),
            body: Vec::with_capacity(USUAL),
        };
        command.arg(name)
    }

    /// Adds an argument.
    #[must_use]
    pub(crate) fn arg(self, argument: impl AsRef<[u8]>) -> Self {
        self.joined(&[], argument.as_ref())
    }

    /// Adds a number.
    #[must_use]
    pub(crate) fn number(self, number: impl itoa::Integer) -> Self {
        self.arg(itoa::Buffer::new().format(number))
    }

    /// Adds an argument that has two parts.
    #[must_use]
    pub(crate) fn joined(mut self, first: &[u8], second: &[u8]) -> Self {
        self.arguments += 1;
        write_joined(&mut self.body, first, second);
        self
    }

    /// Adds a key, which has two parts. The keys of a command stand together.
    #[must_use]
    pub(crate) fn key(mut self, first: &[u8], second: &[u8]) -> Self {
        if self.keys.1 == 0 {
            self.keys.0 = u8::try_from(self.arguments).unwrap_or(u8::MAX);
        }
        self.keys.1 += 1;
        self.joined(first, second)
    }

    pub(super) fn names_many_keys(&self) -> bool {
        self.keys.1 > 1
    }

    /// Returns the keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        let (first, count) = self.keys;
        let from = usize::from(first);
        let mut rest = match count {
            0 => &[],
            _ => self.arguments_from(from),
        };
        (0..count).map_while(move |_| {
            let (key, behind) = bulk(rest)?;
            rest = behind;
            Some(key)
        })
    }

    /// Adds each as an argument.
    #[must_use]
    pub(crate) fn args(self, arguments: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// Appends the arguments of `other` from number `from` on.
    #[must_use]
    pub(super) fn tail_of(mut self, other: &Self, from: usize) -> Self {
        self.arguments += other.arguments - from;
        self.body.extend_from_slice(other.arguments_from(from));
        self
    }

    /// Returns the arguments from number `from` on, as they are sent.
    fn arguments_from(&self, from: usize) -> &[u8] {
        let mut cursor = Cursor::new(&self.body);
        for _ in 0..from {
            cursor
                .reply(0)
                .expect("a command is made of whole arguments");
        }
        &self.body[cursor.at..]
    }

    pub(super) fn write_to(&self, out: &mut Vec<u8>) {
        begin(out, self.arguments);
        out.extend_from_slice(&self.body);
    }

    pub(super) fn length(&self) -> usize {
        self.body.len()
    }
}

/// One argument of a command, as it is sent.
pub(crate) struct Argument(Vec<u8>);

impl Argument {
    pub(crate) fn new(argument: &str) -> Self {
        Self::joined(&[], argument.as_bytes())
    }

    /// Makes an argument that has two parts.
    pub(crate) fn joined(first: &[u8], second: &[u8]) -> Self {
        let mut encoded = Vec::new();
        write_joined(&mut encoded, first, second);
        Self(encoded)
    }

    pub(super) fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    /// Returns the bytes of the argument.
    pub(super) fn bytes(&self) -> &[u8] {
        bulk(&self.0).map_or(&[], |(bytes, _)| bytes)
    }

    pub(super) fn length(&self) -> usize {
        self.0.len()
    }
}

/// Returns the argument that `encoded` begins with, and what follows it.
fn bulk(encoded: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut cursor = Cursor::new(encoded);
    cursor.at = 1;
    let bytes = cursor.bulk().ok()??;
    Some((bytes, &encoded[cursor.at..]))
}

/// Begins a command of so many arguments, its name included.
pub(super) fn begin(out: &mut Vec<u8>, arguments: usize) {
    number_line(out, b'*', arguments);
}

/// Writes a number as an argument.
pub(super) fn write_number(out: &mut Vec<u8>, number: impl itoa::Integer) {
    write_joined(out, &[], itoa::Buffer::new().format(number).as_bytes());
}

/// Writes an argument that has two parts.
fn write_joined(out: &mut Vec<u8>, first: &[u8], second: &[u8]) {
    out.reserve(first.len() + second.len() + 24);
    number_line(out, b'$', first.len() + second.len());
    out.extend_from_slice(first);
    out.extend_from_slice(second);
    out.extend_from_slice(b"\r\n");
}

fn number_line(out: &mut Vec<u8>, kind: u8, number: usize) {
    out.push(kind);
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// The answer of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Nil,
    Integer(i64),
    /// `+OK` and the like.
    Status,
    Bytes(Stored),
    /// An array. A map and a set are arrays too; only the greeting asks for them.
    Array(Vec<Reply>),
    Error(ErrorReply),
    /// A message that nobody asked for.
    Push,
    /// A type that no command of ours is answered with.
    Other,
    /// An answer of any type but an error, as it came.
    Raw(Box<[u8]>),
    /// No server's answer: the request names several keys and was not executed. The keys belong to
    /// several nodes of a cluster; or the request is a script, and its receiver may be a proxy
    /// before several servers.
    OneKeyOnly,
}

impl Reply {
    /// Has its errors name the node of a cluster that they are from. Scripts and batches answer
    /// them in arrays.
    pub(super) fn name_node(&mut self, node: &Arc<ServerLocation>) {
        match self {
            Self::Error(error) => error.node = Some(node.clone()),
            Self::Array(elements) => elements.iter_mut().for_each(|it| it.name_node(node)),
            _ => {}
        }
    }
}

/// An error reply, as the server wrote it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ErrorReply {
    line: Box<str>,
    /// The node of a cluster that it is from.
    node: Option<Arc<ServerLocation>>,
}

impl ErrorReply {
    fn new(line: &[u8]) -> Self {
        Self::from(&*String::from_utf8_lossy(line))
    }

    /// Returns the node of a cluster that it is from.
    pub(super) fn node(&self) -> Option<&ServerLocation> {
        self.node.as_deref()
    }

    /// Returns the whole error.
    #[cfg(feature = "redis-commands")]
    pub(crate) fn line(&self) -> &str {
        &self.line
    }

    /// Returns the first word.
    pub(crate) fn code(&self) -> &str {
        self.line.split(' ').next().unwrap_or_default()
    }

    /// Returns what follows the first word.
    pub(crate) fn details(&self) -> &str {
        self.line.split_once(' ').map_or("", |(_, details)| details)
    }
}

/// Shows the code alone: the rest may repeat arguments.
impl std::fmt::Debug for ErrorReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ErrorReply({} bytes)", self.line.len())
    }
}

impl From<&str> for ErrorReply {
    fn from(line: &str) -> Self {
        Self {
            line: line.into(),
            node: None,
        }
    }
}

/// The reason why there is no reply yet, or none at all.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DecodeError {
    /// The buffer must hold this many bytes at least before it is worth looking again.
    Incomplete(usize),
    /// The bytes aren't RESP.
    Malformed,
}

/// Reads the reply that `bytes` begin with, and returns its length too.
pub(super) fn reply(bytes: &[u8]) -> Result<(Reply, usize), DecodeError> {
    let mut cursor = Cursor::new(bytes);
    let reply = cursor.reply(0)?;
    Ok((reply, cursor.at))
}

/// Reads the beginning of an array: its length, and the length of the beginning. `None` if `bytes`
/// begin with something else.
pub(super) fn array(bytes: &[u8]) -> Result<Option<(usize, usize)>, DecodeError> {
    let mut cursor = Cursor::new(bytes);
    let kind = *bytes.first().ok_or(cursor.incomplete(1))?;
    if kind != b'*' {
        return Ok(None);
    }
    cursor.at = 1;
    let count = cursor.count()?;
    Ok(count.map(|count| (count, cursor.at)))
}

/// The progress of a scan through a reply that comes in parts. Without this progress a long array
/// would be read anew whenever a little more of it is there. That takes time that grows with the
/// square of its length.
pub(super) struct ScanState {
    at: usize,
    /// The number of elements that are still to come, as far as is known.
    missing: usize,
}

impl Default for ScanState {
    fn default() -> Self {
        Self { at: 0, missing: 1 }
    }
}

impl ScanState {
    /// Goes on in `bytes`, which begin with the reply; `Ok` with its length when the whole of it is
    /// there.
    pub(super) fn grow(&mut self, bytes: &[u8]) -> Result<usize, DecodeError> {
        while self.missing > 0 {
            let mut cursor = Cursor { bytes, at: self.at };
            let inner = cursor.skip()?;
            let missing = (self.missing - 1).checked_add(inner);
            self.missing = missing.ok_or(DecodeError::Malformed)?;
            self.at = cursor.at;
        }
        Ok(self.at)
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn reply(&mut self, depth: usize) -> Result<Reply, DecodeError> {
        if depth > DEEPEST {
            return Err(DecodeError::Malformed);
        }
        let kind = *self.bytes.get(self.at).ok_or(self.incomplete(1))?;
        self.at += 1;
        Ok(match kind {
            b'$' => self
                .bulk()?
                .map_or(Reply::Nil, |bytes| Reply::Bytes(bytes.into())),
            b':' => Reply::Integer(number(self.line()?)?),
            b'*' => match self.count()? {
                Some(count) => self.array(count, depth)?,
                None => Reply::Nil,
            },
            b'_' => {
                self.line()?;
                Reply::Nil
            }
            b'+' => {
                self.line()?;
                Reply::Status
            }
            b'-' => Reply::Error(ErrorReply::new(self.line()?)),
            b'!' => Reply::Error(ErrorReply::new(self.bulk()?.ok_or(DecodeError::Malformed)?)),
            b'%' => {
                let parts = self.pairs()?;
                self.array(parts, depth)?
            }
            b'~' => {
                let count = self.count()?.ok_or(DecodeError::Malformed)?;
                self.array(count, depth)?
            }
            b'>' => {
                let count = self.count()?.ok_or(DecodeError::Malformed)?;
                self.array(count, depth)?;
                Reply::Push
            }
            b'|' => {
                // Said about the reply that follows.
                let parts = self.pairs()?;
                self.array(parts, depth)?;
                self.reply(depth + 1)?
            }
            b'=' => {
                // Its first four bytes name a format.
                let text = self.bulk()?.and_then(|text| text.get(4..));
                text.map_or(Reply::Other, |text| Reply::Bytes(text.into()))
            }
            b',' | b'#' | b'(' => {
                self.line()?;
                Reply::Other
            }
            _ => return Err(DecodeError::Malformed),
        })
    }

    /// Passes an element and returns the number of other elements that belong to it.
    fn skip(&mut self) -> Result<usize, DecodeError> {
        let kind = *self.bytes.get(self.at).ok_or(self.incomplete(1))?;
        self.at += 1;
        match kind {
            b'$' | b'!' | b'=' => self.bulk().map(|_| 0),
            b':' | b'_' | b'+' | b'-' | b',' | b'#' | b'(' => self.line().map(|_| 0),
            b'*' | b'~' | b'>' => Ok(self.count()?.unwrap_or(0)),
            b'%' => Ok(self.pairs()?),
            b'|' => Ok(self.pairs()? + 1),
            _ => Err(DecodeError::Malformed),
        }
    }

    /// Reads the number of pairs and returns the number of their parts.
    fn pairs(&mut self) -> Result<usize, DecodeError> {
        let pairs = self.count()?.ok_or(DecodeError::Malformed)?;
        Ok(pairs * 2)
    }

    fn array(&mut self, count: usize, depth: usize) -> Result<Reply, DecodeError> {
        // A declared length alone makes nothing large: an element takes three bytes at least.
        let mut replies = Vec::with_capacity(count.min((self.bytes.len() - self.at) / 3));
        for _ in 0..count {
            replies.push(self.reply(depth + 1)?);
        }
        Ok(Reply::Array(replies))
    }

    fn count(&mut self) -> Result<Option<usize>, DecodeError> {
        match number(self.line()?)? {
            -1 => Ok(None),
            count => match usize::try_from(count) {
                Ok(count) if count <= LONGEST => Ok(Some(count)),
                _ => Err(DecodeError::Malformed),
            },
        }
    }

    fn bulk(&mut self) -> Result<Option<&'a [u8]>, DecodeError> {
        let Some(length) = self.count()? else {
            return Ok(None);
        };
        let end = self.at + length;
        match self.bytes.get(end..end + 2) {
            Some(b"\r\n") => {
                let bytes = &self.bytes[self.at..end];
                self.at = end + 2;
                Ok(Some(bytes))
            }
            Some(_) => Err(DecodeError::Malformed),
            None => Err(DecodeError::Incomplete(end + 2)),
        }
    }

    fn line(&mut self) -> Result<&'a [u8], DecodeError> {
        let rest = &self.bytes[self.at..];
        let rest = &rest[..rest.len().min(LONGEST_LINE)];
        let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
            return Err(match rest.len() {
                LONGEST_LINE => DecodeError::Malformed,
                length => self.incomplete(length + 1),
            });
        };
        self.at += length + 1;
        rest[..length]
            .strip_suffix(b"\r")
            .ok_or(DecodeError::Malformed)
    }

    fn incomplete(&self, more: usize) -> DecodeError {
        DecodeError::Incomplete(self.at + more)
    }
}

fn number(line: &[u8]) -> Result<i64, DecodeError> {
    let text = str::from_utf8(line).map_err(|_| DecodeError::Malformed)?;
    text.parse().map_err(|_| DecodeError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(command: &Command) -> String {
        let mut out = Vec::new();
        command.write_to(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn bytes(text: &str) -> Reply {
        Reply::Bytes(text.as_bytes().into())
    }

    #[test]
    fn a_command_is_an_array_of_its_arguments() {
        let command = Command::new("SET").joined(b"ns:", b"k").arg("v").number(-5);
        assert_eq!(
            sent(&command),
            "*4\r\n$3\r\nSET\r\n$4\r\nns:k\r\n$1\r\nv\r\n$2\r\n-5\r\n"
        );
    }

    #[test]
    fn a_tail_is_taken_over_as_it_is() {
        let by_hash = Command::new("EVALSHA").arg("hash").number(1).arg("k\r\n");
        let in_full = Command::new("EVAL").arg("code").tail_of(&by_hash, 2);
        assert_eq!(
            sent(&in_full),
            "*4\r\n$4\r\nEVAL\r\n$4\r\ncode\r\n$1\r\n1\r\n$3\r\nk\r\n\r\n"
        );
    }

    #[test]
    fn every_type_of_reply_is_read() {
        let cases = [
            ("+OK\r\n", Reply::Status),
            (":-42\r\n", Reply::Integer(-42)),
            ("$3\r\na\r\n\r\n", bytes("a\r\n")),
            ("$0\r\n\r\n", bytes("")),
            ("$-1\r\n", Reply::Nil),
            ("*-1\r\n", Reply::Nil),
            ("_\r\n", Reply::Nil),
            ("*0\r\n", Reply::Array(vec![])),
            (
                "*2\r\n:1\r\n$-1\r\n",
                Reply::Array(vec![Reply::Integer(1), Reply::Nil]),
            ),
            ("~1\r\n+x\r\n", Reply::Array(vec![Reply::Status])),
            (
                "%1\r\n$1\r\nk\r\n:7\r\n",
                Reply::Array(vec![bytes("k"), Reply::Integer(7)]),
            ),
            ("-ERR no\r\n", Reply::Error("ERR no".into())),
            ("!6\r\nERR no\r\n", Reply::Error("ERR no".into())),
            ("|1\r\n+ttl\r\n:3\r\n:5\r\n", Reply::Integer(5)),
            (">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n", Reply::Push),
            (",1.5\r\n", Reply::Other),
            ("#t\r\n", Reply::Other),
            ("(123\r\n", Reply::Other),
            ("=5\r\ntxt:x\r\n", bytes("x")),
        ];
        for (text, expected) in cases {
            let with_more = format!("{text}:1\r\n");
            assert_eq!(
                reply(with_more.as_bytes()),
                Ok((expected, text.len())),
                "{text:?}"
            );
        }
    }

    /// However the bytes come, nothing is read before the reply is there, and what is said to be
    /// missing is missing.
    #[test]
    fn a_part_of_a_reply_is_incomplete() {
        let text = "*3\r\n$5\r\nhello\r\n%1\r\n+k\r\n:12\r\n-ERR no\r\n";
        for end in 0..text.len() {
            let part = reply(&text.as_bytes()[..end]);
            let Err(DecodeError::Incomplete(least)) = part else {
                panic!("{end}: {part:?}");
            };
            assert!(least > end && least <= text.len(), "{end}: {least}");
        }
        assert!(reply(text.as_bytes()).is_ok());
    }

    /// The bytes that the scan passes on the way are those that are read in the end, for every
    /// type.
    #[test]
    fn a_reply_that_comes_byte_by_byte_is_there_when_its_last_byte_is() {
        let text = "*9\r\n$5\r\nhello\r\n%1\r\n+k\r\n:12\r\n-ERR no\r\n|1\r\n+k\r\n*0\r\n_\r\n~2\r\n#t\r\n,1.5\r\n\
                    $-1\r\n*-1\r\n!2\r\nno\r\n=5\r\ntxt:x\r\n:1\r\n";
        let bytes = text.as_bytes();
        let (_, length) = reply(bytes).unwrap();
        let mut part = ScanState::default();
        for end in 0..length {
            let Err(DecodeError::Incomplete(needed)) = part.grow(&bytes[..end]) else {
                panic!("{end} of {length}");
            };
            assert!(needed > end && needed <= length, "{end}: {needed}");
        }
        assert_eq!(part.grow(bytes), Ok(length));
    }

    #[test]
    fn elements_that_have_come_are_not_looked_at_again() {
        let mut part = ScanState::default();
        assert!(part.grow(b"*2\r\n$3\r\nabc\r\n").is_err());
        assert_eq!((part.at, part.missing), (13, 1));
    }

    #[test]
    fn what_is_not_resp_is_told_from_what_is_incomplete() {
        let deep = "*1\r\n".repeat(DEEPEST + 2);
        for text in [
            "HTTP/1.1 400 Bad Request\r\n",
            ":x\r\n",
            ":\r\n",
            "$-2\r\n",
            "$9999999999999999999\r\n",
            "$99999999999\r\n",
            "*-5\r\n",
            "$2\r\nabcd",
            ":1\n",
            "%-1\r\n",
            &deep,
            &"+".repeat(LONGEST_LINE + 1),
        ] {
            assert_eq!(
                reply(text.as_bytes()),
                Err(DecodeError::Malformed),
                "{text:.40}"
            );
        }
    }

    #[test]
    fn a_declared_length_allocates_nothing() {
        let declared = reply(b"*1000000000\r\n:1\r\n");
        assert_eq!(declared, Err(DecodeError::Incomplete(18)));
    }

    #[test]
    fn a_refusal_is_a_code_and_details() {
        let refusal = ErrorReply::from("NOPERM this user has no permissions");
        assert_eq!(refusal.code(), "NOPERM");
        assert_eq!(refusal.details(), "this user has no permissions");
        assert_eq!(ErrorReply::from("BUSY").details(), "");
        assert!(!format!("{:?}", ErrorReply::from("ERR topsecret")).contains("topsecret"));
    }
}
