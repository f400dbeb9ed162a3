//! Sequences, tuples, structs and maps that are being written.

use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant,
};

use super::format::{Format, Opened};
use super::keys::Keys;
use super::value::{Context, Guarded};

/// An array, a tuple or a struct that is being written.
pub(super) struct Compound<'a, F: Format, C> {
    inner: C,
    context: Context<'a, F>,
    counted: usize,
    /// The number of elements or fields that there are to be, where the format writes that down.
    declared: Option<usize>,
    mark: F::Mark,
}

/// A map that is being written.
pub(super) struct Map<'a, F: Format, C> {
    entries: Compound<'a, F, C>,
    keys: Keys,
}

impl<'a, F: Format, C> Compound<'a, F, C> {
    pub(super) fn new(
        inner: C,
        context: Context<'a, F>,
        declared: Option<usize>,
        mark: F::Mark,
    ) -> Self {
        Self {
            inner,
            context,
            counted: 0,
            declared,
            mark,
        }
    }

    #[inline]
    fn content<'v, T: Serialize + ?Sized>(&mut self, value: &'v T) -> Guarded<'v, F, T>
    where
        'a: 'v,
    {
        self.counted += 1;
        Guarded::within(value, self.context)
    }

    /// Counts an element of a sequence or an entry of a map.
    #[inline]
    fn element(&self, what: Opened) {
        self.context.format.open(self.context.place, what);
        if F::HAS_EMPTY_ELEMENTS {
            self.context.format.findings().count_element();
        }
    }

    #[inline]
    fn check<E: Error>(&self) -> Result<(), E> {
        match self.declared {
            Some(declared) if declared != self.counted => {
                Err(self.context.format.findings().refuse(MISCOUNTED))
            }
            _ => Ok(()),
        }
    }

    #[inline]
    fn skip<E: Error>(&self) -> Result<(), E> {
        match F::CAN_SKIP_FIELDS {
            true => {
                // The field comes back if it has a default.
                self.context.format.findings().suspect();
                Ok(())
            }
            false => Err(self.context.format.findings().refuse(LEFT_OUT)),
        }
    }
}

impl<'a, F: Format, C> Map<'a, F, C> {
    pub(super) fn new(inner: C, context: Context<'a, F>, length: Option<usize>) -> Self {
        let declared = length.filter(|_| F::WRITES_LENGTHS);
        Self {
            entries: Compound::new(inner, context, declared, F::Mark::default()),
            keys: Keys::of(length),
        }
    }
}

impl<F: Format, C: SerializeSeq> SerializeSeq for Compound<'_, F, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        self.element(Opened::Element);
        let content = self.content(value);
        self.inner.serialize_element(&content)
    }

    #[inline]
    fn end(self) -> Result<C::Ok, C::Error> {
        self.check()?;
        self.inner.end()
    }
}

impl<F: Format, C: SerializeMap> SerializeMap for Map<'_, F, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        self.entries.element(Opened::Key);
        self.entries.counted += 1;
        let key = Guarded {
            value,
            context: self.entries.context,
            keys: Some(&self.keys),
        };
        self.entries.inner.serialize_key(&key)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        let context = self.entries.context;
        context.format.open(context.place, Opened::Value);
        let content = Guarded::within(value, context);
        self.entries.inner.serialize_value(&content)
    }

    #[inline]
    fn end(self) -> Result<C::Ok, C::Error> {
        self.entries.check()?;
        self.entries.inner.end()
    }
}

macro_rules! tuples {
    ($($trait:ident: $method:ident;)*) => {
        $(impl<F: Format, C: $trait> $trait for Compound<'_, F, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                let content = self.content(value);
                self.inner.$method(&content)
            }

            #[inline]
            fn end(self) -> Result<C::Ok, C::Error> {
                self.check()?;
                self.inner.end()
            }
        })*
    };
}

tuples! {
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
    SerializeTupleVariant: serialize_field;
}

macro_rules! structs {
    ($($trait:ident)*) => {
        $(impl<F: Format, C: $trait> $trait for Compound<'_, F, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), C::Error> {
                self.context.format.field(self.mark, name);
                let content = self.content(value);
                self.inner.serialize_field(name, &content)
            }

            #[inline]
            fn skip_field(&mut self, name: &'static str) -> Result<(), C::Error> {
                self.skip()?;
                self.inner.skip_field(name)
            }

            #[inline]
            fn end(self) -> Result<C::Ok, C::Error> {
                self.check()?;
                self.inner.end()
            }
        })*
    };
}

structs! { SerializeStruct SerializeStructVariant }

const LEFT_OUT: &str = "a field that is left out could not be read back";
const MISCOUNTED: &str = "a value has another length than its `Serialize` declared";
