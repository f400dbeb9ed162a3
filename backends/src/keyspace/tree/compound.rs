//! A sequence, a map or a struct while its items are shown.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::recorder::{Failed, Recorder};
use super::{CompoundKind, Content, MOST_BYTES, MOST_ITEMS};

/// A value with others in it, whose items come one by one.
#[derive(Debug)]
pub(super) struct Compound<'a> {
    recorder: &'a mut Recorder,
    /// The position of the line that says what follows; `None` if the whole value is left out.
    at: Option<usize>,
    name: &'static str,
    kind: CompoundKind,
    length: usize,
    left_out: usize,
    /// The items as long as all of them are bytes.
    bytes: Option<Vec<u8>>,
    /// The key of the map's next value; `None` if the value is left out.
    key: Option<Cow<'static, str>>,
}

impl<'a> Compound<'a> {
    pub(super) fn begin(
        recorder: &'a mut Recorder,
        name: &'static str,
        kind: CompoundKind,
    ) -> Self {
        let at = recorder.lines.len();
        recorder.push(Content::TooDeep);
        recorder.depth += 1;
        Self {
            recorder,
            at: Some(at),
            name,
            kind,
            length: 0,
            left_out: 0,
            bytes: Some(Vec::new()),
            key: None,
        }
    }

    /// Shows nothing of the items: the line is there, and says so.
    pub(super) fn left_out(recorder: &'a mut Recorder) -> Self {
        Self {
            recorder,
            at: None,
            name: "",
            kind: CompoundKind::Items,
            length: 0,
            left_out: 0,
            bytes: None,
            key: None,
        }
    }

    fn has_room(&self) -> bool {
        self.at.is_some() && self.length - self.left_out < MOST_ITEMS && !self.recorder.is_full()
    }

    /// Shows the next item, or counts it if there is no room.
    pub(super) fn item<T: Serialize + ?Sized>(
        &mut self,
        label: Option<Cow<'static, str>>,
        value: &T,
    ) -> Result<(), Failed> {
        let has_room = self.has_room();
        self.length += 1;
        if !has_room {
            self.left_out += 1;
            return Ok(());
        }
        let before = self.recorder.lines.len();
        self.recorder.label = label;
        self.recorder.nest(value)?;
        let byte = match &self.recorder.lines[before..] {
            [line] => match line.content {
                Content::Byte(byte) => Some(byte),
                _ => None,
            },
            _ => None,
        };
        match (byte, &mut self.bytes) {
            (Some(byte), Some(bytes)) => bytes.push(byte),
            _ => self.bytes = None,
        }
        Ok(())
    }

    fn numbered<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        // The text of a position that isn't shown isn't made: there may be millions of them.
        let label = self.has_room().then(|| self.length.to_string().into());
        self.item(label, value)
    }

    /// Ends the value: the line that says what follows is completed.
    pub(super) fn finish(self) {}
}

/// Also where the value's own code fails in the middle.
impl Drop for Compound<'_> {
    fn drop(&mut self) {
        let Some(at) = self.at else {
            return;
        };
        self.recorder.depth -= 1;
        let is_sequence = self.kind == CompoundKind::Items && self.name.is_empty();
        let bytes = self.bytes.take();
        let bytes = bytes.filter(|bytes| is_sequence && !bytes.is_empty());
        let content = match bytes {
            Some(mut bytes) => {
                self.recorder.lines.truncate(at + 1);
                bytes.truncate(MOST_BYTES);
                Content::Bytes {
                    first: bytes,
                    length: self.length,
                }
            }
            None => Content::Compound {
                name: self.name,
                kind: self.kind,
                length: self.length,
                left_out: self.left_out,
            },
        };
        if let Some(line) = self.recorder.lines.get_mut(at) {
            line.content = content;
        }
    }
}

impl SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = Failed;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failed> {
        self.key = match self.has_room() {
            true => Some(label(self.recorder, key)?.into()),
            false => None,
        };
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        let key = self.key.take();
        self.item(key, value)
    }

    fn end(self) -> Result<(), Failed> {
        self.finish();
        Ok(())
    }
}

/// Returns the key of a map as one line of text.
fn label<T: Serialize + ?Sized>(recorder: &mut Recorder, key: &T) -> Result<String, Failed> {
    let mut apart = recorder.apart();
    apart.nest(key)?;
    let mut parts = Vec::new();
    for line in apart.into_lines() {
        let part = match line.content {
            Content::Text { text, left_out: 0 } => format!("{text:?}"),
            Content::Text { text, .. } => format!("{text:?}.."),
            Content::Number(number) => number,
            Content::Byte(byte) => byte.to_string(),
            Content::Word(word) => word.to_string(),
            Content::Bytes { length, .. } => format!("{length} bytes"),
            Content::Compound { name, .. } => name.to_string(),
            Content::TooDeep => "..".to_string(),
        };
        if !part.is_empty() {
            parts.push(part);
        }
    }
    let (text, left_out) = recorder.text(&parts.join(" "));
    Ok(match left_out {
        0 => text,
        _ => text + "..",
    })
}

/// Implements the traits of sequences and of structs, which differ in the names of their methods.
macro_rules! items {
    ($($trait:ident: $method:ident)*) => {
        $(impl $trait for Compound<'_> {
            type Ok = ();
            type Error = Failed;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
                self.numbered(value)
            }

            fn end(self) -> Result<(), Failed> {
                self.finish();
                Ok(())
            }
        })*
    };
}

macro_rules! fields {
    ($($trait:ident)*) => {
        $(impl $trait for Compound<'_> {
            type Ok = ();
            type Error = Failed;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Failed> {
                self.item(Some(Cow::Borrowed(name)), value)
            }

            fn end(self) -> Result<(), Failed> {
                self.finish();
                Ok(())
            }
        })*
    };
}

items! {
    SerializeSeq: serialize_element
    SerializeTuple: serialize_element
    SerializeTupleStruct: serialize_field
    SerializeTupleVariant: serialize_field
}

fields! {
    SerializeStruct
    SerializeStructVariant
}
