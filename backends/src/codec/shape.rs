//! The variants and fields that a type writes, against those that it reads: for a format that finds
//! them by their position.
//!
//! Such a format writes a variant as its number and fields one behind the other. serde numbers the
//! variants that it writes and those that it reads each for themselves: behind a variant with
//! `#[serde(skip)]` the two differ, and another variant comes back. So does another field, or none,
//! where a field is skipped on one side alone.
//!
//! The type's own `Deserialize` knows the names that it reads. When a type first writes a variant
//! or a struct, the bytes are read back and the names on both sides compared. Where these differ,
//! for aliases and for names that are meant to differ, the value that came back is written again:
//! other bytes are another value.

use std::any::type_name;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::marker::PhantomData;
use std::sync::LazyLock;

use dashmap::DashMap;
use foldhash::fast::RandomState;
use serde::de::Error;

use super::guard::{Findings, Format, Levels, Opened};
use super::reading::Reading;

/// A form that a value of a type can have, and comes back in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Shape {
    /// The type that is read.
    of: Name,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Form {
    /// Any value at all.
    Any,
    Variant(Name, u32, Name),
    /// A struct with so many fields.
    Fields(Name, usize),
    /// Content of this field or variant that not every value has.
    Content(Name, u8),
}

/// A name that lives as long as the program, by its address: two of the same text may differ, and
/// are then looked at twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Name {
    address: usize,
    length: usize,
}

impl Name {
    pub(super) fn of(text: &'static str) -> Self {
        Self {
            address: text.as_ptr().addr(),
            length: text.len(),
        }
    }
}

static KNOWN: LazyLock<DashMap<Shape, (), RandomState>> = LazyLock::new(DashMap::default);

/// The known forms of a type, while one of its values is written.
#[derive(Debug)]
pub(super) struct Known {
    of: Name,
    has_met_unknown: Cell<bool>,
    /// The form that was met last: elements of a list are of one type mostly.
    last: Cell<Form>,
}

impl Known {
    pub(super) fn of<V>() -> Self {
        let known = Self {
            of: Name::of(type_name::<V>()),
            has_met_unknown: Cell::new(false),
            last: Cell::new(Form::Any),
        };
        known.look_up(Form::Any);
        known
    }

    pub(super) fn has_met_unknown(&self) -> bool {
        self.has_met_unknown.get()
    }

    /// Looks a variant up that is written.
    pub(super) fn meet(&self, name: &'static str, index: u32, variant: &'static str) {
        self.meet_form(Form::Variant(Name::of(name), index, Name::of(variant)));
    }

    /// Looks a struct up that is written.
    pub(super) fn meet_fields(&self, name: &'static str, count: usize) {
        self.meet_form(Form::Fields(Name::of(name), count));
    }

    /// Looks up what is written in a field or a variant.
    pub(super) fn meet_content(&self, at: Name, what: Opened) {
        self.meet_form(Form::Content(at, what as u8));
    }

    fn meet_form(&self, form: Form) {
        if self.last.get() != form {
            self.look_up(form);
        }
    }

    fn look_up(&self, form: Form) {
        let of = self.of;
        match KNOWN.contains_key(&Shape { of, form }) {
            true => self.last.set(form),
            false => self.has_met_unknown.set(true),
        }
    }
}

/// Says whether what was written surely is what was read.
pub(super) fn are_alike(wrote: &[Wrote], found: &[Found]) -> bool {
    wrote.len() == found.len() && wrote.iter().zip(found).all(Wrote::matches)
}

/// A form that a type wrote.
#[derive(Debug)]
pub(super) enum Wrote {
    Variant {
        name: &'static str,
        index: u32,
        variant: &'static str,
    },
    Fields {
        name: &'static str,
        count: usize,
        /// None of a tuple.
        names: Vec<&'static str>,
    },
}

/// The form that it was read as.
#[derive(Debug)]
pub(super) enum Found {
    /// An enum, and all names of its variants, aliases included.
    Variants(&'static [&'static str]),
    /// A struct or a tuple, all names of its fields, aliases included, and how many were read.
    Fields {
        names: &'static [&'static str],
        read: usize,
    },
}

impl Wrote {
    /// Says whether this surely is what was read in its place.
    fn matches((wrote, found): (&Self, &Found)) -> bool {
        match (wrote, found) {
            (Self::Variant { index, variant, .. }, Found::Variants(names)) => {
                names.get(*index as usize) == Some(variant)
            }
            (Self::Fields { count, names, .. }, Found::Fields { names: all, read }) => {
                count == read && (names == all || all.len() != *count)
            }
            _ => false,
        }
    }

    /// Returns the form that need not be looked at again; none of a struct whose fields may have
    /// the same bytes by chance.
    fn form(&self, are_alike: bool) -> Option<Form> {
        match self {
            Self::Variant {
                name,
                index,
                variant,
            } => Some(Form::Variant(Name::of(name), *index, Name::of(variant))),
            Self::Fields { name, count, .. } => {
                are_alike.then(|| Form::Fields(Name::of(name), *count))
            }
        }
    }
}

/// Records what a value writes, in a format whose limits are those of `F`.
#[derive(Debug)]
pub(super) struct Recorder<F> {
    findings: Findings,
    wrote: RefCell<Vec<Wrote>>,
    contents: RefCell<HashSet<Form>>,
    limits: PhantomData<F>,
}

impl<F> Recorder<F> {
    pub(super) fn new() -> Self {
        Self {
            findings: Findings::default(),
            wrote: RefCell::default(),
            contents: RefCell::default(),
            limits: PhantomData,
        }
    }

    pub(super) fn into_parts(self) -> (Vec<Wrote>, Contents) {
        (
            self.wrote.into_inner(),
            Contents(self.contents.into_inner()),
        )
    }
}

/// The fields and variants that something was written in which not every value has.
#[derive(Debug)]
pub(super) struct Contents(HashSet<Form>);

/// Notes that a `V` comes back with all that was written.
///
/// `are_alike` says whether its names were compared. The fields of two structs may be others and
/// their bytes the same by chance.
pub(super) fn note<V>(wrote: &[Wrote], contents: Contents, are_alike: bool) {
    let of = Name::of(type_name::<V>());
    let forms = wrote.iter().filter_map(|wrote| wrote.form(are_alike));
    for form in forms.chain(contents.0).chain([Form::Any]) {
        KNOWN.insert(Shape { of, form }, ());
    }
}

impl<F: Format> Format for Recorder<F> {
    const DEEPEST: usize = F::DEEPEST;
    const LEVELS: Levels = F::LEVELS;
    const HAS_ALL_FLOATS: bool = F::HAS_ALL_FLOATS;
    const HAS_TEXT_KEYS_ALONE: bool = F::HAS_TEXT_KEYS_ALONE;
    const WRITES_LENGTHS_OF_STRUCTS: bool = F::WRITES_LENGTHS_OF_STRUCTS;
    const WRITES_LENGTHS: bool = F::WRITES_LENGTHS;
    const HAS_EMPTY_ELEMENTS: bool = F::HAS_EMPTY_ELEMENTS;
    const CAN_SKIP_FIELDS: bool = F::CAN_SKIP_FIELDS;

    /// The position of the struct.
    type Mark = usize;
    type Place = Name;

    fn findings(&self) -> &Findings {
        &self.findings
    }

    fn variant(&self, name: &'static str, index: u32, variant: &'static str) {
        self.wrote.borrow_mut().push(Wrote::Variant {
            name,
            index,
            variant,
        });
    }

    fn fields(&self, name: &'static str, count: usize) -> usize {
        let names = Vec::new();
        let mut wrote = self.wrote.borrow_mut();
        wrote.push(Wrote::Fields { name, count, names });
        wrote.len() - 1
    }

    fn field(&self, of: usize, name: &'static str) {
        if let Some(Wrote::Fields { names, .. }) = self.wrote.borrow_mut().get_mut(of) {
            names.push(name);
        }
    }

    fn place(&self, name: &'static str) -> Name {
        Name::of(name)
    }

    fn open(&self, at: Name, what: Opened) {
        self.contents
            .borrow_mut()
            .insert(Form::Content(at, what as u8));
    }
}

/// Records what bytes are read as, beside what another reading does.
#[derive(Clone, Copy)]
pub(super) struct Look<'a, R> {
    reading: R,
    found: &'a RefCell<Vec<Found>>,
    /// The position of the struct whose fields are read.
    fields: Option<usize>,
}

impl<'a, R> Look<'a, R> {
    pub(super) fn new(reading: R, found: &'a RefCell<Vec<Found>>) -> Self {
        let fields = None;
        Self {
            reading,
            found,
            fields,
        }
    }
}

impl<R: Reading> Reading for Look<'_, R> {
    fn below<E: Error>(self) -> Result<Self, E> {
        let reading = self.reading.below()?;
        Ok(Self { reading, ..self })
    }

    fn element<E: Error>(self) -> Result<(), E> {
        if let Some(fields) = self.fields
            && let Some(Found::Fields { read, .. }) = self.found.borrow_mut().get_mut(fields)
        {
            *read += 1;
        }
        self.reading.element()
    }

    fn counted(self) -> Self {
        let reading = self.reading.counted();
        Self { reading, ..self }
    }

    fn typed(self) -> Self {
        Self {
            reading: self.reading.typed(),
            fields: None,
            ..self
        }
    }

    fn variants(self, names: &'static [&'static str]) -> Self {
        self.found.borrow_mut().push(Found::Variants(names));
        self
    }

    fn fields(self, names: &'static [&'static str]) -> Self {
        let mut found = self.found.borrow_mut();
        found.push(Found::Fields { names, read: 0 });
        let fields = Some(found.len() - 1);
        Self { fields, ..self }
    }
}
