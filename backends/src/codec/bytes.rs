//! Top-level byte sequences: recognising them on the way in, presenting them on the way out.

use std::fmt;

use serde::de::{self, Visitor};
use serde::forward_to_deserialize_any;
use serde::ser::{self, Impossible, Serialize};

/// Returns the bytes if `value` is a sequence of plain `u8` that isn't empty.
///
/// A value that is anything else is left at its first sign of being so.
pub(super) fn collect<T: Serialize + ?Sized>(value: &T) -> Option<Vec<u8>> {
    value
        .serialize(Collector)
        .ok()
        .filter(|bytes| !bytes.is_empty())
}

/// Accepts a sequence of plain `u8` and refuses all else; looks through `Some` and newtypes around the sequence.
struct Collector;

/// Accepts one plain `u8` and refuses all else, `Some` and newtypes included.
struct Element;

/// "This is not a sequence of plain bytes."
#[derive(Debug)]
pub(super) struct NotBytes;

impl fmt::Display for NotBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a sequence of bytes")
    }
}

impl std::error::Error for NotBytes {}

impl ser::Error for NotBytes {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl de::Error for NotBytes {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

macro_rules! refuse {
    ($($method:ident($($type:ty),*))*) => {
        $(fn $method(self, $(_: $type),*) -> Result<Self::Ok, NotBytes> {
            Err(NotBytes)
        })*
    };
}

macro_rules! refuse_all_but_bytes {
    () => {
        type Error = NotBytes;
        type SerializeTuple = Impossible<Self::Ok, NotBytes>;
        type SerializeTupleStruct = Impossible<Self::Ok, NotBytes>;
        type SerializeTupleVariant = Impossible<Self::Ok, NotBytes>;
        type SerializeMap = Impossible<Self::Ok, NotBytes>;
        type SerializeStruct = Impossible<Self::Ok, NotBytes>;
        type SerializeStructVariant = Impossible<Self::Ok, NotBytes>;

        refuse! {
            serialize_bool(bool) serialize_char(char) serialize_str(&str) serialize_bytes(&[u8])
            serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_i128(i128)
            serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_u128(u128)
            serialize_f32(f32) serialize_f64(f64) serialize_none() serialize_unit() serialize_unit_struct(&'static str)
            serialize_unit_variant(&'static str, u32, &'static str)
        }

        fn serialize_newtype_variant<T: Serialize + ?Sized>(
            self,
            _: &'static str,
            _: u32,
            _: &'static str,
            _: &T,
        ) -> Result<Self::Ok, NotBytes> {
            Err(NotBytes)
        }

        fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, NotBytes> {
            Err(NotBytes)
        }

        fn serialize_tuple_struct(
            self,
            _: &'static str,
            _: usize,
        ) -> Result<Self::SerializeTupleStruct, NotBytes> {
            Err(NotBytes)
        }

        fn serialize_tuple_variant(
            self,
            _: &'static str,
            _: u32,
            _: &'static str,
            _: usize,
        ) -> Result<Self::SerializeTupleVariant, NotBytes> {
            Err(NotBytes)
        }

        fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, NotBytes> {
            Err(NotBytes)
        }

        fn serialize_struct(
            self,
            _: &'static str,
            _: usize,
        ) -> Result<Self::SerializeStruct, NotBytes> {
            Err(NotBytes)
        }

        fn serialize_struct_variant(
            self,
            _: &'static str,
            _: u32,
            _: &'static str,
            _: usize,
        ) -> Result<Self::SerializeStructVariant, NotBytes> {
            Err(NotBytes)
        }

        fn is_human_readable(&self) -> bool {
            false
        }
    };
}

impl ser::Serializer for Collector {
    type Ok = Vec<u8>;
    type SerializeSeq = Elements;
    refuse_all_but_bytes!();
    refuse! { serialize_u8(u8) }

    fn serialize_seq(self, length: Option<usize>) -> Result<Elements, NotBytes> {
        // The length is a hint of the value's own making: trusted only so far.
        Ok(Elements(Vec::with_capacity(length.unwrap_or(0).min(4096))))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Vec<u8>, NotBytes> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Vec<u8>, NotBytes> {
        value.serialize(self)
    }
}

impl ser::Serializer for Element {
    type Ok = u8;
    type SerializeSeq = Impossible<u8, NotBytes>;
    refuse_all_but_bytes!();

    fn serialize_u8(self, byte: u8) -> Result<u8, NotBytes> {
        Ok(byte)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, NotBytes> {
        Err(NotBytes)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<u8, NotBytes> {
        Err(NotBytes)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: &T,
    ) -> Result<u8, NotBytes> {
        Err(NotBytes)
    }
}

struct Elements(Vec<u8>);

impl ser::SerializeSeq for Elements {
    type Ok = Vec<u8>;
    type Error = NotBytes;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotBytes> {
        self.0.push(value.serialize(Element)?);
        Ok(())
    }

    fn end(self) -> Result<Vec<u8>, NotBytes> {
        Ok(self.0)
    }
}

/// Presents bytes as what was written: a sequence of numbers, or as bytes to who asks for bytes.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'de> de::Deserializer<'de> for Bytes<'_> {
    type Error = NotBytes;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotBytes> {
        visitor.visit_seq(Numbers(self.0.iter()))
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotBytes> {
        visitor.visit_bytes(self.0)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotBytes> {
        visitor.visit_byte_buf(self.0.to_vec())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotBytes> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, NotBytes> {
        visitor.visit_newtype_struct(self)
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string unit unit_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Numbers<'a>(std::slice::Iter<'a, u8>);

impl<'de> de::SeqAccess<'de> for Numbers<'_> {
    type Error = NotBytes;

    fn next_element_seed<T: de::DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, NotBytes> {
        self.0
            .next()
            .map(|&byte| seed.deserialize(Number(byte)))
            .transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Number(u8);

impl<'de> de::Deserializer<'de> for Number {
    type Error = NotBytes;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotBytes> {
        visitor.visit_u8(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotBytes> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, NotBytes> {
        visitor.visit_newtype_struct(self)
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
