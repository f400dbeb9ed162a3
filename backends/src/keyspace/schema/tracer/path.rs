//! The paths of the parts of a type.

use crate::keyspace::schema::layout::escape;

/// The path of the member `name` of the struct or enum at `path`.
pub(super) fn field_of(path: &str, name: &str) -> String {
    format!("{path}.{}", escape(name))
}

/// The path of the keys of the map at `path`.
pub(super) fn key_of(path: &str) -> String {
    format!("{path}[key]")
}

/// The path of the values of the map at `path`.
pub(super) fn value_of(path: &str) -> String {
    format!("{path}[value]")
}
