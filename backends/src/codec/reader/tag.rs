//! Tags as `ciborium::tag` and `ciborium::Value` ask for them: an enum of the name [`ENUM`].

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, SeqAccess, VariantAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;

/// The name of the enum. Its variants are the untagged item, and a tag with its item.
pub(in crate::codec) const ENUM: &str = "@@TAG@@";
const UNTAGGED: &str = "@@UNTAGGED@@";
const TAGGED: &str = "@@TAGGED@@";

/// An item with or without a tag in front of it.
pub(super) struct Tagged<D> {
    tag: Option<u64>,
    item: Option<D>,
}

impl<D> Tagged<D> {
    pub(super) fn new(tag: Option<u64>, item: D) -> Self {
        let item = Some(item);
        Self { tag, item }
    }
}

impl<'de, D: Deserializer<'de>> EnumAccess<'de> for Tagged<D> {
    type Error = D::Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), D::Error> {
        let name = self.tag.map_or(UNTAGGED, |_| TAGGED);
        let variant = seed.deserialize(TagName(name, std::marker::PhantomData))?;
        Ok((variant, self))
    }
}

impl<'de, D: Deserializer<'de>> VariantAccess<'de> for Tagged<D> {
    type Error = D::Error;

    fn unit_variant(self) -> Result<(), D::Error> {
        Err(D::Error::custom("a tag is no unit"))
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, D::Error> {
        let item = self.item.ok_or_else(|| D::Error::custom("no item"))?;
        seed.deserialize(item)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, D::Error> {
        if self.tag.is_none() {
            return Err(D::Error::custom("no tag"));
        }
        visitor.visit_seq(self)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, D::Error> {
        Err(D::Error::custom("a tag is no struct"))
    }
}

impl<'de, D: Deserializer<'de>> SeqAccess<'de> for Tagged<D> {
    type Error = D::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, D::Error> {
        if let Some(tag) = self.tag.take() {
            return seed.deserialize(tag.into_deserializer()).map(Some);
        }
        let item = self.item.take();
        item.map(|item| seed.deserialize(item)).transpose()
    }
}

/// The name of a variant. serde's own deserializer of a `str` would pass for an enum, too.
struct TagName<E>(&'static str, std::marker::PhantomData<E>);

impl<'de, E: Error> Deserializer<'de> for TagName<E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_str(self.0)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
