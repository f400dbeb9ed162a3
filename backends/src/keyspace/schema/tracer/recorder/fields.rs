//! A struct, of which one field is looked at.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, MapAccess, Visitor};

use super::RecordingDeserializer;
use super::place::ValuePlace;
use crate::keyspace::schema::layout::{FLATTENED, escape};
use crate::keyspace::schema::tracer::state::{Field, Stop, TraceState};

impl RecordingDeserializer<'_> {
    /// Reads the field that this pass is to look at, once the fields are known.
    pub(super) fn fields<'de, V: Visitor<'de>>(
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
    pub(super) fn flattened<'de, V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
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
