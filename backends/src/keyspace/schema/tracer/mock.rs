//! Values that are made up because a type needs one before it asks for the value that a trace looks
//! for.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::state::{ATTEMPTS, DEPTH, NamedType, Stop, TraceState};
use crate::keyspace::schema::layout::escape;

/// Answers every request with a value that isn't written down.
#[derive(Debug)]
pub(super) struct MockDeserializer<'t> {
    trace: &'t mut TraceState,
    path: String,
    depth: usize,
}

/// Makes up the value at `path`. If the type refuses it, a further pass tries another.
pub(super) fn make_up<'de, S: DeserializeSeed<'de>>(
    trace: &mut TraceState,
    path: &str,
    depth: usize,
    seed: S,
) -> Result<S::Value, Stop> {
    let mock = MockDeserializer {
        trace,
        path: path.to_string(),
        depth,
    };
    seed.deserialize(mock).map_err(|stop| {
        learn(trace, path, &stop);
        // The field that an inner struct misses is not one of the struct around it.
        Stop::Other
    })
}

/// Has a further pass make up another value at `path`, if there is one to try.
fn learn(trace: &mut TraceState, path: &str, stop: &Stop) {
    // A type that first gathers everything that there is misses its fields only afterwards.
    if let Stop::Missing(name) = stop {
        trace.require(path, name);
    }
    // Fields are missed one after the other, so whatever else fails is most likely the last of
    // them.
    let last = trace.required(path).last().copied();
    let tried = last.is_some_and(|name| trace.try_another(&field_of(path, name), stop));
    if !tried {
        trace.try_another(path, stop);
    }
}

/// Offers made-up values for the fields `names` of the struct at `path`, and notes a field that it
/// misses.
pub(super) fn offer<'de, V: Visitor<'de>>(
    trace: &mut TraceState,
    path: &str,
    depth: usize,
    names: &[&'static str],
    visitor: V,
) -> Result<V::Value, Stop> {
    let outcome = visitor.visit_map(MockFields {
        trace,
        path,
        depth,
        names: names.iter(),
        current: "",
    });
    if let Err(Stop::Missing(name)) = outcome
        && !trace.is_finished()
        && !names.contains(&name)
    {
        trace.require(path, name);
    }
    outcome
}

impl MockDeserializer<'_> {
    fn enter(&mut self) -> Result<(), Stop> {
        self.trace.spend()?;
        if self.depth > DEPTH {
            return Err(Stop::Other);
        }
        Ok(())
    }

    fn attempt(&self) -> usize {
        self.trace.attempt(&self.path)
    }

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

    fn visit_tuple<'de, V: Visitor<'de>>(
        &mut self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        visitor.visit_seq(MockElements {
            trace: self.trace,
            path: &self.path,
            depth: self.depth + 1,
            len,
            at: 0,
        })
    }

    /// Reads a map that may be a struct in disguise, flattened or with its tag inside.
    fn guess_fields<'de, V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Stop> {
        let names = self.trace.required(&self.path);
        offer(self.trace, &self.path, self.depth + 1, &names, visitor)
    }

    fn visit_map<'de, V: Visitor<'de>>(
        &mut self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        visitor.visit_map(Entries {
            trace: self.trace,
            path: &self.path,
            depth: self.depth + 1,
            left: len,
        })
    }

    fn visit_struct<'de, V: Visitor<'de>>(
        &mut self,
        given: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        // All names at once would hold a field and its alias; they are for types that don't say
        // which field they miss.
        let names = match self.attempt() {
            0 => self.trace.required(&self.path),
            _ => given.to_vec(),
        };
        offer(self.trace, &self.path, self.depth + 1, &names, visitor)
    }
}

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

/// A struct as the fields that it is offered, each once.
#[derive(Debug)]
pub(super) struct MockFields<'t> {
    pub(super) trace: &'t mut TraceState,
    pub(super) path: &'t str,
    pub(super) depth: usize,
    pub(super) names: std::slice::Iter<'t, &'static str>,
    pub(super) current: &'static str,
}

impl<'de> MapAccess<'de> for MockFields<'_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Stop> {
        // A type that goes on after an error has to come to an end.
        if self.trace.is_finished() {
            return Ok(None);
        }
        let Some(name) = self.names.next() else {
            return Ok(None);
        };
        self.current = name;
        seed.deserialize(BorrowedStrDeserializer::new(name))
            .map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        let path = field_of(self.path, self.current);
        make_up(self.trace, &path, self.depth, seed)
    }
}

#[derive(Debug)]
struct MockElements<'t> {
    trace: &'t mut TraceState,
    path: &'t str,
    depth: usize,
    len: usize,
    at: usize,
}

impl<'de> SeqAccess<'de> for MockElements<'_> {
    type Error = Stop;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        if self.at == self.len || self.trace.is_finished() {
            return Ok(None);
        }
        let path = format!("{}.{}", self.path, self.at);
        self.at += 1;
        make_up(self.trace, &path, self.depth, seed).map(Some)
    }
}

#[derive(Debug)]
struct Entries<'t> {
    trace: &'t mut TraceState,
    path: &'t str,
    depth: usize,
    left: usize,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Stop> {
        if self.left == 0 || self.trace.is_finished() {
            return Ok(None);
        }
        self.left -= 1;
        make_up(self.trace, &key_of(self.path), self.depth, seed).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        make_up(self.trace, &value_of(self.path), self.depth, seed)
    }
}

#[derive(Debug)]
struct MockVariant<'t> {
    trace: &'t mut TraceState,
    path: String,
    depth: usize,
    variant: &'static str,
}

impl<'de> EnumAccess<'de> for MockVariant<'_> {
    type Error = Stop;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Stop> {
        let name = seed.deserialize(BorrowedStrDeserializer::new(self.variant))?;
        Ok((name, self))
    }
}

impl<'de> VariantAccess<'de> for MockVariant<'_> {
    type Error = Stop;

    fn unit_variant(self) -> Result<(), Stop> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Stop> {
        make_up(self.trace, &self.path, self.depth, seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        self.into_deserializer().visit_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.into_deserializer().visit_struct(fields, visitor)
    }
}

impl<'t> MockVariant<'t> {
    fn into_deserializer(self) -> MockDeserializer<'t> {
        MockDeserializer {
            trace: self.trace,
            path: self.path,
            depth: self.depth,
        }
    }
}

/// The path of the member `name` of the struct or enum at `path`.
pub(super) fn field_of(path: &str, name: &str) -> String {
    format!("{path}.{}", escape(name))
}

/// The path of the keys of the map at `path`.
pub(super) fn key_of(path: &str) -> String {
    format!("{path}[key]")
}

/// The path of the values of the map at `path`.
pub(super) fn value_of(path: &str) -> String {
    format!("{path}[value]")
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
