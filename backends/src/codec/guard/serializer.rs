//! The serializer that a guarded value is written by: it checks each part, and hands it on.

use std::fmt::Display;

use serde::ser::{Error, Serialize, Serializer};

use super::compound::{Compound, Map};
use super::format::{Format, Opened};
use super::keys::Keys;
use super::value::{Context, Guarded};
use crate::codec::reader::TAG_ENUM;

impl<F: Format, T: Serialize + ?Sized> Serialize for Guarded<'_, F, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let place = F::place::<T>();
        self.value.serialize(Guard {
            inner: serializer,
            context: Context {
                place,
                ..self.context
            },
            keys: self.keys,
        })
    }
}

struct Guard<'a, F: Format, S> {
    inner: S,
    context: Context<'a, F>,
    keys: Option<&'a Keys>,
}

impl<F: Format, S> Guard<'_, F, S> {
    /// Notes a key that isn't text.
    #[inline]
    fn other_key(&self) {
        let Some(keys) = self.keys else {
            return;
        };
        // serde's buffers, which flattened fields go through, hold some keys and not others.
        if F::HAS_TEXT_KEYS_ALONE || matches!(keys, Keys::All(_)) {
            self.context.format.findings().suspect();
        }
    }

    #[inline]
    fn text_key(&self, text: &str) {
        if let Some(keys) = self.keys {
            keys.add(text, self.context.format.findings());
        }
    }

    #[inline]
    fn wide_integer(&self) {
        self.other_key();
        // serde's buffers, which untagged enums are read from, have no room for such integers.
        self.context.format.findings().suspect();
    }

    #[inline]
    fn float<E: Error>(&self, is_finite: bool) -> Result<(), E> {
        self.other_key();
        match is_finite || F::HAS_ALL_FLOATS {
            true => Ok(()),
            false => Err(self.context.format.findings().refuse(NO_NUMBER)),
        }
    }
}

macro_rules! pass {
    ($($method:ident: $type:ty, $note:ident;)*) => {
        $(#[inline]
        fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.$note();
            self.inner.$method(value)
        })*
    };
}

impl<'a, F: Format, S: Serializer> Serializer for Guard<'a, F, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Compound<'a, F, S::SerializeSeq>;
    type SerializeTuple = Compound<'a, F, S::SerializeTuple>;
    type SerializeTupleStruct = Compound<'a, F, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Compound<'a, F, S::SerializeTupleVariant>;
    type SerializeMap = Map<'a, F, S::SerializeMap>;
    type SerializeStruct = Compound<'a, F, S::SerializeStruct>;
    type SerializeStructVariant = Compound<'a, F, S::SerializeStructVariant>;

    pass! {
        serialize_bool: bool, other_key;
        serialize_i8: i8, other_key;
        serialize_i16: i16, other_key;
        serialize_i32: i32, other_key;
        serialize_i64: i64, other_key;
        serialize_i128: i128, wide_integer;
        serialize_u8: u8, other_key;
        serialize_u16: u16, other_key;
        serialize_u32: u32, other_key;
        serialize_u64: u64, other_key;
        serialize_u128: u128, wide_integer;
        serialize_bytes: &[u8], other_key;
    }

    #[inline]
    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        self.float(value.is_finite())?;
        self.inner.serialize_f32(value)
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        self.float(value.is_finite())?;
        self.inner.serialize_f64(value)
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<S::Ok, S::Error> {
        self.text_key(value);
        self.inner.serialize_str(value)
    }

    #[inline]
    fn serialize_char(self, value: char) -> Result<S::Ok, S::Error> {
        self.text_key(value.encode_utf8(&mut [0; 4]));
        self.inner.serialize_char(value)
    }

    #[inline]
    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.other_key();
        self.inner.serialize_none()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let context = self.context.below(F::LEVELS.some)?;
        context.format.open(context.place, Opened::Some);
        self.inner.serialize_some(&Guarded {
            value,
            context,
            keys: self.keys,
        })
    }

    #[inline]
    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.other_key();
        self.inner.serialize_unit()
    }

    #[inline]
    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_struct(name)
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.text_key(variant);
        self.context.below(F::LEVELS.unit_variant)?;
        self.context.variant(name, index);
        self.inner.serialize_unit_variant(name, index, variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let content = Guarded {
            value,
            context: self.context.below(F::LEVELS.newtype)?,
            keys: self.keys,
        };
        self.inner.serialize_newtype_struct(name, &content)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let context = self.context.below(F::LEVELS.variant)?;
        context.variant(name, index);
        let content = Guarded::within(value, context);
        self.inner
            .serialize_newtype_variant(name, index, variant, &content)
    }

    #[inline]
    fn serialize_seq(self, length: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        self.other_key();
        let context = self.context.below(1)?;
        let inner = self.inner.serialize_seq(length)?;
        let declared = length.filter(|_| F::WRITES_LENGTHS);
        Ok(Compound::new(inner, context, declared, F::Mark::default()))
    }

    #[inline]
    fn serialize_tuple(self, length: usize) -> Result<Self::SerializeTuple, S::Error> {
        self.other_key();
        let context = self.context.below(1)?;
        let mark = context.format.fields(context.place, length);
        let inner = self.inner.serialize_tuple(length)?;
        Ok(Compound::new(inner, context, of_struct::<F>(length), mark))
    }

    #[inline]
    fn serialize_tuple_struct(
        self,
        name: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        let context = self.context.below(1)?;
        let mark = context.format.fields(context.place, length);
        let inner = self.inner.serialize_tuple_struct(name, length)?;
        Ok(Compound::new(inner, context, of_struct::<F>(length), mark))
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        // A tag of ciborium's and its item are one level, and no array of two.
        let is_tag = F::HAS_TAGS && name == TAG_ENUM;
        let levels = F::LEVELS.variant + usize::from(!is_tag);
        let context = self.context.below(levels)?;
        context.variant(name, index);
        let mark = context.format.fields(context.place, length);
        let inner = self
            .inner
            .serialize_tuple_variant(name, index, variant, length)?;
        Ok(Compound::new(inner, context, of_struct::<F>(length), mark))
    }

    #[inline]
    fn serialize_map(self, length: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        self.other_key();
        let context = self.context.below(1)?;
        let inner = self.inner.serialize_map(length)?;
        Ok(Map::new(inner, context, length))
    }

    #[inline]
    fn serialize_struct(
        self,
        name: &'static str,
        length: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        let context = self.context.below(1)?;
        let mark = context.format.fields(context.place, length);
        let inner = self.inner.serialize_struct(name, length)?;
        Ok(Compound::new(inner, context, of_struct::<F>(length), mark))
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        let context = self.context.below(F::LEVELS.variant + 1)?;
        context.variant(name, index);
        let mark = context.format.fields(context.place, length);
        let inner = self
            .inner
            .serialize_struct_variant(name, index, variant, length)?;
        Ok(Compound::new(inner, context, of_struct::<F>(length), mark))
    }

    #[inline]
    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        if self.keys.is_some() {
            return self.serialize_str(&value.to_string());
        }
        self.inner.collect_str(value)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// Returns the length of a struct where the format writes it.
#[inline]
fn of_struct<F: Format>(length: usize) -> Option<usize> {
    F::WRITES_LENGTHS_OF_STRUCTS.then_some(length)
}

const NO_NUMBER: &str = "the format has no word for NaN and the infinities";
