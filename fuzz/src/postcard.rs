//! Postcard, against the crate alone.

use reinhardt_backends::codec::Postcard;

use super::codec::{read, shown};
use super::types::{self, Sample};

/// Reads the bytes behind the first one, which chooses the type.
pub fn check(data: &[u8]) {
    if let Some((&number, content)) = data.split_first() {
        types::check(number, &Agreement(content));
    }
}

struct Agreement<'a>(&'a [u8]);

impl types::Check for Agreement<'_> {
    fn of<T: Sample>(&self) {
        let marked = [&[0xfc], self.0].concat();
        let ours = read::<Postcard, T>(&marked).ok();
        // The crate has no limits: it would go down, or count, as far as the bytes say.
        if ours.is_none() && !T::IS_BOUNDED {
            return;
        }
        let theirs = postcard::take_from_bytes::<T>(self.0).ok();
        let theirs = theirs.and_then(|(value, rest)| rest.is_empty().then_some(value));
        assert_eq!(shown(&ours), shown(&theirs));
    }
}
