//! The fuzz target of replies, against the parser of the redis crate.

use redis::Value;

use super::read_buffer::{ArrayBegun, ReadBuffer};
use super::resp::{self, DEEPEST, DecodeError, Reply};

/// Reads the bytes behind the first one as what a server sends; the first one says how they are
/// cut.
pub fn replies(data: &[u8]) {
    let Some((&cut, stream)) = data.split_first() else {
        return;
    };
    let whole = read(stream, ReadBuffer::next, || usize::MAX);
    let mut size = usize::from(cut);
    let in_pieces = read(stream, ReadBuffer::next, || {
        size = (size * 5 + 1) % 23;
        size + 1
    });
    let by_bytes = read(stream, ReadBuffer::next, || 1);
    for other in [in_pieces, by_bytes] {
        assert_eq!(other.0, whole.0);
        // A mistake in a reply that comes in parts may be told when the whole of it is there.
        assert!(whole.1 || !other.1, "no mistake in the whole of it");
    }
    raw(stream, cut, &whole.0);
    begun(stream, &whole.0);
    agree(stream);
    refuse_no_reply(stream);
}

/// Returns the replies, and true if something that is none follows them.
fn read<E>(
    mut stream: &[u8],
    next: impl Fn(&mut ReadBuffer) -> Result<Option<Reply>, E>,
    mut size: impl FnMut() -> usize,
) -> (Vec<Reply>, bool) {
    let (mut buffer, mut replies) = (ReadBuffer::default(), Vec::new());
    while !stream.is_empty() {
        let room = buffer.room();
        let count = size().min(room.len()).min(stream.len());
        let (piece, rest) = stream.split_at(count);
        room[..count].copy_from_slice(piece);
        buffer.add(count);
        stream = rest;
        loop {
            match next(&mut buffer) {
                Ok(Some(reply)) => replies.push(reply),
                Ok(None) => break,
                Err(_) => return (replies, true),
            }
        }
    }
    (replies, false)
}

/// As they came, replies are the stream itself.
fn raw(stream: &[u8], cut: u8, replies: &[Reply]) {
    let (raw, _) = read(stream, ReadBuffer::next_raw, || usize::from(cut) + 1);
    let mut rest = stream;
    for (raw, reply) in raw.iter().zip(replies) {
        let (_, length) = resp::reply(rest).expect("it was read");
        match raw {
            Reply::Raw(raw) => assert_eq!(**raw, rest[..length]),
            other => assert_eq!(other, reply),
        }
        rest = &rest[length..];
    }
    assert!(raw.len() >= replies.len());
}

/// An array that is taken element by element has the elements that it has as a whole.
fn begun(stream: &[u8], replies: &[Reply]) {
    let (Some(Reply::Array(elements)), Some(b'*')) = (replies.first(), stream.first()) else {
        return;
    };
    let mut buffer = ReadBuffer::default();
    if buffer.room().len() < stream.len() {
        return;
    }
    buffer.room()[..stream.len()].copy_from_slice(stream);
    buffer.add(stream.len());
    let begun = buffer.begin_array(elements.len());
    assert!(matches!(begun, Ok(ArrayBegun::Yes)));
    for element in elements {
        assert_eq!(buffer.next().ok().flatten().as_ref(), Some(element));
    }
}

/// The redis crate reads the same from what is a reply.
fn agree(mut stream: &[u8]) {
    while let Ok((ours, length)) = resp::reply(stream) {
        let (reply, rest) = stream.split_at(length);
        match redis::parse_redis_value(reply) {
            Ok(theirs) => assert!(is_same(&ours, &theirs), "{ours:?}\n{theirs:?}"),
            // It looks into lines that nothing here reads, such as those of numbers that aren't
            // whole.
            Err(error) => {
                let has_lines = reply.iter().any(|byte| b"+-_#,(!=%~>|".contains(byte));
                assert!(has_lines, "{error}: {ours:?}");
            }
        }
        stream = rest;
    }
}

/// What the redis crate takes for a reply is read here too, once it is written by the rules. It
/// takes numbers between spaces, any negative length and line feeds within lines.
fn refuse_no_reply(stream: &[u8]) {
    let Ok(theirs) = redis::parse_redis_value(stream) else {
        return;
    };
    let ours = resp::reply(stream);
    assert!(!matches!(ours, Err(DecodeError::Incomplete(_))));
    let mut written = Vec::new();
    write(&theirs, &mut written);
    let is_too_deep = depth(&theirs) > DEEPEST;
    match resp::reply(&written) {
        Ok((ours, length)) => {
            assert!(!is_too_deep);
            assert_eq!(length, written.len());
            assert!(is_same(&ours, &theirs), "{ours:?}\n{theirs:?}");
        }
        Err(error) => assert!(is_too_deep, "{error:?}: {theirs:?}"),
    }
}

fn depth(value: &Value) -> usize {
    // The kind of a push is an element too.
    let least = usize::from(matches!(value, Value::Push { .. }));
    children(value)
        .map(|inner| depth(inner) + 1)
        .max()
        .unwrap_or(least)
}

fn children(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(inner) | Value::Set(inner) | Value::Push { data: inner, .. } => {
            Box::new(inner.iter())
        }
        Value::Map(pairs) => Box::new(pairs.iter().flat_map(|(key, value)| [key, value])),
        Value::Attribute { data, attributes } => {
            let attributes = attributes.iter().flat_map(|(key, value)| [key, value]);
            Box::new(attributes.chain([&**data]))
        }
        _ => Box::new([].into_iter()),
    }
}

fn write(value: &Value, out: &mut Vec<u8>) {
    let no_line_feed = |line: &str| line.replace(['\r', '\n'], " ");
    match value {
        Value::Nil => out.extend(b"_\r\n"),
        Value::Int(number) => out.extend(format!(":{number}\r\n").bytes()),
        Value::Okay => out.extend(b"+OK\r\n"),
        Value::SimpleString(text) => out.extend(format!("+{}\r\n", no_line_feed(text)).bytes()),
        Value::Double(number) => out.extend(format!(",{number}\r\n").bytes()),
        Value::Boolean(is_true) => out.extend(if *is_true { b"#t\r\n" } else { b"#f\r\n" }),
        Value::BulkString(bytes) => write_blob('$', bytes, out),
        Value::VerbatimString { format, text } => {
            write_blob('=', format!("{format}:{text}").as_bytes(), out);
        }
        Value::BigNumber(digits) => {
            let digits = no_line_feed(&String::from_utf8_lossy(digits));
            out.extend(format!("({digits}\r\n").bytes());
        }
        Value::ServerError(error) => {
            let details = error.details().map(|details| format!(" {details}"));
            let line = format!("{}{}", error.code(), details.unwrap_or_default());
            write_blob('!', line.as_bytes(), out);
        }
        Value::Push { kind, data } => {
            out.extend(format!(">{}\r\n", data.len() + 1).bytes());
            write_blob('$', kind.to_string().as_bytes(), out);
            data.iter().for_each(|inner| write(inner, out));
        }
        Value::Array(inner) => write_all('*', inner.len(), value, out),
        Value::Set(inner) => write_all('~', inner.len(), value, out),
        Value::Map(pairs) => write_all('%', pairs.len(), value, out),
        Value::Attribute { attributes, .. } => write_all('|', attributes.len(), value, out),
        other => panic!("a type that this doesn't know: {other:?}"),
    }
}

fn write_all(kind: char, count: usize, value: &Value, out: &mut Vec<u8>) {
    out.extend(format!("{kind}{count}\r\n").bytes());
    children(value).for_each(|inner| write(inner, out));
}

fn write_blob(kind: char, bytes: &[u8], out: &mut Vec<u8>) {
    out.extend(format!("{kind}{}\r\n", bytes.len()).bytes());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

fn is_same(ours: &Reply, theirs: &Value) -> bool {
    match (ours, theirs) {
        (_, Value::Attribute { data, .. }) => is_same(ours, data),
        (Reply::Nil, Value::Nil) | (Reply::Push, Value::Push { .. }) => true,
        (Reply::Status, Value::Okay | Value::SimpleString(_)) => true,
        (Reply::Other, Value::Double(_) | Value::Boolean(_) | Value::BigNumber(_)) => true,
        (Reply::Integer(ours), Value::Int(theirs)) => ours == theirs,
        (Reply::Bytes(ours), Value::BulkString(theirs)) => ours.as_bytes() == theirs,
        // Ours goes by the length of a format's name, theirs by the first colon.
        (Reply::Bytes(ours), Value::VerbatimString { format, text }) => {
            let format = format.to_string();
            let is_usual = format.len() == 3 && format.is_ascii() && text.is_ascii();
            !is_usual || ours.as_bytes() == text.as_bytes()
        }
        (Reply::Other, Value::VerbatimString { .. }) => true,
        (Reply::Error(ours), Value::ServerError(theirs)) => {
            ours.code() == theirs.code() && ours.details() == theirs.details().unwrap_or_default()
        }
        (Reply::Array(ours), Value::Array(theirs) | Value::Set(theirs)) => {
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .zip(theirs)
                    .all(|(one, other)| is_same(one, other))
        }
        (Reply::Array(ours), Value::Map(theirs)) => {
            let theirs = theirs.iter().flat_map(|(key, value)| [key, value]);
            ours.len() == theirs.clone().count()
                && ours
                    .iter()
                    .zip(theirs)
                    .all(|(one, other)| is_same(one, other))
        }
        _ => false,
    }
}
