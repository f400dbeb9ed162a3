//! The record of each request of a type, and the way on from it.

use serde::de::{Deserializer, Visitor};

use super::RecordingDeserializer;
use super::entries::RecordedEntry;
use super::variant::RecordedVariant;
use crate::keyspace::schema::layout::{ANY, FLATTENED, INTO, RECURSIVE, ROOT, escape};
use crate::keyspace::schema::tracer::path::{key_of, value_of};
use crate::keyspace::schema::tracer::state::{NamedType, Stop};

macro_rules! leaves {
    ($($method:ident $kind:expr,)*) => {
        $(
            fn $method<V: Visitor<'de>>(mut self, _: V) -> Result<V::Value, Stop> {
                Err(self.leaf($kind))
            }
        )*
    };
}

impl<'de> Deserializer<'de> for RecordingDeserializer<'_> {
    type Error = Stop;

    leaves! {
        deserialize_bool "bool",
        deserialize_i8 "i8",
        deserialize_i16 "i16",
        deserialize_i32 "i32",
        deserialize_i64 "i64",
        deserialize_i128 "i128",
        deserialize_u8 "u8",
        deserialize_u16 "u16",
        deserialize_u32 "u32",
        deserialize_u64 "u64",
        deserialize_u128 "u128",
        deserialize_f32 "f32",
        deserialize_f64 "f64",
        deserialize_char "char",
        deserialize_str "string",
        deserialize_string "string",
        deserialize_bytes "bytes",
        deserialize_byte_buf "bytes",
        deserialize_unit "unit",
        deserialize_any ANY,
        deserialize_ignored_any "opaque (read and ignored)",
    }

    fn deserialize_identifier<V: Visitor<'de>>(mut self, _: V) -> Result<V::Value, Stop> {
        let Some(map) = self.place.key_of else {
            return Err(self.leaf("opaque (asks for a name)"));
        };
        let path = self.place.path.strip_suffix(&key_of("")).unwrap_or(ROOT);
        self.trace.rewrite_kind(path, "map", FLATTENED);
        Err(self.trace.take_for_flattened(map))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        _: V,
    ) -> Result<V::Value, Stop> {
        Err(self.leaf("unit"))
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.write("option")?;
        let place = self.place.below("?");
        let outcome = visitor.visit_some(RecordingDeserializer {
            trace: self.trace,
            place: place.clone(),
        });
        place.conclude(self.trace, outcome)
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.write("seq")?;
        let place = self.place.below("[]");
        self.element(place, 0, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        self.tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        let map = NamedType::new::<V>("", &[]);
        if self.trace.is_flattened(map) {
            self.enter::<V>("", &[])?;
            return self.flattened(visitor);
        }
        self.write("map")?;
        let is_key = self.trace.choose(2) == 0;
        let path = &self.place.path;
        let path = if is_key { key_of(path) } else { value_of(path) };
        let mut place = self.place.at(path);
        place.key_of = is_key.then_some(map);
        let outcome = visitor.visit_map(RecordedEntry {
            trace: self.trace,
            path: &self.place.path,
            wanted: &place,
            asked: false,
        });
        place.conclude(self.trace, outcome)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        // It has no bytes of its own, and so no node.
        self.enter::<V>(name, &[])?;
        self.place.depth += 1;
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.enter::<V>(name, &[])?;
        self.tuple(len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.enter::<V>(name, fields)?;
        self.fields(fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.enter::<V>(name, variants)?;
        self.write("enum")?;
        if variants.is_empty() {
            return Err(self.trace.finish());
        }
        let variant = variants[self.trace.choose(variants.len())];
        let place = self.place.below(&format!(".{}", escape(variant)));
        let outcome = visitor.visit_enum(RecordedVariant {
            trace: self.trace,
            variant,
            place: place.clone(),
        });
        place.conclude(self.trace, outcome)
    }

    fn is_human_readable(&self) -> bool {
        self.trace.human_readable
    }
}

impl RecordingDeserializer<'_> {
    /// Goes into a named type, or writes that it is inside of itself.
    fn enter<V>(
        &mut self,
        name: &'static str,
        members: &'static [&'static str],
    ) -> Result<(), Stop> {
        let named = NamedType::new::<V>(name, members);
        match self.trace.explore_type(named, &self.place.path) {
            None => Ok(()),
            Some(before) => Err(self.leaf(&format!("{RECURSIVE}{INTO}{before}"))),
        }
    }
}
