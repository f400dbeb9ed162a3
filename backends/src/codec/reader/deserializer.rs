//! The items that a type asks for, one method a request.

use std::ops::Not;

use serde::de::value::SeqDeserializer;
use serde::de::{Deserializer, Visitor};

use super::Reader;
use super::items::Items;
use super::tag::{self, Tagged};
use super::variant::Variant;
use super::wire::{
    ARRAY, BYTES, FALSE, Failure, ItemHead, MAP, NEGATIVE, NULL, POSITIVE, TAG, TEXT, TRUE,
    UNDEFINED,
};

macro_rules! integers {
    ($($method:ident: $read:ident, $visit:ident($type:ty);)*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
            visitor.$visit(self.$read::<$type>()?)
        })*
    };
}

macro_rules! alike {
    ($($method:ident($($type:ty),*): $other:ident;)*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(self, $(_: $type,)* visitor: V) -> Result<V::Value, Failure> {
            self.$other(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for &mut Reader<'_> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let head = self.wire.head()?;
        match head.major {
            BYTES if head.length().is_some() => visitor.visit_bytes(self.wire.bytes(head)?),
            BYTES => visitor.visit_byte_buf(self.wire.owned_bytes(head)?),
            TEXT if head.length().is_some() => visitor.visit_str(self.wire.text(head)?),
            TEXT => visitor.visit_string(self.wire.owned_text(head)?),
            TAG => self.tagged(head.argument, visitor),
            _ => self.unnamed(head, visitor),
        }
    }

    #[inline]
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.wire.untagged()?.simple() {
            Some(FALSE) => visitor.visit_bool(false),
            Some(TRUE) => visitor.visit_bool(true),
            _ => Err(Failure::Unexpected),
        }
    }

    integers! {
        deserialize_i8: signed, visit_i64(i64);
        deserialize_i16: signed, visit_i64(i64);
        deserialize_i32: signed, visit_i64(i64);
        deserialize_i64: signed, visit_i64(i64);
        deserialize_i128: signed, visit_i128(i128);
        deserialize_u8: unsigned, visit_u64(u64);
        deserialize_u16: unsigned, visit_u64(u64);
        deserialize_u32: unsigned, visit_u64(u64);
        deserialize_u64: unsigned, visit_u64(u64);
        deserialize_u128: unsigned, visit_u128(u128);
    }

    #[inline]
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let number = self.wire.untagged()?.float();
        visitor.visit_f64(number.ok_or(Failure::Unexpected)?)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let head = self.wire.untagged()?;
        if head.major != TEXT || head.length().is_none_or(|length| length > 4) {
            return Err(Failure::Unexpected);
        }
        let mut chars = self.wire.text(head)?.chars();
        match (chars.next(), chars.next()) {
            (Some(only), None) => visitor.visit_char(only),
            _ => Err(Failure::Unexpected),
        }
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let head = self.wire.untagged()?;
        match head.major {
            TEXT => visitor.visit_str(self.wire.text(head)?),
            _ => Err(Failure::Unexpected),
        }
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let head = self.wire.untagged()?;
        match head.major {
            TEXT => visitor.visit_string(self.wire.owned_text(head)?),
            _ => Err(Failure::Unexpected),
        }
    }

    #[inline]
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let head = self.wire.untagged()?;
        match head.major {
            BYTES => visitor.visit_bytes(self.wire.bytes(head)?),
            ARRAY => self.array(head, visitor),
            _ => Err(Failure::Unexpected),
        }
    }

    #[inline]
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let head = self.wire.untagged()?;
        match head.major {
            BYTES => visitor.visit_byte_buf(self.wire.owned_bytes(head)?),
            ARRAY => self.array(head, visitor),
            _ => Err(Failure::Unexpected),
        }
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let item = self.wire;
        match self.wire.head()?.simple() {
            Some(NULL | UNDEFINED) => visitor.visit_none(),
            _ => {
                self.wire = item;
                visitor.visit_some(self)
            }
        }
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.wire.untagged()?.simple() {
            Some(NULL | UNDEFINED) => visitor.visit_unit(),
            _ => Err(Failure::Unexpected),
        }
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self)
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let head = self.wire.untagged()?;
        match head.major {
            ARRAY => self.array(head, visitor),
            BYTES => {
                let bytes = self.wire.owned_bytes(head)?;
                visitor.visit_seq(SeqDeserializer::new(bytes.into_iter()))
            }
            _ => Err(Failure::Unexpected),
        }
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.read_map(true, visitor)
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.read_map(false, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        let mut item = self.wire;
        if name == tag::ENUM {
            let head = self.wire.head()?;
            let tag = (head.major == TAG).then_some(head.argument);
            return self.nested(|reader| {
                if tag.is_none() {
                    reader.wire = item;
                }
                visitor.visit_enum(Tagged::new(tag, reader))
            });
        }
        let head = loop {
            item = self.wire;
            let head = self.wire.head()?;
            if head.major != TAG {
                break head;
            }
        };
        match (head.major, head.length()) {
            (MAP, Some(1)) => self.nested(|reader| visitor.visit_enum(Variant(reader))),
            (TEXT, _) => self.nested(|reader| {
                reader.wire = item;
                visitor.visit_enum(Variant(reader))
            }),
            _ => Err(Failure::Unexpected),
        }
    }

    #[inline]
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let head = self.wire.untagged()?;
        match head.major {
            TEXT => visitor.visit_str(self.wire.text(head)?),
            BYTES => visitor.visit_bytes(self.wire.bytes(head)?),
            _ if self.is_free_key => self.unnamed(head, visitor),
            _ => Err(Failure::Unexpected),
        }
    }

    alike! {
        deserialize_f32(): deserialize_f64;
        deserialize_unit_struct(&'static str): deserialize_unit;
        deserialize_tuple(usize): deserialize_seq;
        deserialize_tuple_struct(&'static str, usize): deserialize_seq;
        deserialize_ignored_any(): deserialize_any;
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }
}

impl Reader<'_> {
    #[inline]
    fn array<'de, V: Visitor<'de>>(
        &mut self,
        head: ItemHead,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.nested(|reader| visitor.visit_seq(Items::new(reader, head, false)))
    }

    #[inline]
    fn map<'de, V: Visitor<'de>>(
        &mut self,
        head: ItemHead,
        has_free_keys: bool,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.nested(|reader| visitor.visit_map(Items::new(reader, head, has_free_keys)))
    }

    #[inline]
    fn read_map<'de, V: Visitor<'de>>(
        &mut self,
        has_free_keys: bool,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        let head = self.wire.untagged()?;
        match head.major {
            MAP => self.map(head, has_free_keys, visitor),
            _ => Err(Failure::Unexpected),
        }
    }

    /// An integer as its sign and the bits of its magnitude, which are inverted in a negative one.
    #[inline]
    fn integer(&mut self) -> Result<(bool, u128), Failure> {
        loop {
            let head = self.wire.head()?;
            return match (head.major, head.argument) {
                (POSITIVE, bits) => Ok((false, bits.into())),
                (NEGATIVE, bits) => Ok((true, bits.into())),
                (TAG, POSITIVE_BIGNUM) => Ok((false, self.wire.magnitude()?)),
                (TAG, NEGATIVE_BIGNUM) => Ok((true, self.wire.magnitude()?)),
                (TAG, _) => continue,
                _ => Err(Failure::Unexpected),
            };
        }
    }

    #[inline]
    fn signed<T: TryFrom<u128> + Not<Output = T>>(&mut self) -> Result<T, Failure> {
        let (negative, bits) = self.integer()?;
        let bits = T::try_from(bits).map_err(|_| Failure::Unexpected)?;
        Ok(if negative { !bits } else { bits })
    }

    #[inline]
    fn unsigned<T: TryFrom<u128>>(&mut self) -> Result<T, Failure> {
        match self.integer()? {
            (false, bits) => T::try_from(bits).map_err(|_| Failure::Unexpected),
            (true, _) => Err(Failure::Unexpected),
        }
    }

    /// An item without a tag that is no text and no bytes.
    ///
    /// Each derived struct has a copy of this for the names of its fields, so it is no more than
    /// free keys need.
    #[inline]
    fn unnamed<'de, V: Visitor<'de>>(
        &mut self,
        head: ItemHead,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        match head.major {
            POSITIVE => visitor.visit_u64(head.argument),
            NEGATIVE => match i64::try_from(head.argument) {
                Ok(bits) => visitor.visit_i64(!bits),
                Err(_) => visitor.visit_i128(!i128::from(head.argument)),
            },
            ARRAY => self.array(head, visitor),
            MAP => self.map(head, false, visitor),
            _ => match (head.simple(), head.float()) {
                (_, Some(number)) => visitor.visit_f64(number),
                (Some(FALSE), _) => visitor.visit_bool(false),
                (Some(TRUE), _) => visitor.visit_bool(true),
                (Some(NULL | UNDEFINED), _) => visitor.visit_none(),
                _ => Err(Failure::Unexpected),
            },
        }
    }

    /// An item whose tag has been read, where anything may stand: a number if it is a short bignum,
    /// or else an enum.
    #[cold]
    fn tagged<'de, V: Visitor<'de>>(&mut self, tag: u64, visitor: V) -> Result<V::Value, Failure> {
        let mut ahead = self.wire;
        let head = ahead.head().inspect_err(|_| self.wire = ahead)?;
        let short = head.major == BYTES && head.length().is_some_and(|length| length <= 16);
        match tag {
            POSITIVE_BIGNUM if short => visitor.visit_u128(self.wire.magnitude()?),
            NEGATIVE_BIGNUM if short => {
                let bits = self.wire.magnitude()?;
                let bits = i128::try_from(bits).map_err(|_| Failure::Unexpected)?;
                visitor.visit_i128(!bits)
            }
            _ => self.nested(|reader| visitor.visit_enum(Tagged::new(Some(tag), reader))),
        }
    }
}

const POSITIVE_BIGNUM: u64 = 2;
const NEGATIVE_BIGNUM: u64 = 3;
