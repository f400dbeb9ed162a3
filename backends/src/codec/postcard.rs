//! The postcard wire format behind a byte of our own.

use std::cell::{Cell, RefCell};

use serde::Serialize;
use serde::de::{DeserializeOwned, Error};

use super::encoded::buffer;
use super::guard::findings::Findings;
use super::guard::format::{Format, Levels, Opened};
use super::guard::value::Guarded;
use super::reading::{Read, Reading};
use super::room::room;
use super::shape::{Fields, Known, Look, Name, Record, Recorder};
use super::{Codec, Encode, REFUSED, raw_api, refused, undecodable, unreadable};
use crate::error::BackendResult;

/// The postcard wire format; as a codec `codec = Postcard`, in the raw API a wrapper around the
/// value.
///
/// The format isn't self-describing: fields are found by their position, so every change of a type
/// needs a new `version`. A value that could not be read back, or not as it was, is refused when it
/// is written (`Encode`): [the table](super#what-is-stored-can-be-read) lists the attributes of
/// serde that lead there.
///
/// The raw API writes values of types that can be read as well (`Serialize` and
/// `DeserializeOwned`): the variants and fields that a type writes are compared with those that it
/// reads.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::{Backend, MemoryBackend, codec::Postcard};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> reinhardt_backends::BackendResult<()> {
/// let backend = MemoryBackend::new();
/// let pair = ("ann".to_string(), 7);
/// backend.set("pair", Postcard(pair.clone()), None).await?;
/// let read = backend.get::<Postcard<(String, i32)>>("pair").await?;
/// assert_eq!(read, Some(Postcard(pair)));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Postcard<T = ()>(pub T);

raw_api!(Postcard);

impl<T: Serialize + DeserializeOwned> Encode for Postcard<T> {
    fn encode(&self) -> BackendResult<Vec<u8>> {
        <Postcard as Codec>::encode_as::<T, T>(&self.0)
    }
}

/// The first byte of every value that is stored as Postcard: CBOR reserves it, and no JSON text
/// begins with it.
const MARKER: u8 = 0xfc;
/// The number of levels that a value may have: about as many as serde_json allows; ciborium stops
/// at 256.
const DEEPEST: usize = 128;
/// The number of elements that sequences and maps may have beyond the bytes that hold them: an
/// element that takes no bytes, such as `()`, takes a reader's time all the same.
const MOST_EMPTY: usize = 1 << 16;

impl Codec for Postcard {
    const NAME: &'static str = "postcard";

    fn encode<T: Serialize + ?Sized>(value: &T) -> BackendResult<Vec<u8>> {
        encode(value, &PostcardWriter::default())
    }

    fn encode_as<V, T>(value: &T) -> BackendResult<Vec<u8>>
    where
        V: Serialize + DeserializeOwned,
        T: Serialize + ?Sized,
    {
        let writing = PostcardWriter::of(Known::of::<V>());
        let encoded = encode(value, &writing)?;
        if writing.has_met_unknown() {
            verify::<V, T>(value, &encoded)?;
        }
        Ok(encoded)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> BackendResult<T> {
        let budget = budget(bytes);
        decode(bytes, DecodeLimits::new(&budget))
    }
}

fn encode<T, F>(value: &T, format: &F) -> BackendResult<Vec<u8>>
where
    T: Serialize + ?Sized,
    F: Format,
{
    let mut encoded = buffer();
    encoded.push(MARKER);
    let encoded = postcard::to_extend(&Guarded::new(value, format), encoded)
        .map_err(|_| refused::<T>(format.findings()))?;
    if format.findings().elements() > most_elements(&encoded) {
        return Err(unreadable::<T>(
            "it has too many elements that take no bytes",
        ));
    }
    Ok(encoded)
}

fn decode<T: DeserializeOwned, R: Reading>(bytes: &[u8], reading: R) -> BackendResult<T> {
    let content =
        (bytes.strip_prefix(&[MARKER])).ok_or_else(|| undecodable::<T>("no postcard marker", 0))?;
    let mut reader = postcard::Deserializer::from_bytes(content);
    let value = T::deserialize(Read::new(&mut reader, reading))
        .map_err(|error| undecodable::<T>(describe(&error), 1))?;
    match reader.finalize() {
        Ok([]) => Ok(value),
        Ok(rest) => Err(undecodable::<T>("trailing bytes", bytes.len() - rest.len())),
        Err(error) => Err(undecodable::<T>(describe(&error), bytes.len())),
    }
}

/// Makes sure that bytes come back as the value that was written.
///
/// # Errors
///
/// `Encode`.
#[cold]
fn verify<V, T>(value: &T, encoded: &[u8]) -> BackendResult<()>
where
    V: Serialize + DeserializeOwned,
    T: Serialize + ?Sized,
{
    let (found, budget) = (RefCell::default(), budget(encoded));
    let look = Look::new(DecodeLimits::new(&budget), &found);
    let read: V = decode(encoded, look).map_err(|_| unreadable::<T>(REFUSED))?;
    let (wrote, _) = record(value)?;
    let (again, bytes) = record(&read)?;
    let fields = wrote.reading(&found.into_inner());
    let is_another = match fields {
        Fields::Same => false,
        Fields::OfAnotherNumber => true,
        // Leaves alone tell then.
        Fields::OfOtherNames => counts(&bytes) != counts(encoded),
    };
    if is_another || !wrote.is_that_of(&again) {
        return Err(unreadable::<T>(
            "another value would come back: a variant or a field of it is skipped",
        ));
    }
    if fields == Fields::Same {
        wrote.note::<V>();
    }
    Ok(())
}

/// Writes a value once more, and returns the record of it and its bytes.
fn record<T: Serialize + ?Sized>(value: &T) -> BackendResult<(Record, Vec<u8>)> {
    let recorder = Recorder::<PostcardWriter>::new();
    let bytes = encode(value, &recorder)?;
    Ok((recorder.into_record(), bytes))
}

/// Counts how often each byte occurs: maps without an order are written in another order each time.
fn counts(bytes: &[u8]) -> [usize; 256] {
    let mut counts = [0; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    counts
}

/// Every element either has a byte of its own or none at all.
fn most_elements(bytes: &[u8]) -> usize {
    bytes.len() + MOST_EMPTY
}

fn budget(bytes: &[u8]) -> Cell<usize> {
    Cell::new(most_elements(bytes))
}

/// A value on its way into bytes.
#[derive(Default)]
struct PostcardWriter {
    findings: Findings,
    /// The forms of the type that the value is to be read as; none if that type isn't known.
    known: Option<Known>,
}

impl PostcardWriter {
    fn of(known: Known) -> Self {
        Self {
            findings: Findings::default(),
            known: Some(known),
        }
    }

    fn has_met_unknown(&self) -> bool {
        self.known.as_ref().is_some_and(Known::has_met_unknown)
    }
}

impl Format for PostcardWriter {
    const DEEPEST: usize = DEEPEST;
    /// As [`DecodeLimits`] goes down.
    const LEVELS: Levels = Levels {
        some: 1,
        newtype: 1,
        unit_variant: 1,
        variant: 1,
    };
    const WRITES_LENGTHS_OF_STRUCTS: bool = false;
    const HAS_EMPTY_ELEMENTS: bool = true;
    const CAN_SKIP_FIELDS: bool = false;

    type Mark = ();
    type Place = Name;

    fn findings(&self) -> &Findings {
        &self.findings
    }

    fn variant(&self, at: Name, _: &'static str, index: u32) {
        if let Some(known) = &self.known {
            known.meet_variant(at, index);
        }
    }

    fn fields(&self, at: Name, count: usize) {
        if let Some(known) = &self.known {
            known.meet_fields(at, count);
        }
    }

    fn place<T: ?Sized>() -> Name {
        Name::of::<T>()
    }

    fn open(&self, at: Name, what: Opened) {
        if let Some(known) = &self.known {
            known.meet_content(at, what);
        }
    }
}

/// The limits of a read: a reader goes one call deeper for each level, and the depth that the bytes
/// of a recursive type tell is up to the program that wrote them.
#[derive(Clone, Copy)]
struct DecodeLimits<'a> {
    /// The number of levels that there may be below.
    left: usize,
    /// The number of elements that there may be in all.
    budget: &'a Cell<usize>,
    /// True if the bytes declare the number of elements that come.
    is_counted: bool,
}

impl<'a> DecodeLimits<'a> {
    fn new(budget: &'a Cell<usize>) -> Self {
        Self {
            left: DEEPEST,
            budget,
            is_counted: false,
        }
    }
}

impl Reading for DecodeLimits<'_> {
    fn below<E: Error>(self) -> Result<Self, E> {
        let left = self.left.checked_sub(1);
        let left = left.ok_or_else(|| E::custom("nested too deep"))?;
        Ok(Self { left, ..self })
    }

    fn element<E: Error>(self) -> Result<(), E> {
        if self.is_counted {
            let left = self.budget.get().checked_sub(1);
            let too_many = || E::custom("too many elements that take no bytes");
            self.budget.set(left.ok_or_else(too_many)?);
        }
        Ok(())
    }

    fn room(self, declared: usize) -> usize {
        let bytes = self.budget.get().saturating_sub(MOST_EMPTY);
        room(declared, bytes, DEEPEST - self.left)
    }

    fn counted(self) -> Self {
        Self {
            is_counted: true,
            ..self
        }
    }

    fn typed(self) -> Self {
        Self {
            is_counted: false,
            ..self
        }
    }
}

/// Keeps the category of postcard's error, which tells no offset.
fn describe(error: &postcard::Error) -> &'static str {
    match error {
        postcard::Error::DeserializeUnexpectedEnd => "truncated postcard data",
        postcard::Error::WontImplement => "a type that isn't for postcard",
        _ => "malformed postcard data",
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::codec::Decode;
    use crate::error::ErrorKind;

    #[test]
    fn values_are_the_marker_and_postcard_data() {
        assert_eq!(
            <Postcard as Codec>::encode(&(1u8, "ab")).unwrap(),
            b"\xfc\x01\x02ab"
        );
    }

    #[test]
    fn hostile_bytes_are_named_without_their_content() {
        let message = |bytes: &[u8]| Postcard::<String>::decode(bytes).unwrap_err().to_string();
        assert!(message(b"").contains("no postcard marker at byte 0, for `alloc::string::String`"));
        assert!(message(b"\x01a").contains("no postcard marker"));
        assert!(message(b"\xfc\x05ab").contains("truncated"));
        assert!(message(b"\xfc\x01ab").contains("trailing bytes at byte 3"));
        assert!(message(b"\xfc\x01\xff").contains("malformed"));
        assert!(message(b"\xfc\xff\xff\xff\xff\xff\xff\xff\xff\x01").contains("truncated"));
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Tree(Vec<Tree>);

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    enum Chain {
        End,
        Link { next: Option<Box<Chain>> },
    }

    fn tree(levels: usize) -> Tree {
        (1..levels).fold(Tree(Vec::new()), |tree, _| Tree(vec![tree]))
    }

    #[test]
    fn a_value_that_is_nested_too_deep_is_refused() {
        // Each level is a newtype and a sequence.
        let deepest = Postcard(tree(DEEPEST / 2));
        let read = Postcard::<Tree>::decode(&deepest.encode().unwrap());
        assert_eq!(read.unwrap(), deepest);
        let refused = Postcard(tree(DEEPEST / 2 + 1)).encode().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Encode);
        let bytes = [&[MARKER][..], &[1; DEEPEST / 2], &[0]].concat();
        assert!(Postcard::<Tree>::decode(&bytes).is_err());
        let hostile = [&[MARKER][..], &[1; 1_000_000]].concat();
        assert!(Postcard::<Tree>::decode(&hostile).is_err());
        assert!(Postcard::<Chain>::decode(&hostile).is_err());
    }

    #[test]
    fn every_form_is_read_through_the_limit() {
        let chain = Chain::Link {
            next: Some(Box::new(Chain::Link {
                next: Some(Box::new(Chain::End)),
            })),
        };
        let value = (chain, Some('x'), -1i128, 1.5f32, "text".to_string(), ());
        let bytes = Postcard(value.clone()).encode().unwrap();
        type Value = (Chain, Option<char>, i128, f32, String, ());
        assert_eq!(Postcard::<Value>::decode(&bytes).unwrap().0, value);
    }
}
