//! A type that writes down which visitor method was called, and with which value.

use std::fmt;

use serde::Deserialize;
use serde::de::{
    Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// The answer of a deserializer that is asked by method number `ASK`.
#[derive(Debug, PartialEq)]
pub(crate) struct Trace<const ASK: u8>(String);

/// The number of methods, and of ways to take an enum.
pub(crate) const ASKS: u8 = 35;

type Anything = Trace<0>;

impl<'de, const ASK: u8> Deserialize<'de> for Trace<ASK> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let readable = deserializer.is_human_readable();
        let (d, v) = (deserializer, Recorder::<ASK>);
        match ASK {
            0 => d.deserialize_any(v),
            1 => d.deserialize_bool(v),
            2 => d.deserialize_i8(v),
            3 => d.deserialize_i16(v),
            4 => d.deserialize_i32(v),
            5 => d.deserialize_i64(v),
            6 => d.deserialize_i128(v),
            7 => d.deserialize_u8(v),
            8 => d.deserialize_u16(v),
            9 => d.deserialize_u32(v),
            10 => d.deserialize_u64(v),
            11 => d.deserialize_u128(v),
            12 => d.deserialize_f32(v),
            13 => d.deserialize_f64(v),
            14 => d.deserialize_char(v),
            15 => d.deserialize_str(v),
            16 => d.deserialize_string(v),
            17 => d.deserialize_bytes(v),
            18 => d.deserialize_byte_buf(v),
            19 => d.deserialize_option(v),
            20 => d.deserialize_unit(v),
            21 => d.deserialize_unit_struct("Unit", v),
            22 => d.deserialize_newtype_struct("Newtype", v),
            23 => d.deserialize_seq(v),
            24 => d.deserialize_tuple(2, v),
            25 => d.deserialize_tuple_struct("Tuple", 2, v),
            26 => d.deserialize_map(v),
            27 => d.deserialize_struct("Struct", &["a", "b"], v),
            28 => d.deserialize_identifier(v),
            29 => d.deserialize_ignored_any(v),
            30 => d.deserialize_enum("@@TAG@@", &["@@UNTAGGED@@", "@@TAGGED@@"], v),
            31..ASKS => d.deserialize_enum("Enum", &["a", "b"], v),
            _ => unreachable!("no method has number {ASK}"),
        }
        .map(|trace| Self(if readable { trace + " readable" } else { trace }))
    }
}

struct Recorder<const ASK: u8>;

macro_rules! record {
    ($($method:ident($type:ty))*) => {
        $(fn $method<E>(self, value: $type) -> Result<String, E> {
            Ok(format!("{}({value:?})", stringify!($method)))
        })*
    };
}

impl<'de, const ASK: u8> Visitor<'de> for Recorder<ASK> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    record! {
        visit_bool(bool) visit_i8(i8) visit_i16(i16) visit_i32(i32) visit_i64(i64) visit_i128(i128)
        visit_u8(u8) visit_u16(u16) visit_u32(u32) visit_u64(u64) visit_u128(u128)
        visit_char(char) visit_str(&str) visit_string(String) visit_bytes(&[u8]) visit_byte_buf(Vec<u8>)
    }

    fn visit_f32<E>(self, number: f32) -> Result<String, E> {
        Ok(format!("visit_f32({:x})", number.to_bits()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<String, E> {
        Ok(format!("visit_f64({:x})", number.to_bits()))
    }

    fn visit_none<E>(self) -> Result<String, E> {
        Ok("visit_none".to_string())
    }

    fn visit_unit<E>(self) -> Result<String, E> {
        Ok("visit_unit".to_string())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        let inner = Anything::deserialize(deserializer)?.0;
        Ok(format!("visit_some({inner})"))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<String, D::Error> {
        let inner = Anything::deserialize(deserializer)?.0;
        Ok(format!("visit_newtype_struct({inner})"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<String, A::Error> {
        let mut trace = "visit_seq[".to_string();
        while let Some(element) = access.next_element::<Anything>()? {
            trace += &element.0;
            trace.push(',');
        }
        Ok(trace + "]")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<String, A::Error> {
        let mut trace = "visit_map{".to_string();
        while let Some((key, value)) = access.next_entry::<Anything, Anything>()? {
            trace += &format!("{}:{},", key.0, value.0);
        }
        Ok(trace + "}")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<String, A::Error> {
        let (name, content) = access.variant::<Trace<28>>()?;
        let name = name.0;
        // ciborium panics if an untagged item is taken as a tuple.
        let content = match ASK {
            _ if name.contains("@@UNTAGGED@@") => newtype(content)?,
            31 => newtype(content)?,
            32 => content.struct_variant(&["a", "b"], Recorder::<0>)?,
            33 => content.unit_variant().map(|()| "()".to_string())?,
            _ => content.tuple_variant(2, Recorder::<0>)?,
        };
        Ok(format!("visit_enum({name}, {content})"))
    }
}

fn newtype<'de, A: VariantAccess<'de>>(content: A) -> Result<String, A::Error> {
    content.newtype_variant::<Anything>().map(|trace| trace.0)
}

/// Takes a value that fails to decode for `None`, as a service does that would rather lose a field
/// than an entry.
#[derive(Debug, PartialEq)]
pub(crate) struct Lenient<T>(Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(T::deserialize(deserializer).ok()))
    }
}

/// Reads the part of an array that it can read, and the rest not at all.
#[derive(Debug, PartialEq)]
pub(crate) struct First(String);

impl<'de> Deserialize<'de> for First {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Leaves;
        impl<'de> Visitor<'de> for Leaves {
            type Value = First;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<First, A::Error> {
                let element = access.next_element::<Anything>()?;
                element
                    .map(|element| First(element.0))
                    .ok_or_else(|| A::Error::custom("no element"))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<First, A::Error> {
                let key = access.next_key::<Anything>()?;
                access.next_value::<IgnoredAny>()?;
                key.map(|key| First(key.0))
                    .ok_or_else(|| A::Error::custom("no entry"))
            }
        }
        deserializer.deserialize_any(Leaves)
    }
}
