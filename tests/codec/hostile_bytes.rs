//! Bytes that no codec has written give a value or a decode error, and never a panic.

use proptest::prelude::*;
use reinhardt_backends::ErrorKind;
use reinhardt_backends::codec::{Cbor, Codec, Postcard};
use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
enum Tree {
    Leaf(u64),
    Node(Box<Tree>, Vec<Tree>),
}

/// A type that serde reads into a buffer first.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
#[allow(dead_code)]
enum Free {
    Number(u64),
    List(Vec<Free>),
}

#[track_caller]
fn refused<T: DeserializeOwned>(bytes: &[u8]) {
    refused_by::<Cbor, T>(bytes);
}

#[track_caller]
fn refused_by<C: Codec, T: DeserializeOwned>(bytes: &[u8]) {
    let error = C::decode::<T>(bytes).err().expect("such bytes are refused");
    assert_eq!(error.kind(), ErrorKind::Decode);
}

#[test]
fn a_huge_declared_length_allocates_little() {
    for header in [0x5bu8, 0x7b, 0x9b, 0xbb] {
        let mut bytes = vec![header];
        bytes.extend(0x7fff_ffff_ffff_ffffu64.to_be_bytes());
        bytes.extend([1; 8]);
        let info = allocation_counter::measure(|| {
            refused::<Vec<u64>>(&bytes);
            refused::<String>(&bytes);
            refused::<serde_bytes::ByteBuf>(&bytes);
            refused::<std::collections::HashMap<u64, u64>>(&bytes);
            refused::<ciborium::Value>(&bytes);
        });
        assert!(
            info.bytes_max < 256 << 10,
            "{header:x}: {} bytes",
            info.bytes_max
        );
    }
}

/// Each list inside of another declares more than there is, and the bytes that are there are not
/// reserved once for each of them.
#[test]
fn huge_declared_lengths_inside_of_each_other_allocate_little() {
    let cbor = [&[0x99, 0xff, 0xff].repeat(250)[..], &[0; 4096]].concat();
    // A node with a leaf and 26,000 nodes, so it says.
    let node = [1, 0, 0, 0x90, 0xcb, 0x01];
    let postcard = [&[0xfc][..], &node.repeat(40), &[0; 30_000]].concat();
    let memory = |read: &dyn Fn()| allocation_counter::measure(read).bytes_max;
    let values = memory(&|| refused::<Free>(&cbor));
    let nodes = memory(&|| refused_by::<Postcard, Tree>(&postcard));
    assert!(values < 2 << 20, "{values} bytes");
    assert!(nodes < 4 << 20, "{nodes} bytes");
}

#[test]
fn nesting_ends_with_an_error() {
    for unit in [&[0x81][..], &[0xa1, 0x01], &[0xd8, 0x40], &[0xc1]] {
        let bytes = unit.repeat(100_000);
        refused::<ciborium::Value>(&bytes);
        refused::<Tree>(&bytes);
        refused::<Vec<u8>>(&bytes);
        refused::<serde::de::IgnoredAny>(&bytes);
    }
}

proptest! {
    #[test]
    fn any_bytes_give_a_value_or_a_decode_error(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        fn check<T: DeserializeOwned>(bytes: &[u8]) {
            if let Err(error) = Cbor::decode::<T>(bytes) {
                assert_eq!(error.kind(), ErrorKind::Decode);
            }
        }
        check::<u64>(&bytes);
        check::<String>(&bytes);
        check::<Vec<u8>>(&bytes);
        check::<Tree>(&bytes);
        check::<ciborium::Value>(&bytes);
        check::<Option<(u8, f32)>>(&bytes);
    }

    #[test]
    fn a_truncated_or_longer_item_is_refused(value: (String, u64, Vec<String>), cut in any::<prop::sample::Index>(), tail: u8) {
        let bytes = Cbor::encode(&value).unwrap();
        refused::<(String, u64, Vec<String>)>(&bytes[..cut.index(bytes.len())]);
        refused::<(String, u64, Vec<String>)>(&[&bytes[..], &[tail]].concat());
    }
}
