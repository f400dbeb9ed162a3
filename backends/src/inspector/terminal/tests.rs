//! The command on a memory backend.

#![cfg(feature = "memory")]

use serde::{Deserialize, Serialize};

use super::*;
use crate::{Keyspace, MemoryBackend};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(crate = crate, prefix = "terminal.shown", ttl = "1h", inspect)]
struct Shown {
    #[keyspace(key)]
    id: u64,
    #[keyspace(key)]
    name: String,
    note: String,
}

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(crate = crate, prefix = "terminal.secret", ttl = "1h")]
struct Secret {
    #[keyspace(key)]
    id: String,
    word: String,
}

#[derive(Keyspace)]
#[keyspace(crate = crate, prefix = "terminal.limit", limit = "5/min", inspect)]
struct Limit;

async fn said(backend: &MemoryBackend, line: &[&str]) -> (u8, String) {
    match answer(backend, line.iter().map(OsString::from).collect()).await {
        Ok(text) => (0, text),
        Err(Failure { text, code }) => (code, text),
    }
}

async fn backend() -> MemoryBackend {
    let backend = MemoryBackend::new();
    let shown = Shown {
        id: 7,
        name: "a:b \u{1b}[2J".to_string(),
        note: "\u{1b}]0;owned\u{7}".to_string(),
    };
    shown.save(&backend).await.unwrap();
    let secret = Secret {
        id: "K3Y".to_string(),
        word: "V4LUE".to_string(),
    };
    secret.save(&backend).await.unwrap();
    backend
}

#[tokio::test(start_paused = true)]
async fn keyspaces_are_listed_with_their_numbers() {
    let backend = backend().await;
    backend.set("K3Y", 1, None).await.unwrap();
    let (code, text) = said(&backend, &[]).await;
    assert_eq!(code, 0);
    let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap();
    let shown = line("terminal.shown:id:name ");
    assert!(
        shown.contains("entry") && shown.ends_with("1        yes"),
        "{shown}"
    );
    assert!(line("terminal.secret:id ").ends_with("1        no"));
    assert!(text.contains("No keyspace declares 1 of them."), "{text}");
    assert!(!text.contains("K3Y"));
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_found_by_its_fields_and_does_nothing_to_the_terminal() {
    let backend = backend().await;
    let (code, list) = said(&backend, &["terminal.shown"]).await;
    assert_eq!(code, 0);
    assert!(list.contains("7   a:b \\u{1b}[2J  1 h 0 min"), "{list}");
    let line = ["terminal.shown", "7", "a:b \u{1b}[2J"];
    let (code, entry) = said(&backend, &line).await;
    assert_eq!(code, 0);
    assert!(entry.contains("note: \"\\u{1b}]0;owned\\u{7}\""), "{entry}");
    for text in [list, entry] {
        let acts = |char: char| char.is_control() && char != '\n';
        assert!(!text.contains(acts), "{text:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_shown_of_a_keyspace_that_does_not_say_so() {
    let backend = backend().await;
    for line in [
        &["terminal.secret"][..],
        &["--more", "terminal.secret"],
        &["terminal.secret", "K3Y"],
        &["terminal.shown", "7", "x:y"],
        &["terminal.shown", "07", "x"],
    ] {
        let (code, text) = said(&backend, line).await;
        assert_ne!(code, 0, "{line:?}");
        assert!(!text.contains("K3Y") && !text.contains("V4LUE"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_throttle_is_peeked_at() {
    let backend = MemoryBackend::new();
    let (code, _) = said(&backend, &["terminal.limit"]).await;
    assert_eq!(code, 1);
    for _ in 0..2 {
        let _ = Limit.check(&backend).await.unwrap();
    }
    let (code, text) = said(&backend, &["terminal.limit"]).await;
    assert_eq!(code, 0);
    assert!(text.contains("2 of 5 used up, all back in 24 s"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn mistakes_are_told_with_the_usage() {
    let backend = MemoryBackend::new();
    for line in [
        &["nowhere"][..],
        &["--more"],
        &["--"],
        &["--nothing"],
        &["--more", "terminal.shown", "7"],
        &["terminal.shown", "7"],
        &["terminal.shown", "seven", "x"],
    ] {
        let (code, text) = said(&backend, line).await;
        assert_eq!(code, 2, "{line:?}");
        assert!(text.ends_with(command::USAGE), "{text}");
    }
    let (code, text) = said(&backend, &["--help"]).await;
    assert_eq!((code, text.as_str()), (0, command::USAGE));
    let field = ["terminal.shown", "--", "7", "--more"];
    assert_eq!(said(&backend, &field).await.0, 1, "a field");
}

/// An output that fails.
struct Failing(IoErrorKind);

impl Write for Failing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_output_that_nobody_reads_is_no_failure() {
    assert!(write(Failing(IoErrorKind::BrokenPipe), "text"));
    assert!(!write(Failing(IoErrorKind::StorageFull), "text"));
    let mut output = Vec::new();
    assert!(write(&mut output, "text"));
    assert_eq!(output, b"text");
}
