//! The made-up content of a variant.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, EnumAccess, VariantAccess, Visitor};

use super::{MockDeserializer, make_up};
use crate::keyspace::schema::tracer::state::{Stop, TraceState};

#[derive(Debug)]
pub(super) struct MockVariant<'t> {
    pub(super) trace: &'t mut TraceState,
    pub(super) path: String,
    pub(super) depth: usize,
    pub(super) variant: &'static str,
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
