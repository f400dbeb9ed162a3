//! What holds of every codec.

use std::fmt::Debug;

use reinhardt_backends::ErrorKind;
use reinhardt_backends::codec::Codec;

use super::types::Sample;

/// Reads a value, and checks that it can be written and read again, if it can be written at all.
///
/// Returns the value, or the text of the error.
pub(super) fn read<C: Codec, T: Sample>(bytes: &[u8]) -> Result<T, String> {
    let mut read = None;
    let memory = allocation_counter::measure(|| read = Some(C::decode::<T>(bytes)));
    let most = FREE + MOST_PER_BYTE * bytes.len() as u64;
    assert!(
        memory.bytes_max <= most,
        "{} bytes of memory for {} bytes of {}",
        memory.bytes_max,
        bytes.len(),
        std::any::type_name::<T>()
    );
    match read.expect("measured code runs once") {
        Ok(value) => {
            comes_back::<C, T>(&value);
            Ok(value)
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Decode);
            Err(error.to_string())
        }
    }
}

/// What is written can be read, is the same, and is written in the same way again.
fn comes_back<C: Codec, T: Sample>(value: &T) {
    let written = match C::encode_as::<T, T>(value) {
        Ok(written) => written,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Encode);
            assert!(!T::IS_ALWAYS_WRITTEN, "{error}: {value:?}");
            return;
        }
    };
    let again = match C::decode::<T>(&written) {
        Ok(again) => again,
        Err(error) => panic!("{error}: {value:?}, written as {written:02x?}"),
    };
    assert_eq!(shown(&again), shown(value), "{written:02x?}");
    let twice = C::encode_as::<T, T>(&again).expect("it was written before");
    assert_eq!(twice, written);
}

/// Returns a value as text: NaN isn't equal to itself.
pub(super) fn shown(value: &impl Debug) -> String {
    format!("{value:?}")
}

/// The memory that a read may take whatever its length is, in bytes.
const FREE: u64 = 64 << 10;
/// The memory that a read may take for each byte: a map of one entry takes three bytes, and a node
/// of a `BTreeMap` has room for eleven.
const MOST_PER_BYTE: u64 = 2 << 10;
