//! An entry that serde writes and reads as another type: attributes of its own fields mean nothing.

use reinhardt_backends::Keyspace;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct Dto {
    id: String,
    text: String,
}

#[derive(Clone, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "note", ttl = "1m")]
#[serde(from = "Dto", into = "Dto")]
struct Note {
    #[keyspace(key)]
    #[serde(rename(serialize = "note_id"), skip_serializing)]
    id: String,
    text: String,
}

impl From<Dto> for Note {
    fn from(dto: Dto) -> Self {
        Self { id: dto.id, text: dto.text }
    }
}

impl From<Note> for Dto {
    fn from(note: Note) -> Self {
        Self { id: note.id, text: note.text }
    }
}

fn main() {}
