//! A reader of CBOR in a slice that gives ciborium's answers, without its costs.
//!
//! The written format is ciborium's, so ciborium decides as what an item may be read: which visitor
//! method an item ends in, which tags are looked through, which values stay unread. Errors are
//! cheaper: they hold no text.

mod tag;
#[cfg(test)]
mod tests;
mod wire;

use serde::de::value::SeqDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use tag::Tagged;
use wire::{ARRAY, FALSE, ItemHead, MAP, NULL, TAG, TEXT, TRUE, UNDEFINED};

pub(super) use tag::ENUM as TAG_ENUM;
pub(super) use wire::{BYTES, Failure, NEGATIVE, POSITIVE, Wire};

/// The number of levels of arrays, maps, enums and tags that an item may have, as in ciborium.
pub(super) const DEEPEST: usize = 256;
const POSITIVE_BIGNUM: u64 = 2;
const NEGATIVE_BIGNUM: u64 = 3;

/// Reads items from the front of `wire`.
pub(super) struct Reader<'a> {
    pub(super) wire: Wire<'a>,
    levels: usize,
    /// True if the next item is the key of a map that needn't be a struct: there a number, which a
    /// struct would take for the position of a field, is a key of a flattened map.
    is_free_key: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            wire: Wire(bytes),
            levels: DEEPEST,
            is_free_key: false,
        }
    }

    /// The level is given back after an error too: a visitor may carry on.
    #[inline]
    fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.levels = self.levels.checked_sub(1).ok_or(Failure::TooDeep)?;
        self.is_free_key = false;
        let result = read(self);
        self.levels += 1;
        result
    }

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
    fn signed<T: TryFrom<u128> + std::ops::Not<Output = T>>(&mut self) -> Result<T, Failure> {
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

/// The elements of an array, or the keys and values of a map.
struct Items<'r, 'a> {
    reader: &'r mut Reader<'a>,
    /// `None`: until a break.
    left: Option<u64>,
    has_free_keys: bool,
}

impl<'r, 'a> Items<'r, 'a> {
    #[inline]
    fn new(reader: &'r mut Reader<'a>, head: ItemHead, has_free_keys: bool) -> Self {
        Self {
            reader,
            left: head.length(),
            has_free_keys,
        }
    }

    /// Says whether there is one more item. Asking for one in vain is an error here, or else a
    /// visitor that swallows the errors of its elements would count up to any length that was
    /// declared.
    #[inline]
    fn advance(&mut self) -> Result<bool, Failure> {
        match &mut self.left {
            Some(0) => Ok(false),
            Some(_) if self.reader.wire.0.is_empty() => Err(Failure::Truncated),
            Some(left) => {
                *left -= 1;
                Ok(true)
            }
            None => {
                let item = self.reader.wire;
                let more = !self.reader.wire.head()?.is_break();
                if more {
                    self.reader.wire = item;
                }
                Ok(more)
            }
        }
    }

    /// No item is shorter than a byte, so a declared length says nothing beyond those that are
    /// left.
    #[inline]
    fn at_most(&self) -> Option<usize> {
        let bytes = self.reader.wire.0.len();
        self.left
            .map(|left| usize::try_from(left).map_or(bytes, |left| left.min(bytes)))
    }
}

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = Failure;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Failure> {
        if !self.advance()? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.at_most()
    }
}

impl<'de> MapAccess<'de> for Items<'_, '_> {
    type Error = Failure;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Failure> {
        self.reader.is_free_key = self.has_free_keys;
        let key = self.next_element_seed(seed);
        self.reader.is_free_key = false;
        key
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Failure> {
        seed.deserialize(&mut *self.reader)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.at_most()
    }
}

/// A variant: its name, and its content unless it is a unit.
///
/// A unit variant's content stays unread, and a tuple's or a struct's may be whatever its visitor
/// takes, as in ciborium.
struct Variant<'r, 'a>(&'r mut Reader<'a>);

impl<'de> EnumAccess<'de> for Variant<'_, '_> {
    type Error = Failure;
    type Variant = Self;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Failure> {
        let name = seed.deserialize(&mut *self.0)?;
        Ok((name, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, '_> {
    type Error = Failure;

    #[inline]
    fn unit_variant(self) -> Result<(), Failure> {
        Ok(())
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Failure> {
        seed.deserialize(self.0)
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Failure> {
        self.0.deserialize_any(visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.0.deserialize_any(visitor)
    }
}
