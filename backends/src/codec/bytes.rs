//! Top-level byte sequences: recognising them on the way in, presenting them on the way out.

use std::fmt;

use serde::de::{self, Visitor};
use serde::ser::{self, Impossible, Serialize};

use super::reader::{Failure, Reader};

/// Returns the bytes if `value` is a sequence of plain `u8` that isn't empty.
///
/// A value that is anything else is left at its first sign of being so.
pub(super) fn collect<T: Serialize + ?Sized>(value: &T) -> Option<Vec<u8>> {
    value
        .serialize(Collector)
        .ok()
        .filter(|bytes| !bytes.is_empty())
}

/// Accepts a sequence of plain `u8` and refuses all else; looks through `Some` and newtypes around
/// the sequence.
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

macro_rules! refuse_to_read {
    ($($method:ident($($type:ty),*))*) => {
        $(fn $method<V: Visitor<'de>>(self, $(_: $type,)* _: V) -> Result<V::Value, Failure> {
            Err(Failure::Unexpected)
        })*
    };
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

/// Presents a byte vector that stands at the top: as bytes, and as a sequence of numbers.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a> {
    /// The tag and the byte string behind it.
    item: &'a [u8],
    content: &'a [u8],
}

impl<'a> Bytes<'a> {
    pub(super) fn new(item: &'a [u8], content: &'a [u8]) -> Self {
        Self { item, content }
    }
}

impl<'de> de::Deserializer<'de> for Bytes<'_> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_unit()
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_seq(Numbers(self.content.iter()))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_bytes(self.content)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_byte_buf(self.content.to_vec())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        // ciborium's types ask for the tag by an enum. The reader refuses all other enums.
        Reader::new(self.item).deserialize_enum(name, variants, visitor)
    }

    refuse_to_read! {
        deserialize_bool() deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64()
        deserialize_i128() deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64()
        deserialize_u128() deserialize_f32() deserialize_f64() deserialize_char() deserialize_str()
        deserialize_string() deserialize_unit() deserialize_map() deserialize_identifier()
        deserialize_unit_struct(&'static str)
        deserialize_struct(&'static str, &'static [&'static str])
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

struct Numbers<'a>(std::slice::Iter<'a, u8>);

impl<'de> de::SeqAccess<'de> for Numbers<'_> {
    type Error = Failure;

    fn next_element_seed<T: de::DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Failure> {
        let byte = self.0.next();
        byte.map(|&byte| seed.deserialize(Number(byte))).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

/// A byte, as the integer that it would be in an array.
struct Number(u8);

macro_rules! read_an_integer {
    ($($method:ident)*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
            visitor.visit_u8(self.0)
        })*
    };
}

impl<'de> de::Deserializer<'de> for Number {
    type Error = Failure;

    read_an_integer! {
        deserialize_any deserialize_ignored_any
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self)
    }

    refuse_to_read! {
        deserialize_bool() deserialize_f32() deserialize_f64() deserialize_char() deserialize_str()
        deserialize_string() deserialize_bytes() deserialize_byte_buf() deserialize_unit() deserialize_seq()
        deserialize_map() deserialize_identifier()
        deserialize_unit_struct(&'static str)
        deserialize_tuple(usize)
        deserialize_tuple_struct(&'static str, usize)
        deserialize_struct(&'static str, &'static [&'static str])
        deserialize_enum(&'static str, &'static [&'static str])
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}
