//! The key fields of an entry, as people read and type them.

use percent_encoding::percent_decode_str;

use super::catalog::Listed;
use crate::keyspace::{Key, scan_prefix};

/// Returns the key that these values of the key fields name; `None` if they name none of the
/// keyspace.
pub(super) fn key_of(listed: &Listed, values: &[String]) -> Option<Key> {
    if values.len() != listed.info.key_fields.len() {
        return None;
    }
    let key = Key::build(listed.info, |key| {
        for value in values {
            key.field(value.as_str());
        }
    });
    is_key(listed, &key).then_some(key)
}

/// Says whether a text is a key of the keyspace, to the letter.
pub(super) fn is_key(listed: &Listed, text: &str) -> bool {
    text.starts_with(scan_prefix(listed.info).as_str()) && listed.registration.is_key(text)
}

/// Returns the key fields with their names and unescaped values.
pub(super) fn fields(listed: &Listed, key: &str) -> Vec<(&'static str, String)> {
    let segments = key.strip_prefix(scan_prefix(listed.info).as_str());
    let segments = segments.unwrap_or_default().split(':');
    let fields = listed.info.key_fields.iter().zip(segments).enumerate();
    let fields = fields.map(|(position, (name, segment))| {
        let segment = match listed.info.tag == Some(position) {
            true => segment.trim_start_matches('{').trim_end_matches('}'),
            false => segment,
        };
        let value = percent_decode_str(segment).decode_utf8_lossy();
        (*name, value.into_owned())
    });
    fields.collect()
}
