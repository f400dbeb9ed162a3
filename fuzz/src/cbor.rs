//! CBOR, against ciborium.

use std::fmt::Debug;

use ciborium::Value;
use ciborium::tag::{Accepted, Captured, Required};
use reinhardt_backends::codec::{Cbor, Codec, parse_integer};
use serde::de::{DeserializeOwned, IgnoredAny};

use super::codec::{read, shown};
use super::types::{self, Sample};

/// Reads the bytes behind the first one, which chooses the type.
pub fn check(data: &[u8]) {
    let Some((&number, item)) = data.split_first() else {
        return;
    };
    types::check(number, &Agreement(item));
    agree::<Value>(item);
    match number % 4 {
        0 => agree::<IgnoredAny>(item),
        1 => agree::<Captured<String>>(item),
        2 => agree::<Required<u8, 40>>(item),
        _ => agree::<Accepted<Vec<u8>, 41>>(item),
    }
    if let Ok(value) = Cbor::decode::<Value>(item)
        && let Ok(written) = Cbor::encode(&value)
    {
        Cbor::decode::<Value>(&written).expect("what is written can be read");
    }
}

struct Agreement<'a>(&'a [u8]);

impl types::Check for Agreement<'_> {
    fn of<T: Sample>(&self) {
        agree::<T>(self.0);
        let ours = read::<Cbor, T>(self.0);
        if matches!(self.0, [b'-' | b'0'..=b'9', ..]) {
            agree_on_an_integer::<T>(self.0, ours.ok());
            return;
        }
        if let Some(content) = byte_vector(self.0) {
            agree_on_bytes::<T>(self.0, &content, ours.ok());
            return;
        }
        assert_eq!(shown(&ours.ok()), shown(&theirs::<T>(self.0)));
    }
}

/// In an array of one no rule for the top level is in the way.
fn agree<T: DeserializeOwned + Debug>(item: &[u8]) {
    let array = [&[0x81], item].concat();
    let ours = Cbor::decode::<(T,)>(&array).ok();
    assert_eq!(shown(&ours), shown(&theirs::<(T,)>(&array)));
}

fn theirs<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let mut rest = bytes;
    // ciborium refuses a `str` that is longer than its buffer.
    let mut buffer = vec![0; bytes.len()];
    let value = ciborium::de::from_reader_with_buffer(&mut rest, &mut buffer).ok()?;
    rest.is_empty().then_some(value)
}

/// Returns the content of a byte string of one piece under tag 64, the form of a byte vector.
fn byte_vector(item: &[u8]) -> Option<Vec<u8>> {
    let mut rest = item.strip_prefix(&[0xd8, 64])?;
    if !matches!(rest.first(), Some(0x40..=0x5b)) {
        return None;
    }
    let content: serde_bytes::ByteBuf = ciborium::from_reader(&mut rest).ok()?;
    rest.is_empty().then(|| content.into_vec())
}

/// A byte vector is read as bytes, or as the array of its numbers.
fn agree_on_bytes<T: Sample>(item: &[u8], content: &[u8], ours: Option<T>) {
    assert_eq!(Cbor::decode::<Vec<u8>>(item).ok().as_deref(), Some(content));
    let bytes = Cbor::decode::<serde_bytes::ByteBuf>(item).ok();
    assert_eq!(bytes.as_ref().map(|bytes| &***bytes), Some(content));
    let Some(ours) = ours else {
        return;
    };
    let ours = shown(&Some(ours));
    let mut array = Vec::new();
    ciborium::into_writer(content, &mut array).expect("numbers are written");
    let meanings = [theirs::<T>(&array), theirs::<T>(&item[2..])];
    assert!(
        meanings.iter().any(|theirs| shown(theirs) == ours),
        "{ours}"
    );
}

/// A top-level integer is read as the CBOR integer of the same value.
fn agree_on_an_integer<T: Sample>(item: &[u8], ours: Option<T>) {
    let text = str::from_utf8(item).ok();
    let number = text.and_then(|text| {
        let number: i128 = text.parse().ok()?;
        let fits = i64::try_from(number).is_ok() || u64::try_from(number).is_ok();
        (fits && number.to_string() == text).then_some(number)
    });
    let theirs = number.and_then(|number| {
        let mut item = Vec::new();
        ciborium::into_writer(&number, &mut item).expect("an integer is written");
        theirs::<T>(&item)
    });
    assert_eq!(shown(&ours), shown(&theirs));
    let counter = number.and_then(|number| i64::try_from(number).ok());
    assert_eq!(parse_integer(item), counter);
}
