//! The serializer that writes the lines of a tree.

use std::borrow::Cow;
use std::fmt::{self, Display};

use serde::{Serialize, Serializer, ser};

use super::compound::Compound;
use super::{
    CompoundKind, Content, Line, MOST_BYTES, MOST_LEVELS, MOST_LINES, MOST_NESTED, MOST_TEXT,
    MOST_TEXT_OF_ALL, beginning, shortened,
};

/// The lines up to now.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) lines: Vec<Line>,
    /// The label of the line that comes next.
    pub(super) label: Option<Cow<'static, str>>,
    /// The depth of the line that comes next.
    pub(super) depth: usize,
    nested: usize,
    /// The number of bytes of text that there is room for.
    room: usize,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            lines: Vec::new(),
            label: None,
            depth: 0,
            nested: 0,
            room: MOST_TEXT_OF_ALL,
        }
    }
}

/// The error of a `Serialize` that fails.
#[derive(Debug)]
pub(super) struct Failed(String);

impl Recorder {
    /// Makes a recorder for a part of the value, which is nested no deeper than the whole may be.
    pub(super) fn apart(&self) -> Self {
        Self {
            nested: self.nested + 1,
            ..Self::default()
        }
    }

    pub(super) fn into_lines(self) -> Vec<Line> {
        self.lines
    }

    pub(super) fn is_full(&self) -> bool {
        self.lines.len() >= MOST_LINES
    }

    pub(super) fn push(&mut self, content: Content) {
        let label = self.label.take();
        self.lines.push(Line {
            depth: self.depth,
            label,
            content,
        });
    }

    /// Takes a part of the room for text.
    pub(super) fn text(&mut self, text: &str) -> (String, usize) {
        let shown = beginning(text, MOST_TEXT.min(self.room));
        self.room -= shown.len();
        (shown.to_string(), text.len() - shown.len())
    }

    /// Shows a value inside of another one.
    pub(super) fn nest<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        if self.nested >= MOST_NESTED {
            self.push(Content::TooDeep);
            return Ok(());
        }
        self.nested += 1;
        let shown = value.serialize(&mut *self);
        self.nested -= 1;
        shown
    }

    fn number(&mut self, number: impl Display) -> Result<(), Failed> {
        self.push(Content::Number(number.to_string()));
        Ok(())
    }

    fn word(&mut self, word: &'static str) -> Result<(), Failed> {
        self.push(Content::Word(Cow::Borrowed(word)));
        Ok(())
    }

    fn begin(&mut self, name: &'static str, kind: CompoundKind) -> Result<Compound<'_>, Failed> {
        if self.depth == MOST_LEVELS {
            self.push(Content::TooDeep);
            return Ok(Compound::left_out(self));
        }
        Ok(Compound::begin(self, name, kind))
    }
}

macro_rules! numbers {
    ($($method:ident: $type:ty)*) => {
        $(fn $method(self, value: $type) -> Result<(), Failed> {
            self.number(value)
        })*
    };
}

impl<'a> Serializer for &'a mut Recorder {
    type Ok = ();
    type Error = Failed;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = Compound<'a>;
    type SerializeMap = Compound<'a>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = Compound<'a>;

    numbers! {
        serialize_i8: i8
        serialize_i16: i16
        serialize_i32: i32
        serialize_i64: i64
        serialize_i128: i128
        serialize_u16: u16
        serialize_u32: u32
        serialize_u64: u64
        serialize_u128: u128
    }

    fn serialize_u8(self, value: u8) -> Result<(), Failed> {
        self.push(Content::Byte(value));
        Ok(())
    }

    fn serialize_bool(self, value: bool) -> Result<(), Failed> {
        self.word(if value { "true" } else { "false" })
    }

    // `Debug` of a float is short where `Display` has hundreds of zeros.
    fn serialize_f32(self, value: f32) -> Result<(), Failed> {
        self.number(format_args!("{value:?}"))
    }

    fn serialize_f64(self, value: f64) -> Result<(), Failed> {
        self.number(format_args!("{value:?}"))
    }

    fn serialize_char(self, value: char) -> Result<(), Failed> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Failed> {
        let (text, left_out) = self.text(value);
        self.push(Content::Text { text, left_out });
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Failed> {
        self.push(Content::Bytes {
            first: value[..value.len().min(MOST_BYTES)].to_vec(),
            length: value.len(),
        });
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Failed> {
        self.word("none")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Failed> {
        self.nest(value)
    }

    fn serialize_unit(self) -> Result<(), Failed> {
        self.word("()")
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<(), Failed> {
        self.word(name)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Failed> {
        self.word(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Failed> {
        self.nest(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Failed> {
        let mut content = self.begin(variant, CompoundKind::Variant)?;
        content.item(None, value)?;
        content.finish();
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'a>, Failed> {
        self.begin("", CompoundKind::Items)
    }

    fn serialize_tuple(self, _: usize) -> Result<Compound<'a>, Failed> {
        self.begin("", CompoundKind::Items)
    }

    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<Compound<'a>, Failed> {
        self.begin(name, CompoundKind::Items)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'a>, Failed> {
        self.begin(variant, CompoundKind::Items)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Compound<'a>, Failed> {
        self.begin("", CompoundKind::Map)
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Compound<'a>, Failed> {
        self.begin(name, CompoundKind::Fields)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'a>, Failed> {
        self.begin(variant, CompoundKind::Fields)
    }
}

impl ser::Error for Failed {
    fn custom<T: Display>(message: T) -> Self {
        Self(shortened(message.to_string()))
    }
}

impl Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}
