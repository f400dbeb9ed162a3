//! A deserializer around another one, which adds limits, and looks at the items that are read.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// The steps of a read at which something is done; each part of a value has its own copy.
pub(super) trait Reading: Copy {
    /// Goes one level down.
    ///
    /// # Errors
    ///
    /// An error of the format if the value is nested too deep.
    fn below<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    /// Notes an element of a sequence, or an entry of a map.
    ///
    /// # Errors
    ///
    /// An error of the format if there are too many.
    fn element<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    /// Returns the number of elements to have room for, of those that the bytes declare.
    fn room(self, declared: usize) -> usize {
        declared
    }

    /// Returns the reading for a sequence or a map of a length that the bytes declare.
    fn counted(self) -> Self {
        self
    }

    /// Returns the reading for an item of a type that asks the format what comes.
    fn any(self) -> Self {
        self.typed()
    }

    /// Returns the reading for a field's name or a variant's.
    fn name(self) -> Self {
        self.typed()
    }

    /// Returns the reading for an item of a known type.
    fn typed(self) -> Self {
        self
    }

    /// Returns the reading for a map, whose keys needn't be the names of fields.
    fn map(self) -> Self {
        self.typed()
    }

    /// Returns the reading for a key of a map.
    fn key(self) -> Self {
        self
    }

    /// Returns the reading for a struct or a tuple.
    fn fields(self, _names: &'static [&'static str]) -> Self {
        self
    }

    /// Returns the scalar that text stands for in this place, if it isn't text.
    fn scalar(self, _text: &str) -> Option<Scalar> {
        None
    }
}

/// A number or a truth value that a format has written as text.
#[cfg_attr(
    not(feature = "json"),
    expect(dead_code, reason = "JSON alone writes such text")
)]
pub(super) enum Scalar {
    Positive(u64),
    Negative(i64),
    Real(f64),
    Truth(bool),
}

impl Scalar {
    fn visit<'de, V: Visitor<'de>, E: Error>(self, visitor: V) -> Result<V::Value, E> {
        match self {
            Self::Positive(number) => visitor.visit_u64(number),
            Self::Negative(number) => visitor.visit_i64(number),
            Self::Real(number) => visitor.visit_f64(number),
            Self::Truth(truth) => visitor.visit_bool(truth),
        }
    }
}

/// Anything of serde's, with how it is read.
pub(super) struct Read<T, R> {
    inner: T,
    reading: R,
}

impl<T, R: Reading> Read<T, R> {
    pub(super) fn new(inner: T, reading: R) -> Self {
        Self { inner, reading }
    }
}

macro_rules! ask {
    ($($method:ident($($argument:ident: $type:ty),*): $($how:ident($($with:expr)?)).+;)*) => {
        $(fn $method<V: Visitor<'de>>(
            self,
            $($argument: $type,)*
            visitor: V,
        ) -> Result<V::Value, D::Error> {
            let reading = self.reading.$($how($($with)?)).+;
            self.inner.$method($($argument,)* Read::new(visitor, reading))
        })*
    };
}

impl<'de, D: Deserializer<'de>, R: Reading> Deserializer<'de> for Read<D, R> {
    type Error = D::Error;

    ask! {
        deserialize_any(): any();
        deserialize_ignored_any(): typed();
        deserialize_identifier(): name();
        deserialize_bool(): typed();
        deserialize_i8(): typed();
        deserialize_i16(): typed();
        deserialize_i32(): typed();
        deserialize_i64(): typed();
        deserialize_i128(): typed();
        deserialize_u8(): typed();
        deserialize_u16(): typed();
        deserialize_u32(): typed();
        deserialize_u64(): typed();
        deserialize_u128(): typed();
        deserialize_f32(): typed();
        deserialize_f64(): typed();
        deserialize_char(): typed();
        deserialize_str(): typed();
        deserialize_string(): typed();
        deserialize_bytes(): typed();
        deserialize_byte_buf(): typed();
        deserialize_unit(): typed();
        deserialize_unit_struct(name: &'static str): typed();
        deserialize_option(): typed();
        deserialize_newtype_struct(name: &'static str): typed();
        deserialize_seq(): typed().counted();
        deserialize_map(): map().counted();
        deserialize_tuple(length: usize): typed().fields(NO_NAMES);
        deserialize_tuple_struct(name: &'static str, length: usize): typed().fields(NO_NAMES);
        deserialize_struct(name: &'static str, fields: &'static [&'static str]): typed().fields(fields);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]): typed();
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// Of a tuple, whose fields have no names.
const NO_NAMES: &[&str] = &[];

macro_rules! visit {
    ($($method:ident: $type:ty)*) => {
        $(fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>, R: Reading> Visitor<'de> for Read<V, R> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    visit! {
        visit_bool: bool
        visit_i8: i8 visit_i16: i16 visit_i32: i32 visit_i64: i64 visit_i128: i128
        visit_u8: u8 visit_u16: u16 visit_u32: u32 visit_u64: u64 visit_u128: u128
        visit_f32: f32 visit_f64: f64 visit_char: char
        visit_bytes: &[u8] visit_borrowed_bytes: &'de [u8] visit_byte_buf: Vec<u8>
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<V::Value, E> {
        match self.reading.scalar(text) {
            Some(scalar) => scalar.visit(self.inner),
            None => self.inner.visit_str(text),
        }
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<V::Value, E> {
        match self.reading.scalar(text) {
            Some(scalar) => scalar.visit(self.inner),
            None => self.inner.visit_borrowed_str(text),
        }
    }

    fn visit_string<E: Error>(self, text: String) -> Result<V::Value, E> {
        match self.reading.scalar(&text) {
            Some(scalar) => scalar.visit(self.inner),
            None => self.inner.visit_string(text),
        }
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, content: D) -> Result<V::Value, D::Error> {
        let reading = self.reading.below()?;
        self.inner.visit_some(Read::new(content, reading))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, content: D) -> Result<V::Value, D::Error> {
        let reading = self.reading.below()?;
        self.inner.visit_newtype_struct(Read::new(content, reading))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<V::Value, A::Error> {
        let reading = self.reading.below()?;
        self.inner.visit_seq(Read::new(elements, reading))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<V::Value, A::Error> {
        let reading = self.reading.below()?;
        self.inner.visit_map(Read::new(entries, reading))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        let reading = self.reading.below()?;
        self.inner.visit_enum(Read::new(variant, reading))
    }
}

impl<'de, S: DeserializeSeed<'de>, R: Reading> DeserializeSeed<'de> for Read<S, R> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        let deserializer = Read::new(deserializer, self.reading);
        self.inner.deserialize(deserializer)
    }
}

impl<'de, A: SeqAccess<'de>, R: Reading> SeqAccess<'de> for Read<A, R> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let element = self
            .inner
            .next_element_seed(Read::new(seed, self.reading))?;
        if element.is_some() {
            self.reading.element()?;
        }
        Ok(element)
    }

    fn size_hint(&self) -> Option<usize> {
        let declared = self.inner.size_hint()?;
        Some(self.reading.room(declared))
    }
}

impl<'de, A: MapAccess<'de>, R: Reading> MapAccess<'de> for Read<A, R> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let key = self
            .inner
            .next_key_seed(Read::new(seed, self.reading.key()))?;
        if key.is_some() {
            self.reading.element()?;
        }
        Ok(key)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(Read::new(seed, self.reading))
    }

    fn size_hint(&self) -> Option<usize> {
        let declared = self.inner.size_hint()?;
        Some(self.reading.room(declared))
    }
}

impl<'de, A: EnumAccess<'de>, R: Reading> EnumAccess<'de> for Read<A, R> {
    type Error = A::Error;
    type Variant = Read<A::Variant, R>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let reading = self.reading;
        let (name, content) = self.inner.variant_seed(Read::new(seed, reading))?;
        Ok((name, Read::new(content, reading)))
    }
}

impl<'de, A: VariantAccess<'de>, R: Reading> VariantAccess<'de> for Read<A, R> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.inner
            .newtype_variant_seed(Read::new(seed, self.reading))
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let reading = self.reading.typed().fields(NO_NAMES);
        self.inner
            .tuple_variant(length, Read::new(visitor, reading))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let reading = self.reading.typed().fields(fields);
        self.inner
            .struct_variant(fields, Read::new(visitor, reading))
    }
}
