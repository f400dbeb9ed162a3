//! The variants and fields that a type writes, against those that it reads: for a format that finds
//! them by their position.
//!
//! Such a format writes a variant as its number and fields one behind the other. serde numbers the
//! variants that it writes and those that it reads each for themselves: behind a variant with
//! `#[serde(skip)]` the two differ, and another variant comes back. So does another field, or none,
//! where a field is skipped on one side alone.
//!
//! So when a type first writes a variant, a struct, or content that not every value has, the bytes
//! are read back, and the value that comes back is written again. The records of both tell whether
//! the same variants and fields came back; the reading tells whether a struct was read to its end.

use std::any::type_name;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::marker::PhantomData;
use std::sync::LazyLock;

use dashmap::DashMap;
use foldhash::fast::RandomState;
use serde::de::Error;

use super::guard::findings::Findings;
use super::guard::format::{Format, Levels, Opened};
use super::reading::Reading;

/// A form that a value of a type can have, and comes back in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Shape {
    /// The type that is read, and everything in it.
    of: Name,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Form {
    /// Any value at all.
    Any,
    /// A variant of this type by its number.
    Variant(Name, u32),
    /// A struct or a tuple of this type with so many fields.
    Fields(Name, usize),
    /// Content of this type that not every value has.
    Content(Name, u8),
}

/// The name of a type, by its address: two of the same text may differ, and are then looked at
/// twice. Two types have one name if both are declared in one function's blocks, or come from two
/// versions of one crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Name {
    address: usize,
    length: usize,
}

impl Name {
    pub(super) fn of<T: ?Sized>() -> Self {
        let text = type_name::<T>();
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
            of: Name::of::<V>(),
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
    pub(super) fn meet_variant(&self, of: Name, index: u32) {
        self.meet_form(Form::Variant(of, index));
    }

    /// Looks a struct or a tuple up that is written.
    pub(super) fn meet_fields(&self, of: Name, count: usize) {
        self.meet_form(Form::Fields(of, count));
    }

    /// Looks content up that is written.
    pub(super) fn meet_content(&self, of: Name, what: Opened) {
        self.meet_form(Form::Content(of, what as u8));
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

/// The variants and structs that a value wrote.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Wrote {
    /// The enum's name and the number of the variant.
    Variant(&'static str, u32),
    /// The names of the fields, none of a tuple, and how many there were to be.
    Fields(Vec<&'static str>, usize),
}

/// A struct or a tuple as it was read: the names that it may have, aliases included, and how many
/// fields were read.
#[derive(Debug)]
pub(super) struct Found {
    names: &'static [&'static str],
    read: usize,
}

/// The record of a value that was written.
#[derive(Debug)]
pub(super) struct Record {
    wrote: Vec<Wrote>,
    forms: HashSet<Form>,
}

impl Record {
    /// Says whether a value that came back wrote the same: in any order, as maps may have none.
    pub(super) fn is_that_of(&self, again: &Self) -> bool {
        let sorted = |record: &Self| {
            let mut wrote = record.wrote.clone();
            wrote.sort_unstable();
            wrote
        };
        sorted(self) == sorted(again)
    }

    /// Compares structs with how they were read.
    pub(super) fn reading(&self, found: &[Found]) -> Fields {
        let wrote = self.wrote.iter().filter_map(|wrote| match wrote {
            Wrote::Fields(names, count) => Some((names, *count)),
            Wrote::Variant(..) => None,
        });
        let wrote: Vec<_> = wrote.collect();
        if wrote.len() != found.len() {
            // A type that doesn't read what it writes one by one.
            return Fields::OfOtherNames;
        }
        let pairs = || wrote.iter().zip(found);
        if pairs().any(|((_, count), found)| *count != found.read) {
            return Fields::OfAnotherNumber;
        }
        let has_all = |names: &[&str], found: &Found| {
            let mut names = names.iter();
            names.all(|name| found.names.contains(name))
        };
        match pairs().all(|((names, _), found)| has_all(names, found)) {
            true => Fields::Same,
            false => Fields::OfOtherNames,
        }
    }

    /// Notes that a `V` comes back in all these forms.
    pub(super) fn note<V>(self) {
        let of = Name::of::<V>();
        for form in self.forms.into_iter().chain([Form::Any]) {
            KNOWN.insert(Shape { of, form }, ());
        }
    }
}

/// The fields of structs that were written, compared with those that were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fields {
    Same,
    /// Another number was read: the value that came back was read at the wrong place.
    OfAnotherNumber,
    /// Names differ, which may be meant.
    OfOtherNames,
}

/// Records what a value writes, in a format whose limits are those of `F`.
#[derive(Debug)]
pub(super) struct Recorder<F> {
    findings: Findings,
    wrote: RefCell<Vec<Wrote>>,
    forms: RefCell<HashSet<Form>>,
    limits: PhantomData<F>,
}

impl<F> Recorder<F> {
    pub(super) fn new() -> Self {
        Self {
            findings: Findings::default(),
            wrote: RefCell::default(),
            forms: RefCell::default(),
            limits: PhantomData,
        }
    }

    pub(super) fn into_record(self) -> Record {
        Record {
            wrote: self.wrote.into_inner(),
            forms: self.forms.into_inner(),
        }
    }

    fn meet(&self, form: Form) {
        self.forms.borrow_mut().insert(form);
    }
}

impl<F: Format> Format for Recorder<F> {
    const DEEPEST: usize = F::DEEPEST;
    const LEVELS: Levels = F::LEVELS;
    const HAS_ALL_FLOATS: bool = F::HAS_ALL_FLOATS;
    const HAS_TEXT_KEYS_ALONE: bool = F::HAS_TEXT_KEYS_ALONE;
    const WRITES_LENGTHS_OF_STRUCTS: bool = F::WRITES_LENGTHS_OF_STRUCTS;
    const WRITES_LENGTHS: bool = F::WRITES_LENGTHS;
    const HAS_TAGS: bool = F::HAS_TAGS;
    const HAS_EMPTY_ELEMENTS: bool = F::HAS_EMPTY_ELEMENTS;
    const CAN_SKIP_FIELDS: bool = F::CAN_SKIP_FIELDS;

    /// The position of the struct.
    type Mark = usize;
    type Place = Name;

    fn findings(&self) -> &Findings {
        &self.findings
    }

    fn variant(&self, at: Name, of: &'static str, index: u32) {
        self.meet(Form::Variant(at, index));
        self.wrote.borrow_mut().push(Wrote::Variant(of, index));
    }

    fn fields(&self, at: Name, count: usize) -> usize {
        self.meet(Form::Fields(at, count));
        let mut wrote = self.wrote.borrow_mut();
        wrote.push(Wrote::Fields(Vec::new(), count));
        wrote.len() - 1
    }

    fn field(&self, of: usize, name: &'static str) {
        if let Some(Wrote::Fields(names, _)) = self.wrote.borrow_mut().get_mut(of) {
            names.push(name);
        }
    }

    fn place<T: ?Sized>() -> Name {
        Name::of::<T>()
    }

    fn open(&self, at: Name, what: Opened) {
        self.meet(Form::Content(at, what as u8));
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
            && let Some(found) = self.found.borrow_mut().get_mut(fields)
        {
            found.read += 1;
        }
        self.reading.element()
    }

    fn room(self, declared: usize) -> usize {
        self.reading.room(declared)
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

    fn fields(self, names: &'static [&'static str]) -> Self {
        let mut found = self.found.borrow_mut();
        found.push(Found { names, read: 0 });
        let fields = Some(found.len() - 1);
        Self { fields, ..self }
    }
}
