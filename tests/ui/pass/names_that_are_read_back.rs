//! Fields whose names differ in Rust and in the store, or are left out there, and which come back.

use reinhardt_backends::Keyspace;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "note", ttl = "1m")]
#[serde(rename_all = "camelCase")]
struct Note {
    #[keyspace(key)]
    #[serde(skip)]
    note_id: String,
    #[serde(rename = "text", alias = "body")]
    content: String,
    #[serde(rename(serialize = "by"), alias = "by")]
    author: String,
    #[serde(rename(serialize = "at", deserialize = "at"))]
    written: u64,
    #[serde(rename(serialize = "r#type"), alias = "r#type")]
    r#type: u8,
}

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "ruled", ttl = "1m", codec = Json)]
#[serde(rename_all(serialize = "camelCase", deserialize = "camelCase"))]
struct Ruled {
    #[keyspace(key)]
    id: String,
    written_by: String,
}

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "by-position", ttl = "1m", codec = Postcard)]
struct ByPosition {
    #[keyspace(key)]
    #[serde(rename(serialize = "a", deserialize = "b"))]
    id: String,
}

fn main() {}
