//! The text of the file that holds a snapshot of the keyspaces.

use std::collections::{HashMap, HashSet};

use super::layout::{Layout, LayoutNode};

/// One keyspace as the file holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyspaceSnapshot {
    /// The prefix and the version: `session@2`.
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) key: String,
    pub(crate) codec: String,
    pub(crate) ttl: String,
    pub(crate) layout: Layout,
}

/// Writes the file, sorted by name so that it differs only where a keyspace does.
pub(crate) fn render(all: &[KeyspaceSnapshot]) -> String {
    let mut sorted: Vec<_> = all.iter().collect();
    // As they are written: so the order is that of a file that was read and is written again.
    sorted.sort_by_key(|keyspace| one_line(&keyspace.name));
    let mut text = HEADER.to_string();
    for keyspace in sorted {
        text.push_str(&format!("\n[{}]\n", one_line(&keyspace.name)));
        for (property, value) in keyspace.properties() {
            text.push_str(format!("{property} = {}", one_line(value)).trim_end());
            text.push('\n');
        }
        for node in &keyspace.layout.nodes {
            let default = if node.default { DEFAULT } else { "" };
            text.push_str(&format!("{}: {}{default}\n", node.path, node.kind));
        }
    }
    text
}

/// Reads the file. An error names the line.
pub(crate) fn parse(text: &str) -> Result<Vec<KeyspaceSnapshot>, String> {
    let mut all: Vec<Section> = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let at = index + 1;
        let line = line.trim_end();
        parse_line(line, at, &mut all).map_err(|problem| format!("line {at}: {problem}"))?;
    }
    all.into_iter().map(Section::finish).collect()
}

impl KeyspaceSnapshot {
    pub(super) fn properties(&self) -> [(&'static str, &str); 4] {
        [
            (KIND, &self.kind),
            (KEY, &self.key),
            (CODEC, &self.codec),
            (TTL, &self.ttl),
        ]
    }

    /// Names a place that the codec writes and can't read back.
    pub(crate) fn unreadable(&self) -> Option<String> {
        if self.codec != POSTCARD {
            return None;
        }
        let mut nodes = self.layout.nodes.iter();
        let node = nodes.find(|node| node.asks_the_format())?;
        Some(format!(
            "{}: `{}` asks the format what comes, which Postcard can't tell: choose another `codec`, \
             or an enum without `untagged` and `tag`, or a struct without `flatten`",
            self.name, node.path
        ))
    }

    pub(super) fn is_named(&self, name: &str) -> bool {
        is_same_name(&self.name, name)
    }
}

/// Says whether two names are the same in a file.
fn is_same_name(one: &str, other: &str) -> bool {
    one_line(one) == one_line(other)
}

/// Writes control characters as escapes, because a value of the file ends with its line.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.trim().chars() {
        if character.is_control() {
            line.extend(character.escape_unicode());
        } else {
            line.push(character);
        }
    }
    line
}

/// A keyspace of the file, as far as it has been read.
#[derive(Debug)]
struct Section {
    name: String,
    /// The line that names it.
    at: usize,
    properties: HashMap<&'static str, String>,
    nodes: Vec<LayoutNode>,
    paths: HashSet<String>,
}

fn parse_line(line: &str, at: usize, all: &mut Vec<Section>) -> Result<(), String> {
    if CONFLICTS.iter().any(|marker| line.starts_with(marker)) {
        return Err("a merge conflict is left here: resolve it and accept the changes anew".into());
    }
    if line.is_empty() || line.starts_with('#') {
        return Ok(());
    }
    if let Some(name) = line
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        // Two names that would be written as one are one.
        if all.iter().any(|section| is_same_name(&section.name, name)) {
            return Err(format!("`{name}` is here for the second time"));
        }
        all.push(Section::new(name, at));
        return Ok(());
    }
    let Some(section) = all.last_mut() else {
        return Err("expected the name of a keyspace, such as `[session@1]`".into());
    };
    section.read(line)
}

impl Section {
    fn new(name: &str, at: usize) -> Self {
        Self {
            name: name.to_string(),
            at,
            properties: HashMap::new(),
            nodes: Vec::new(),
            paths: HashSet::new(),
        }
    }

    fn read(&mut self, line: &str) -> Result<(), String> {
        if let Some((path, kind)) = line.split_once(": ")
            && !path.contains(char::is_whitespace)
        {
            return self.read_node(path, kind);
        }
        let Some((property, value)) = line.split_once('=') else {
            return Err("expected `name = value` or `path: kind`".into());
        };
        let property = property.trim();
        let Some(known) = PROPERTIES.into_iter().find(|known| *known == property) else {
            return Err(format!("unknown name `{property}`"));
        };
        match self.properties.insert(known, value.trim().to_string()) {
            Some(_) => Err(format!("`{known}` is here for the second time")),
            None => Ok(()),
        }
    }

    fn read_node(&mut self, path: &str, kind: &str) -> Result<(), String> {
        if !self.paths.insert(path.to_string()) {
            return Err(format!("`{path}` is here for the second time"));
        }
        let without = kind.strip_suffix(DEFAULT);
        self.nodes.push(LayoutNode {
            path: path.to_string(),
            kind: without.unwrap_or(kind).to_string(),
            default: without.is_some(),
        });
        Ok(())
    }

    fn finish(mut self) -> Result<KeyspaceSnapshot, String> {
        Ok(KeyspaceSnapshot {
            kind: self.take(KIND)?,
            key: self.take(KEY)?,
            codec: self.take(CODEC)?,
            ttl: self.take(TTL)?,
            name: self.name,
            layout: Layout {
                // The file doesn't say so; the program does.
                by_name: false,
                nodes: self.nodes,
            },
        })
    }

    fn take(&mut self, property: &str) -> Result<String, String> {
        self.properties
            .remove(property)
            .ok_or_else(|| format!("line {}: `{}` has no `{property}`", self.at, self.name))
    }
}

const HEADER: &str = "\
# What the keyspaces of this program store. A test compares it with the program.
# To accept a change, run that test with REINHARDT_SCHEMA_LOCK=accept and commit this file.
";
const KIND: &str = "kind";
const KEY: &str = "key";
const CODEC: &str = "codec";
pub(super) const TTL: &str = "ttl";
const PROPERTIES: [&str; 4] = [KIND, KEY, CODEC, TTL];
const DEFAULT: &str = ", default";
/// The name of the codec whose readers can't ask what comes.
const POSTCARD: &str = "postcard";
const CONFLICTS: [&str; 4] = ["<<<<<<<", "|||||||", "=======", ">>>>>>>"];

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A keyspace whose layout is as the file has it.
    pub(in crate::keyspace::schema) fn session(nodes: &[&str]) -> KeyspaceSnapshot {
        let mut section = Section::new("session@2", 1);
        for node in nodes {
            section.read(node).unwrap();
        }
        KeyspaceSnapshot {
            name: "session@2".to_string(),
            kind: "entry".to_string(),
            key: "id".to_string(),
            codec: "cbor".to_string(),
            ttl: "30m".to_string(),
            layout: Layout {
                by_name: true,
                nodes: section.nodes,
            },
        }
    }

    /// The same under a codec that goes by the order.
    pub(in crate::keyspace::schema) fn by_position(nodes: &[&str]) -> KeyspaceSnapshot {
        let mut keyspace = session(nodes);
        keyspace.codec = "postcard".to_string();
        keyspace.layout.by_name = false;
        keyspace
    }

    #[test]
    fn the_file_is_sorted_and_ends_in_one_newline() {
        let one = session(&["value: struct", "value.nick: option, default"]);
        let other = KeyspaceSnapshot {
            name: "cart@1".to_string(),
            key: "tenant{tag}, id".to_string(),
            ..session(&["value: u8"])
        };
        let expected = format!(
            "{HEADER}
[cart@1]
kind = entry
key = tenant{{tag}}, id
codec = cbor
ttl = 30m
value: u8

[session@2]
kind = entry
key = id
codec = cbor
ttl = 30m
value: struct
value.nick: option, default
"
        );
        assert_eq!(render(&[one.clone(), other.clone()]), expected);
        assert_eq!(render(&[other, one]), expected);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut odd = KeyspaceSnapshot {
            name: "a]=[#b@1".to_string(),
            key: "x = y: z".to_string(),
            ttl: String::new(),
            ..session(&[
                "value: struct",
                "value.: u8",
                "value.a\\u{2e}b=c: opaque (asks for any type), default",
                "value.#: newtype tuple 2",
            ])
        };
        odd.layout.by_name = false;
        assert_eq!(parse(&render(std::slice::from_ref(&odd))), Ok(vec![odd]));
    }

    #[test]
    fn a_line_end_in_a_name_does_not_break_the_file() {
        let odd = KeyspaceSnapshot {
            name: "a\nb@1".to_string(),
            ..session(&["value: u8"])
        };
        let read = parse(&render(std::slice::from_ref(&odd))).unwrap();
        assert!(read[0].is_named(&odd.name));
        assert_eq!(read[0].layout.nodes, odd.layout.nodes);
    }

    #[test]
    fn a_file_that_was_read_is_written_in_the_same_order() {
        let named = |name: &str| KeyspaceSnapshot {
            name: name.to_string(),
            ..session(&["value: u8"])
        };
        let written = render(&[named("staff@1"), named("\u{7f}eb@1")]);
        assert_eq!(render(&parse(&written).unwrap()), written);
    }

    #[test]
    fn a_file_with_windows_line_ends_and_a_byte_order_mark_is_read() {
        let text = render(&[session(&["value: struct", "value.id: string, default"])]);
        let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        assert_eq!(parse(&windows), parse(&text));
    }

    #[test]
    fn an_error_names_its_line() {
        let start = "[session@2]\nkind = entry\n";
        for (text, problem) in [
            ("\nkind = entry", "line 2: expected the name of a keyspace"),
            (&format!("{start}what"), "line 3: expected `name = value`"),
            (&format!("{start}what = 1"), "line 3: unknown name `what`"),
            (
                &format!("{start}kind = 1"),
                "line 3: `kind` is here for the second time",
            ),
            (
                &format!("{start}value: u8\nvalue: u8"),
                "line 4: `value` is here for the",
            ),
            (
                &format!("{start}[session@2]"),
                "line 3: `session@2` is here for the",
            ),
            (
                &format!("{start}[ session@2 ]"),
                "line 3: ` session@2 ` is here for the",
            ),
            (start, "line 1: `session@2` has no `key`"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(problem), "{error}");
        }
    }

    #[test]
    fn a_merge_conflict_is_an_error_that_says_so() {
        for marker in ["<<<<<<< HEAD", "||||||| base", "=======", ">>>>>>> other"] {
            let error = parse(&format!("# file\n{marker}\n")).unwrap_err();
            assert!(error.starts_with("line 2: a merge conflict"), "{error}");
        }
    }

    #[test]
    fn what_asks_the_format_what_comes_is_refused_under_postcard() {
        for kind in [
            "opaque (asks for any type)",
            "opaque (a flattened struct, but for its required fields)",
            "opaque (a flattened struct)",
        ] {
            let lines = ["value: struct", &format!("value.free: {kind}")];
            let why = by_position(&lines).unreadable().unwrap();
            assert!(
                why.starts_with("session@2: `value.free` asks the format"),
                "{why}"
            );
            assert_eq!(session(&lines).unreadable(), None);
        }
        let others = ["value: struct", "value.deep: opaque (nested too deep)"];
        assert_eq!(by_position(&others).unreadable(), None);
    }
}
