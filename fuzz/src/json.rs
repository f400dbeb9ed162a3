//! JSON, against serde_json alone.

use std::any::TypeId;

use reinhardt_backends::codec::Json;
use serde_json::error::Category;

use super::codec::{read, shown};
use super::types::{self, Sample};

/// Reads the text behind the first byte, which chooses the type.
pub fn check(data: &[u8]) {
    if let Some((&number, text)) = data.split_first() {
        types::check(number, &Agreement(text));
    }
}

struct Agreement<'a>(&'a [u8]);

impl types::Check for Agreement<'_> {
    fn of<T: Sample>(&self) {
        let ours = read::<Json, T>(self.0);
        match (ours, serde_json::from_slice::<T>(self.0)) {
            (Ok(ours), Ok(theirs)) => assert_eq!(shown(&ours), shown(&theirs)),
            // Numbers as keys of maps in serde's buffers: read as the map asks for, where
            // serde_json has text.
            (Ok(ours), Err(theirs)) => {
                assert_eq!(theirs.classify(), Category::Data, "{theirs}");
                let is_such = TypeId::of::<T>() == TypeId::of::<types::Numbers>();
                assert!(is_such, "{theirs}: {ours:?}");
            }
            // Such text may be an item of CBOR.
            (Err(ours), Ok(_)) => assert!(ours.contains("white space behind a word"), "{ours}"),
            (Err(_), Err(_)) => {}
        }
    }
}
