//! An enum, of which one variant is looked at.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, EnumAccess, VariantAccess, Visitor};

use super::RecordingDeserializer;
use super::place::ValuePlace;
use crate::keyspace::schema::layout::NEWTYPE;
use crate::keyspace::schema::tracer::state::{Stop, TraceState};

/// An enum as the one variant that is looked at.
#[derive(Debug)]
pub(super) struct RecordedVariant<'t> {
    pub(super) trace: &'t mut TraceState,
    pub(super) variant: &'static str,
    pub(super) place: ValuePlace,
}

impl<'de, 't> EnumAccess<'de> for RecordedVariant<'t> {
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
