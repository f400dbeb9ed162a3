//! A serializer around another one that refuses values which the format's reader couldn't give
//! back.
//!
//! Encoders go as deep as a value does, and readers stop; some forms of a value have no word in a
//! format. So the limits of the reader are counted here, level by level, while a value is written.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt::Display;

use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// The limits of a format's reader.
pub(super) trait Format {
    /// The number of levels that the reader goes down.
    const DEEPEST: usize;
    /// The levels that a form of a value takes; arrays, maps, tuples and structs always are one.
    const LEVELS: Levels;
    /// The format can write NaN and the infinities.
    const HAS_ALL_FLOATS: bool = true;
    /// All keys of maps are written as text.
    const HAS_TEXT_KEYS_ALONE: bool = false;
    /// The format writes how many fields a struct or a tuple has.
    const WRITES_LENGTHS_OF_STRUCTS: bool = true;
    /// The format writes how many elements a sequence or a map has.
    const WRITES_LENGTHS: bool = true;
    /// The format writes ciborium's tags as tags.
    const HAS_TAGS: bool = false;
    /// An element may take no bytes.
    const HAS_EMPTY_ELEMENTS: bool = false;
    /// A reader finds the fields behind one that was left out.
    const CAN_SKIP_FIELDS: bool = true;

    /// Names a struct to [`field`](Self::field).
    type Mark: Copy + Default;
    /// The type of a value.
    type Place: Copy + Default;

    /// Returns the findings so far.
    fn findings(&self) -> &Findings;

    /// Notes a variant of an enum that is about to be written.
    fn variant(&self, _at: Self::Place, _of: &'static str, _index: u32) {}

    /// Notes a struct or a tuple, or the fields of a variant, that is about to be written.
    fn fields(&self, _at: Self::Place, _count: usize) -> Self::Mark {
        Self::Mark::default()
    }

    /// Notes a field of a struct.
    fn field(&self, _of: Self::Mark, _name: &'static str) {}

    /// Names the type whose value is about to be written.
    fn place<T: ?Sized>() -> Self::Place {
        Self::Place::default()
    }

    /// Notes content that isn't there in every value of the type.
    fn open(&self, _at: Self::Place, _what: Opened) {}
}

/// Content that isn't there in every value of a type.
#[derive(Debug, Clone, Copy)]
pub(super) enum Opened {
    Some,
    Element,
    Key,
    Value,
}

/// The number of the reader's levels that a form of a value takes beside its content.
pub(super) struct Levels {
    pub(super) some: usize,
    pub(super) newtype: usize,
    pub(super) unit_variant: usize,
    /// A variant with content: the levels around a tuple's or a struct's own level.
    pub(super) variant: usize,
}

/// The findings of one encoding.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// The reason why the value was refused, if it was refused here.
    refusal: Cell<Option<&'static str>>,
    is_suspect: Cell<bool>,
    has_repeated: Cell<bool>,
    elements: Cell<usize>,
}

impl Findings {
    /// Returns why the value was refused; `None` if its own `Serialize` failed.
    pub(super) fn refusal(&self) -> Option<&'static str> {
        self.refusal.get()
    }

    /// Says whether the value has a form that some types can't be read back from: 128-bit integers,
    /// fields that are left out, keys that aren't text where the format has no others, a first key
    /// that comes again.
    pub(super) fn is_suspect(&self) -> bool {
        self.is_suspect.get()
    }

    /// Returns the number of elements that all sequences and maps had.
    #[cfg(feature = "postcard")]
    pub(super) fn elements(&self) -> usize {
        self.elements.get()
    }

    #[cold]
    fn refuse<E: Error>(&self, why: &'static str) -> E {
        self.refusal.set(Some(why));
        E::custom(why)
    }

    #[inline]
    fn count_element(&self) {
        self.elements.set(self.elements.get().saturating_add(1));
    }

    fn suspect(&self) {
        self.is_suspect.set(true);
    }

    fn repeat(&self) {
        self.has_repeated.set(true);
        self.suspect();
    }

    /// Returns the reason to refuse a value whose type at the read isn't known: hardly a type reads
    /// fields of which two have one name.
    pub(super) fn repeated(&self) -> Option<&'static str> {
        self.has_repeated.get().then_some(TWICE)
    }
}

const TOO_DEEP: &str = "the value is nested too deep to be read back";
const NO_NUMBER: &str = "the format has no word for NaN and the infinities";
const LEFT_OUT: &str = "a field that is left out could not be read back";
const TWICE: &str = "a flattened field has the name of another one";
const MISCOUNTED: &str = "a value has another length than its `Serialize` declared";

/// A value, to be serialized under the limits of a format.
pub(super) struct Guarded<'a, F: Format, T: ?Sized> {
    value: &'a T,
    context: Context<'a, F>,
    /// The keys of the map that the value is a key of.
    keys: Option<&'a Keys>,
}

impl<'a, F: Format, T: Serialize + ?Sized> Guarded<'a, F, T> {
    pub(super) fn new(value: &'a T, format: &'a F) -> Self {
        let context = Context {
            format,
            left: F::DEEPEST,
            place: F::Place::default(),
        };
        Self::within(value, context)
    }

    #[inline]
    fn within(value: &'a T, context: Context<'a, F>) -> Self {
        let keys = None;
        Self {
            value,
            context,
            keys,
        }
    }
}

impl<F: Format, T: Serialize + ?Sized> Serialize for Guarded<'_, F, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let place = F::place::<T>();
        self.value.serialize(Guard {
            inner: serializer,
            context: Context {
                place,
                ..self.context
            },
            keys: self.keys,
        })
    }
}

/// The writer's place in a value.
struct Context<'a, F: Format> {
    format: &'a F,
    /// The number of levels that there may be below.
    left: usize,
    place: F::Place,
}

impl<F: Format> Clone for Context<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F: Format> Copy for Context<'_, F> {}

impl<'a, F: Format> Context<'a, F> {
    /// Goes some levels down.
    #[inline]
    fn below<E: Error>(self, levels: usize) -> Result<Self, E> {
        match self.left.checked_sub(levels) {
            Some(left) => Ok(Self { left, ..self }),
            None => Err(self.format.findings().refuse(TOO_DEEP)),
        }
    }

    #[inline]
    fn variant(self, of: &'static str, index: u32) {
        self.format.variant(self.place, of, index);
        if of == super::reader::TAG_ENUM {
            // serde's buffers know no tags.
            self.format.findings().suspect();
        }
    }
}

/// The keys that a map has had.
enum Keys {
    /// The first key: a tagged enum puts its tag there, and a map in it may have that key too.
    First(Cell<Option<FirstBytes>>),
    /// All keys of flattened fields, of which none is read that comes twice.
    All(RefCell<HashSet<Box<str>>>),
}

/// The length of a text and its first bytes.
type FirstBytes = (usize, [u8; 16]);

impl Keys {
    fn of(length: Option<usize>) -> Self {
        match length {
            Some(_) => Self::First(Cell::default()),
            None => Self::All(RefCell::default()),
        }
    }

    /// Adds a key, and notes one that was there before, or that looks like the first one.
    fn add(&self, text: &str, findings: &Findings) {
        match self {
            Self::First(first) => {
                let prefix = Some(prefix(text));
                let before = first.get();
                first.set(before.or(prefix));
                if before == prefix {
                    findings.suspect();
                }
            }
            Self::All(keys) => {
                if !keys.borrow_mut().insert(text.into()) {
                    findings.repeat();
                }
            }
        }
    }
}

fn prefix(text: &str) -> FirstBytes {
    let mut start = [0; 16];
    let shown = text.len().min(start.len());
    start[..shown].copy_from_slice(&text.as_bytes()[..shown]);
    (text.len(), start)
}

struct Guard<'a, F: Format, S> {
    inner: S,
    context: Context<'a, F>,
    keys: Option<&'a Keys>,
}

impl<F: Format, S> Guard<'_, F, S> {
    /// Notes a key that isn't text.
    #[inline]
    fn other_key(&self) {
        let Some(keys) = self.keys else {
            return;
        };
        // serde's buffers, which flattened fields go through, hold some keys and not others.
        if F::HAS_TEXT_KEYS_ALONE || matches!(keys, Keys::All(_)) {
            self.context.format.findings().suspect();
        }
    }

    #[inline]
    fn text_key(&self, text: &str) {
        if let Some(keys) = self.keys {
            keys.add(text, self.context.format.findings());
        }
    }

    #[inline]
    fn wide_integer(&self) {
        self.other_key();
        // serde's buffers, which untagged enums are read from, have no room for such integers.
        self.context.format.findings().suspect();
    }

    #[inline]
    fn float<E: Error>(&self, is_finite: bool) -> Result<(), E> {
        self.other_key();
        match is_finite || F::HAS_ALL_FLOATS {
            true => Ok(()),
            false => Err(self.context.format.findings().refuse(NO_NUMBER)),
        }
    }
}

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

macro_rules! pass {
    ($($method:ident: $type:ty, $note:ident;)*) => {
        $(#[inline]
        fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.$note();
            self.inner.$method(value)
        })*
    };
}

impl<'a, F: Format, S: Serializer> Serializer for Guard<'a, F, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Compound<'a, F, S::SerializeSeq>;
    type SerializeTuple = Compound<'a, F, S::SerializeTuple>;
    type SerializeTupleStruct = Compound<'a, F, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Compound<'a, F, S::SerializeTupleVariant>;
    type SerializeMap = Map<'a, F, S::SerializeMap>;
    type SerializeStruct = Compound<'a, F, S::SerializeStruct>;
    type SerializeStructVariant = Compound<'a, F, S::SerializeStructVariant>;

    pass! {
        serialize_bool: bool, other_key;
        serialize_i8: i8, other_key;
        serialize_i16: i16, other_key;
        serialize_i32: i32, other_key;
        serialize_i64: i64, other_key;
        serialize_i128: i128, wide_integer;
        serialize_u8: u8, other_key;
        serialize_u16: u16, other_key;
        serialize_u32: u32, other_key;
        serialize_u64: u64, other_key;
        serialize_u128: u128, wide_integer;
        serialize_bytes: &[u8], other_key;
    }

    #[inline]
    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        self.float(value.is_finite())?;
        self.inner.serialize_f32(value)
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        self.float(value.is_finite())?;
        self.inner.serialize_f64(value)
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<S::Ok, S::Error> {
        self.text_key(value);
        self.inner.serialize_str(value)
    }

    #[inline]
    fn serialize_char(self, value: char) -> Result<S::Ok, S::Error> {
        self.text_key(value.encode_utf8(&mut [0; 4]));
        self.inner.serialize_char(value)
    }

    #[inline]
    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.other_key();
        self.inner.serialize_none()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let context = self.context.below(F::LEVELS.some)?;
        context.format.open(context.place, Opened::Some);
        self.inner.serialize_some(&Guarded {
            value,
            context,
            keys: self.keys,
        })
    }

    #[inline]
    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.other_key();
        self.inner.serialize_unit()
    }

    #[inline]
    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_struct(name)
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.text_key(variant);
        self.context.below(F::LEVELS.unit_variant)?;
        self.context.variant(name, index);
        self.inner.serialize_unit_variant(name, index, variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let content = Guarded {
            value,
            context: self.context.below(F::LEVELS.newtype)?,
            keys: self.keys,
        };
        self.inner.serialize_newtype_struct(name, &content)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let context = self.context.below(F::LEVELS.variant)?;
        context.variant(name, index);
        let content = Guarded::within(value, context);
        self.inner
            .serialize_newtype_variant(name, index, variant, &content)
    }

    #[inline]
    fn serialize_seq(self, length: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        self.other_key();
        let context = self.context.below(1)?;
        let inner = self.inner.serialize_seq(length)?;
        let declared = length.filter(|_| F::WRITES_LENGTHS);
        Ok(Compound::new(inner, context, declared, F::Mark::default()))
    }

    #[inline]
    fn serialize_tuple(self, length: usize) -> Result<Self::SerializeTuple, S::Error> {
        self.other_key();
        let context = self.context.below(1)?;
        let mark = context.format.fields(context.place, length);
        let inner = self.inner.serialize_tuple(length)?;
        Ok(Compound::new(inner, context, of_struct::<F>(length), mark))
    }

    #[inline]
    fn serialize_tuple_struct(
        self,
        name: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        let context = self.context.below(1)?;
        let mark = context.format.fields(context.place, length);
        let inner = self.inner.serialize_tuple_struct(name, length)?;
        Ok(Compound::new(inner, context, of_struct::<F>(length), mark))
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        // A tag of ciborium's and its item are one level, and no array of two.
        let is_tag = F::HAS_TAGS && name == super::reader::TAG_ENUM;
        let levels = F::LEVELS.variant + usize::from(!is_tag);
        let context = self.context.below(levels)?;
        context.variant(name, index);
        let mark = context.format.fields(context.place, length);
        let inner = self
            .inner
            .serialize_tuple_variant(name, index, variant, length)?;
        Ok(Compound::new(inner, context, of_struct::<F>(length), mark))
    }

    #[inline]
    fn serialize_map(self, length: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        self.other_key();
        let context = self.context.below(1)?;
        let inner = self.inner.serialize_map(length)?;
        Ok(Map::new(inner, context, length))
    }

    #[inline]
    fn serialize_struct(
        self,
        name: &'static str,
        length: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        let context = self.context.below(1)?;
        let mark = context.format.fields(context.place, length);
        let inner = self.inner.serialize_struct(name, length)?;
        Ok(Compound::new(inner, context, of_struct::<F>(length), mark))
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        let context = self.context.below(F::LEVELS.variant + 1)?;
        context.variant(name, index);
        let mark = context.format.fields(context.place, length);
        let inner = self
            .inner
            .serialize_struct_variant(name, index, variant, length)?;
        Ok(Compound::new(inner, context, of_struct::<F>(length), mark))
    }

    #[inline]
    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        if self.keys.is_some() {
            return self.serialize_str(&value.to_string());
        }
        self.inner.collect_str(value)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// Returns the length of a struct where the format writes it.
#[inline]
fn of_struct<F: Format>(length: usize) -> Option<usize> {
    F::WRITES_LENGTHS_OF_STRUCTS.then_some(length)
}

impl<'a, F: Format, C> Compound<'a, F, C> {
    fn new(inner: C, context: Context<'a, F>, declared: Option<usize>, mark: F::Mark) -> Self {
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

impl<'a, F: Format, C> Map<'a, F, C> {
    fn new(inner: C, context: Context<'a, F>, length: Option<usize>) -> Self {
        let declared = length.filter(|_| F::WRITES_LENGTHS);
        Self {
            entries: Compound::new(inner, context, declared, F::Mark::default()),
            keys: Keys::of(length),
        }
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
