//! The way to one place of a type: everything on it is written down, and everything before it is
//! made up.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::mock::{MockFields, field_of, key_of, make_up, offer, value_of};
use super::state::{DEPTH, Field, NamedType, Stop, TraceState};
use crate::keyspace::schema::layout::{ANY, FLATTENED, INTO, NEWTYPE, RECURSIVE, ROOT, escape};

/// Writes down the request at one place and goes one way on from there.
#[derive(Debug)]
pub(super) struct RecordingDeserializer<'t> {
    trace: &'t mut TraceState,
    place: ValuePlace,
}

/// A place of a type and the words of its node besides the kind.
#[derive(Debug, Clone)]
struct ValuePlace {
    path: String,
    /// The words before the kind, for the content of a newtype variant.
    prefix: &'static str,
    default: bool,
    depth: usize,
    /// The map that this is the key of, if it is one: a flattened struct asks for it as the name of
    /// a field.
    key_of: Option<NamedType>,
}

impl<'t> RecordingDeserializer<'t> {
    pub(super) fn root(trace: &'t mut TraceState) -> Self {
        let place = ValuePlace {
            path: ROOT.to_string(),
            prefix: "",
            default: false,
            depth: 0,
            key_of: None,
        };
        Self { trace, place }
    }

    /// Writes the node of this place.
    fn write(&mut self, kind: &str) -> Result<(), Stop> {
        self.trace.spend()?;
        let too_deep = self.place.depth > DEPTH;
        let kind = if too_deep { TOO_DEEP } else { kind };
        let ValuePlace {
            path,
            prefix,
            default,
            ..
        } = &self.place;
        self.trace.write(path, &format!("{prefix}{kind}"), *default);
        if too_deep {
            return Err(self.trace.finish());
        }
        Ok(())
    }

    /// Writes the node of a place that has none below it, which ends the pass.
    fn leaf(&mut self, kind: &str) -> Stop {
        match self.write(kind) {
            Ok(()) => self.trace.finish(),
            Err(stop) => stop,
        }
    }

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

    /// Reads the element that this pass is to look at, behind made-up ones.
    fn tuple<'de, V: Visitor<'de>>(mut self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        self.write(&format!("tuple {len}"))?;
        if len == 0 {
            return Err(self.trace.finish());
        }
        let wanted = self.trace.choose(len);
        let place = self.place.below(&format!(".{wanted}"));
        self.element(place, wanted, visitor)
    }

    fn element<'de, V: Visitor<'de>>(
        self,
        wanted: ValuePlace,
        behind: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let outcome = visitor.visit_seq(RecordedElement {
            trace: self.trace,
            path: &self.place.path,
            wanted: &wanted,
            behind,
            at: 0,
        });
        wanted.conclude(self.trace, outcome)
    }

    /// Reads the field that this pass is to look at, once the fields are known.
    fn fields<'de, V: Visitor<'de>>(
        mut self,
        given: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.write("struct")?;
        if given.is_empty() {
            return Err(self.trace.finish());
        }
        if self.trace.fields(&self.place.path).is_none() {
            return Err(self.survey(given, visitor));
        }
        self.one_of_the_fields(visitor)
    }

    /// Reads the required field that this pass is to look at, once it is known which fields are
    /// required.
    fn flattened<'de, V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.write(FLATTENED)?;
        if self.trace.fields(&self.place.path).is_none() {
            return Err(self.survey_flattened(visitor));
        }
        self.one_of_the_fields(visitor)
    }

    fn one_of_the_fields<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let len = self
            .trace
            .fields(&self.place.path)
            .map_or(0, <[Field]>::len);
        if len == 0 {
            return Err(self.trace.finish());
        }
        let taken = self.trace.choose(len);
        let field = self.trace.fields(&self.place.path).map(|all| all[taken]);
        match field {
            Some(field) => self.field(field, visitor),
            None => Err(self.trace.finish()),
        }
    }

    fn field<'de, V: Visitor<'de>>(self, field: Field, visitor: V) -> Result<V::Value, Stop> {
        let mut place = self.place.below(&format!(".{}", escape(field.name)));
        place.default = field.default;
        if let Some(of) = field.alias_of {
            self.trace.write_alias(&place.path, of);
            return Err(self.trace.finish());
        }
        let outcome = visitor.visit_map(OneField {
            trace: self.trace,
            name: Some(field.name),
            place: &place,
        });
        place.conclude(self.trace, outcome)
    }

    /// Takes one step in finding out which fields a struct with flattened ones can't do without.
    fn survey_flattened<'de, V: Visitor<'de>>(self, visitor: V) -> Stop {
        let ValuePlace { path, depth, .. } = self.place;
        let required = self.trace.required(&path);
        let outcome = offer(self.trace, &path, depth + 1, &required, visitor);
        if self.trace.is_finished() {
            return self.trace.finish();
        }
        let missed = match outcome {
            Err(Stop::Missing(name)) => Some(name),
            Err(stop) => {
                // Fields are missed one after the other, so whatever else fails is most likely the
                // last of them.
                let last = required.last().map(|name| field_of(&path, name));
                if last.is_some_and(|last| self.trace.try_another(&last, &stop)) {
                    return self.trace.finish();
                }
                None
            }
            Ok(_) => None,
        };
        self.trace.settle_flattened(&path, missed);
        self.trace.finish()
    }

    /// Takes one step in finding out which names mean the same field and which fields a struct can
    /// do without.
    fn survey<'de, V: Visitor<'de>>(self, given: &'static [&'static str], visitor: V) -> Stop {
        let ValuePlace { path, depth, .. } = self.place;
        match self.trace.unplaced(&path, given) {
            Some(name) => place_name(self.trace, &path, depth + 1, given, name, visitor),
            None => {
                let required = self.trace.required(&path);
                let outcome = offer(self.trace, &path, depth + 1, &required, visitor);
                if !self.trace.is_finished() {
                    self.trace.settle(&path, given, outcome.is_ok());
                }
            }
        }
        self.trace.finish()
    }
}

/// Finds the field that `name` means: offered twice, the struct complains and calls the field by
/// its proper name.
fn place_name<'de, V: Visitor<'de>>(
    trace: &mut TraceState,
    path: &str,
    depth: usize,
    given: &'static [&'static str],
    name: &'static str,
    visitor: V,
) {
    let outcome = visitor.visit_map(MockFields {
        trace,
        path,
        depth,
        names: [name, name].iter(),
        current: name,
    });
    if trace.is_finished() {
        return;
    }
    let proper = match outcome {
        Err(Stop::Duplicate(proper)) if given.contains(&proper) => proper,
        _ => name,
    };
    trace.place(path, proper);
}

impl ValuePlace {
    fn below(&self, step: &str) -> Self {
        self.at(format!("{}{step}", self.path))
    }

    fn at(&self, path: String) -> Self {
        Self {
            path,
            prefix: "",
            default: false,
            depth: self.depth + 1,
            key_of: None,
        }
    }

    /// Ends the pass that was to get here.
    fn conclude<T>(&self, trace: &mut TraceState, outcome: Result<T, Stop>) -> Result<T, Stop> {
        trace.conclude(&self.path, self.prefix, self.default, outcome.is_err());
        outcome
    }
}

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
        let outcome = visitor.visit_enum(Variant {
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

/// A tuple or a sequence up to the element that is looked at.
#[derive(Debug)]
struct RecordedElement<'t> {
    trace: &'t mut TraceState,
    path: &'t str,
    wanted: &'t ValuePlace,
    behind: usize,
    at: usize,
}

impl<'de> SeqAccess<'de> for RecordedElement<'_> {
    type Error = Stop;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        let at = self.at;
        self.at += 1;
        // A type that goes on after an error has to come to an end.
        if at > self.behind || self.trace.is_finished() {
            return Ok(None);
        }
        if at < self.behind {
            let path = format!("{}.{at}", self.path);
            return make_up(self.trace, &path, self.wanted.depth, seed).map(Some);
        }
        let recorder = RecordingDeserializer {
            trace: self.trace,
            place: self.wanted.clone(),
        };
        seed.deserialize(recorder).map(Some)
    }
}

/// A struct as the one field that is looked at.
#[derive(Debug)]
struct OneField<'t> {
    trace: &'t mut TraceState,
    name: Option<&'static str>,
    place: &'t ValuePlace,
}

impl<'de> MapAccess<'de> for OneField<'_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Stop> {
        match self.name.take() {
            Some(name) => seed
                .deserialize(BorrowedStrDeserializer::new(name))
                .map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        seed.deserialize(RecordingDeserializer {
            trace: self.trace,
            place: self.place.clone(),
        })
    }
}

/// A map as one entry, of which the key or the value is looked at.
#[derive(Debug)]
struct RecordedEntry<'t> {
    trace: &'t mut TraceState,
    path: &'t str,
    wanted: &'t ValuePlace,
    asked: bool,
}

impl<'de> MapAccess<'de> for RecordedEntry<'_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Stop> {
        if std::mem::replace(&mut self.asked, true) || self.trace.is_finished() {
            return Ok(None);
        }
        if self.wanted.key_of.is_some() {
            let recorder = RecordingDeserializer {
                trace: self.trace,
                place: self.wanted.clone(),
            };
            return seed.deserialize(recorder).map(Some);
        }
        make_up(self.trace, &key_of(self.path), self.wanted.depth, seed).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        if self.wanted.key_of.is_some() {
            return Err(Stop::Other);
        }
        seed.deserialize(RecordingDeserializer {
            trace: self.trace,
            place: self.wanted.clone(),
        })
    }
}

/// An enum as the one variant that is looked at.
#[derive(Debug)]
struct Variant<'t> {
    trace: &'t mut TraceState,
    variant: &'static str,
    place: ValuePlace,
}

impl<'de, 't> EnumAccess<'de> for Variant<'t> {
    type Error = Stop;
    type Variant = RecordingDeserializer<'t>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, RecordingDeserializer<'t>), Stop> {
        let name = seed.deserialize(BorrowedStrDeserializer::new(self.variant))?;
        let recorder = RecordingDeserializer {
            trace: self.trace,
            place: self.place,
        };
        Ok((name, recorder))
    }
}

impl<'de> VariantAccess<'de> for RecordingDeserializer<'_> {
    type Error = Stop;

    fn unit_variant(mut self) -> Result<(), Stop> {
        Err(self.leaf("unit"))
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(mut self, seed: S) -> Result<S::Value, Stop> {
        self.place.prefix = NEWTYPE;
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        self.tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.fields(fields, visitor)
    }
}

const TOO_DEEP: &str = "opaque (nested too deep)";
