//! The made-up answer to each request of a type.

use serde::de::{Deserializer, Visitor};

use super::MockDeserializer;
use super::variant::MockVariant;
use crate::keyspace::schema::tracer::path::field_of;
use crate::keyspace::schema::tracer::state::{ATTEMPTS, NamedType, Stop};

macro_rules! numbers {
    ($($method:ident $visit:ident $number:ty,)*) => {
        $(
            fn $method<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
                self.enter()?;
                visitor.$visit(<$number>::from(self.number()))
            }
        )*
    };
}

impl<'de> Deserializer<'de> for MockDeserializer<'_> {
    type Error = Stop;

    numbers! {
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
        deserialize_u128 visit_u128 u128,
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
        deserialize_i128 visit_i128 i128,
        deserialize_f32 visit_f32 f32,
        deserialize_f64 visit_f64 f64,
    }

    fn deserialize_i8<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.enter()?;
        visitor.visit_i8(i8::from(self.number() == 1))
    }

    fn deserialize_bool<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.enter()?;
        visitor.visit_bool(self.number() == 1)
    }

    fn deserialize_char<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.enter()?;
        visitor.visit_char('a')
    }

    fn deserialize_str<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.enter()?;
        visitor.visit_borrowed_str(self.text())
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.enter()?;
        visitor.visit_borrowed_bytes(self.bytes())
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.enter()?;
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.enter()?;
        match self.attempt() {
            1 => visitor.visit_u64(1),
            2 => self.guess_fields(visitor),
            3 => self.visit_tuple(0, visitor),
            4 => visitor.visit_unit(),
            5 => visitor.visit_bool(true),
            _ => visitor.visit_borrowed_str(self.text()),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.enter()?;
        if self.len() == 0 {
            return visitor.visit_none();
        }
        visitor.visit_some(MockDeserializer {
            path: format!("{}?", self.path),
            depth: self.depth + 1,
            trace: self.trace,
        })
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.enter()?;
        let len = self.len();
        self.visit_tuple(len, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        mut self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.enter()?;
        self.visit_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.enter()?;
        match self.len() {
            0 => self.guess_fields(visitor),
            len => self.visit_map(len, visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.enter()?;
        self.trace.make_type(NamedType::new::<V>(name, &[]))?;
        let outcome = visitor.visit_newtype_struct(MockDeserializer {
            trace: self.trace,
            path: self.path,
            depth: self.depth + 1,
        });
        self.trace.made_type();
        outcome
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.enter()?;
        self.trace.make_type(NamedType::new::<V>(name, &[]))?;
        let outcome = self.visit_tuple(len, visitor);
        self.trace.made_type();
        outcome
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.enter()?;
        self.trace.make_type(NamedType::new::<V>(name, fields))?;
        let outcome = self.visit_struct(fields, visitor);
        self.trace.made_type();
        outcome
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.enter()?;
        if variants.is_empty() {
            return Err(Stop::Other);
        }
        self.trace.make_type(NamedType::new::<V>(name, variants))?;
        let variant = variants[self.attempt() % variants.len()];
        let outcome = visitor.visit_enum(MockVariant {
            path: field_of(&self.path, variant),
            depth: self.depth + 1,
            trace: self.trace,
            variant,
        });
        self.trace.made_type();
        outcome
    }

    fn is_human_readable(&self) -> bool {
        self.trace.human_readable
    }
}

impl MockDeserializer<'_> {
    fn text(&self) -> &'static str {
        let guess = TEXTS[self.attempt() % TEXTS.len()];
        self.trace.text(&self.path).unwrap_or(guess)
    }

    fn bytes(&self) -> &'static [u8] {
        &ZEROS[..LENGTHS[self.attempt() % LENGTHS.len()]]
    }

    fn number(&self) -> u8 {
        // The number one, which most types take, NonZero too.
        u8::from(self.attempt() != 1)
    }

    /// The number of elements of a collection: none, unless the type refuses that.
    fn len(&self) -> usize {
        usize::from(self.attempt() % 2 == 1)
    }
}

/// Texts that the usual types read: numbers, times, UUIDs, addresses, durations.
const TEXTS: [&str; ATTEMPTS] = [
    "a",
    "1",
    "1970-01-01T00:00:00Z",
    "1970-01-01",
    "00:00:00",
    "1970-01-01T00:00:00",
    "67e55044-10b1-426f-9247-bb680e5fe0c8",
    "127.0.0.1",
    "::1",
    "127.0.0.1:1",
    "[::1]:1",
    "http://a.example/",
    "a@a.example",
    "PT1S",
    "1s",
    "aaaaaaaaaaaaaaaa",
];

/// Lengths that types of a fixed size have.
const LENGTHS: [usize; 10] = [16, 4, 6, 8, 12, 20, 24, 32, 48, 64];
const ZEROS: &[u8] = &[0; 64];
