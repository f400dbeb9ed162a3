//! The lock file of the keyspaces: its text, and what may change against it.

use std::collections::{HashMap, HashSet};

use super::tracer::{ALIAS, Line};
use crate::keyspace::lives::are_same;

/// One keyspace as the lock file holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Locked {
    /// The prefix and the version: `session@2`.
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) key: String,
    pub(crate) codec: String,
    pub(crate) ttl: String,
    /// Whether the codec finds fields by their names. The file doesn't say so; the program does.
    pub(crate) by_name: bool,
    pub(crate) shape: Vec<Line>,
}

/// What a program's keyspaces are against those of the lock file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// One text for each keyspace that has changed so that bytes already stored may be misread.
    pub(crate) failures: Vec<String>,
    pub(crate) notes: Vec<String>,
    /// The names of the keyspaces that the file doesn't hold yet.
    pub(crate) missing: Vec<String>,
}

/// Writes the lock file, sorted by name so that it differs only where a keyspace does.
pub(crate) fn render(all: &[Locked]) -> String {
    let mut sorted: Vec<_> = all.iter().collect();
    sorted.sort_by(|one, other| one.name.cmp(&other.name));
    let mut text = HEADER.to_string();
    for keyspace in sorted {
        text.push_str(&format!("\n[{}]\n", one_line(&keyspace.name)));
        for (property, value) in keyspace.properties() {
            text.push_str(format!("{property} = {}", one_line(value)).trim_end());
            text.push('\n');
        }
        for line in &keyspace.shape {
            let default = if line.default { DEFAULT } else { "" };
            text.push_str(&format!("{}: {}{default}\n", line.path, line.kind));
        }
    }
    text
}

/// Reads the lock file. An error names the line.
pub(crate) fn parse(text: &str) -> Result<Vec<Locked>, String> {
    let mut all: Vec<Section> = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let at = index + 1;
        let line = line.trim_end();
        parse_line(line, at, &mut all).map_err(|problem| format!("line {at}: {problem}"))?;
    }
    all.into_iter().map(Section::finish).collect()
}

/// Compares the keyspaces of a program with those of its lock file, each under its name.
pub(crate) fn compare(locked: &[Locked], now: &[Locked]) -> Comparison {
    let mut comparison = Comparison::default();
    for keyspace in now {
        match locked.iter().find(|old| old.is_named(&keyspace.name)) {
            Some(old) => comparison.compare_one(old, keyspace),
            None => comparison.missing.push(keyspace.name.clone()),
        }
        comparison.note_opaque(keyspace);
    }
    for old in locked {
        if !now.iter().any(|keyspace| keyspace.is_named(&old.name)) {
            comparison.notes.push(format!(
                "{}: in the lock file and not in the program",
                old.name
            ));
        }
    }
    comparison
}

impl Locked {
    fn properties(&self) -> [(&'static str, &str); 4] {
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
        let line = self.shape.iter().find(|line| line.asks_the_format())?;
        Some(format!(
            "{}: `{}` asks the format what comes, which Postcard can't tell: choose another `codec`, \
             or an enum without `untagged` and `tag`, or a struct without `flatten`",
            self.name, line.path
        ))
    }

    /// Sessions have no version: another prefix is what tells new ones from old ones.
    fn remedy(&self) -> &'static str {
        match self.kind.ends_with("sessions") {
            true => REMEDY_OF_SESSIONS,
            false => REMEDY,
        }
    }

    fn is_named(&self, name: &str) -> bool {
        one_line(&self.name) == one_line(name)
    }
}

impl Comparison {
    fn compare_one(&mut self, old: &Locked, new: &Locked) {
        let mut changes = Changes::default();
        for ((property, before), (_, after)) in old.properties().into_iter().zip(new.properties()) {
            let (before, after) = (one_line(before), one_line(after));
            if before == after || property == TTL && are_same(&before, &after) {
                continue;
            }
            let text = format!("{property} was `{before}` and is `{after}`");
            // A life is given to what is written from now on; what is stored is read either way.
            if property == TTL {
                changes.harmless.push(text);
            } else {
                changes.harmful.push(text);
            }
        }
        if new.by_name {
            changes.compare_by_name(&old.shape, &new.shape);
        } else {
            changes.compare_by_position(&old.shape, &new.shape, &new.codec);
        }
        self.take(new, changes);
    }

    fn take(&mut self, keyspace: &Locked, changes: Changes) {
        let name = &keyspace.name;
        let named = |text: &String| format!("{name}: {text}");
        self.notes.extend(changes.harmless.iter().map(named));
        if changes.harmful.is_empty() {
            return;
        }
        let mut lines: Vec<_> = changes.harmful.iter().map(named).collect();
        lines.push(keyspace.remedy().to_string());
        self.failures.push(lines.join("\n"));
    }

    fn note_opaque(&mut self, keyspace: &Locked) {
        for line in keyspace.shape.iter().filter(|line| line.is_opaque()) {
            let what = match line.is_flattened() {
                true => "is flattened: changes of fields with a default aren't seen",
                false => "is opaque: changes in it aren't seen",
            };
            let Locked { name, .. } = keyspace;
            self.notes.push(format!("{name}: `{}` {what}", line.path));
        }
    }
}

/// The changes of one keyspace.
#[derive(Debug, Default)]
struct Changes {
    harmful: Vec<String>,
    harmless: Vec<String>,
}

impl Changes {
    fn compare_by_name(&mut self, old: &[Line], new: &[Line]) {
        let new = self.undo_renames(old, new);
        self.compare_lines(old, &new, true);
    }

    fn compare_by_position(&mut self, old: &[Line], new: &[Line], codec: &str) {
        // An alias changes nothing where no name is written. A renamed field does fail: by their names alone one can't
        // tell it from another field in its place.
        let old = without_aliases(old);
        let new = without_aliases(new);
        self.compare_lines(&old, &new, false);
        let old_paths = paths_in_both(&old, &new);
        let new_paths = paths_in_both(&new, &old);
        let moved = old_paths
            .iter()
            .zip(&new_paths)
            .find(|(old, new)| old != new);
        if let Some((_, path)) = moved {
            self.harmful.push(format!(
                "the order has changed from `{path}` on, and {codec} goes by the order"
            ));
        }
    }

    /// Calls a field that has been renamed by its old name again, if that is still read as an alias.
    fn undo_renames(&mut self, old: &[Line], new: &[Line]) -> Vec<Line> {
        let old_kinds = index(old);
        let is_field = |path: &str| {
            old_kinds
                .get(path)
                .is_some_and(|line| line.alias_of().is_none())
        };
        let mut lines = new.to_vec();
        for alias in new {
            let Some(of) = alias.alias_of() else { continue };
            let around = alias.path.rfind('.').map_or("", |dot| &alias.path[..=dot]);
            let renamed = format!("{around}{of}");
            if !is_field(&alias.path) || is_field(&renamed) {
                continue;
            }
            for line in &mut lines {
                if let Some(into) = line.recurs_into()
                    && let Some(rest) = within(into, &renamed)
                {
                    let kept = line.kind.len() - into.len();
                    line.kind = format!("{}{}{rest}", &line.kind[..kept], alias.path);
                }
                if line.path == alias.path {
                    line.path.clone_from(&renamed);
                    line.kind = format!("{ALIAS}{}", &alias.path[around.len()..]);
                } else if is_within(&line.path, &renamed) {
                    line.path.replace_range(..renamed.len(), &alias.path);
                }
            }
            self.harmless.push(format!(
                "`{}` is now `{renamed}` and still read under its old name",
                alias.path
            ));
        }
        lines
    }

    fn compare_lines(&mut self, old: &[Line], new: &[Line], by_name: bool) {
        let old_lines = index(old);
        let new_lines = index(new);
        let mut settled = Settled::default();
        for before in old {
            match new_lines.get(before.path.as_str()) {
                _ if settled.holds(&before.path) => {}
                None => {
                    settled.add(&before.path);
                    let around = around(&before.path).and_then(|path| new_lines.get(path));
                    // There a field that has a default isn't known.
                    let or = match around.is_some_and(|line| line.is_flattened()) {
                        true => ", or has a default now",
                        false => "",
                    };
                    self.harmful.push(format!(
                        "`{}` was `{}` and is gone{or}",
                        before.path, before.kind
                    ));
                }
                Some(after) if is_more_exact(before, after) => {
                    settled.add(&before.path);
                    self.harmless.push(format!(
                        "`{}` is `{}`, and the file says `{}` alone: write it anew to have the rest held",
                        before.path, after.kind, before.kind
                    ));
                }
                Some(after) if after.kind != before.kind => {
                    settled.add(&before.path);
                    self.harmful.push(format!(
                        "`{}` was `{}` and is `{}`",
                        before.path, before.kind, after.kind
                    ));
                }
                Some(after) => self.compare_default(before, after, by_name),
            }
        }
        for line in new {
            if old_lines.contains_key(line.path.as_str()) || settled.holds(&line.path) {
                continue;
            }
            // What lies inside of it is as new as it is.
            settled.add(&line.path);
            let may_be_missing = line.default || line.alias_of().is_some();
            if !(by_name && may_be_missing) {
                let variant = is_variant(line, &new_lines);
                self.harmful.push(added(line, variant, by_name));
            }
        }
    }

    fn compare_default(&mut self, before: &Line, after: &Line, by_name: bool) {
        if before.default == after.default {
            return;
        }
        let path = &before.path;
        if after.default && by_name {
            self.harmless.push(format!("`{path}` has a default now"));
        } else if after.default {
            self.harmful
                .push(format!("`{path}` had no default and has one"));
        } else {
            self.harmful.push(format!(
                "`{path}` had a default and has none: values stored without it can't be read"
            ));
        }
    }
}

fn added(line: &Line, variant: bool, by_name: bool) -> String {
    let Line { path, kind, .. } = line;
    if variant {
        format!("`{path}` is a new variant: what still runs with the old type can't read it")
    } else if by_name {
        format!(
            "`{path}` is new, `{kind}` without a default: values stored without it can't be read"
        )
    } else {
        format!("`{path}` is new, `{kind}`")
    }
}

fn is_variant(line: &Line, all: &HashMap<&str, &Line>) -> bool {
    let around = around(&line.path).and_then(|path| all.get(path));
    around.is_some_and(|line| line.kind.ends_with("enum"))
}

/// The place that a place is in.
fn around(path: &str) -> Option<&str> {
    path.rfind(STEPS).map(|end| &path[..end])
}

/// The places whose change has been told, so that what lies inside of them isn't told again.
#[derive(Debug, Default)]
struct Settled<'a>(HashSet<&'a str>);

impl<'a> Settled<'a> {
    fn add(&mut self, path: &'a str) {
        self.0.insert(path);
    }

    fn holds(&self, path: &str) -> bool {
        let ends = path.match_indices(STEPS).map(|(at, _)| at);
        ends.chain([path.len()])
            .any(|end| self.0.contains(&path[..end]))
    }
}

fn index(lines: &[Line]) -> HashMap<&str, &Line> {
    lines
        .iter()
        .map(|line| (line.path.as_str(), line))
        .collect()
}

fn without_aliases(lines: &[Line]) -> Vec<Line> {
    let fields = lines.iter().filter(|line| line.alias_of().is_none());
    fields.cloned().collect()
}

fn paths_in_both<'a>(lines: &'a [Line], others: &[Line]) -> Vec<&'a str> {
    let others = index(others);
    let paths = lines.iter().map(|line| line.path.as_str());
    paths.filter(|path| others.contains_key(path)).collect()
}

/// Whether `path` is `around` or a place inside of it.
fn is_within(path: &str, around: &str) -> bool {
    within(path, around).is_some()
}

/// The steps from `around` to `path`, if that is a place inside of it.
fn within<'a>(path: &'a str, around: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(around)?;
    (rest.is_empty() || rest.starts_with(STEPS)).then_some(rest)
}

/// Whether the file was written before it said what a place recurs into, or what a flattened struct requires.
fn is_more_exact(before: &Line, after: &Line) -> bool {
    let into = after.recurs_into().filter(|into| !into.is_empty());
    let recurs = into.is_some() && before.recurs_into() == Some("");
    recurs || before.was_flattened() && after.is_flattened()
}

/// Writes control characters as escapes, because a value of the file ends with its line.
fn one_line(text: &str) -> String {
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
    shape: Vec<Line>,
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
        if all.iter().any(|section| section.name == name) {
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
            shape: Vec::new(),
            paths: HashSet::new(),
        }
    }

    fn read(&mut self, line: &str) -> Result<(), String> {
        if let Some((path, kind)) = line.split_once(": ")
            && !path.contains(char::is_whitespace)
        {
            return self.read_shape(path, kind);
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

    fn read_shape(&mut self, path: &str, kind: &str) -> Result<(), String> {
        if !self.paths.insert(path.to_string()) {
            return Err(format!("`{path}` is here for the second time"));
        }
        let without = kind.strip_suffix(DEFAULT);
        self.shape.push(Line {
            path: path.to_string(),
            kind: without.unwrap_or(kind).to_string(),
            default: without.is_some(),
        });
        Ok(())
    }

    fn finish(mut self) -> Result<Locked, String> {
        Ok(Locked {
            kind: self.take(KIND)?,
            key: self.take(KEY)?,
            codec: self.take(CODEC)?,
            ttl: self.take(TTL)?,
            by_name: false,
            name: self.name,
            shape: self.shape,
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
const REMEDY: &str = "raise `version` in its `#[keyspace(..)]`, \
    or accept the change by running the test with REINHARDT_SCHEMA_LOCK=accept";
const REMEDY_OF_SESSIONS: &str = "give new sessions another prefix, which ends the old ones, \
    or accept the change by running the test with REINHARDT_SCHEMA_LOCK=accept";
const KIND: &str = "kind";
const KEY: &str = "key";
const CODEC: &str = "codec";
const TTL: &str = "ttl";
const PROPERTIES: [&str; 4] = [KIND, KEY, CODEC, TTL];
const DEFAULT: &str = ", default";
/// What parts a place from one inside of it.
const STEPS: [char; 3] = ['.', '[', '?'];
/// The name of the codec whose readers can't ask what comes.
const POSTCARD: &str = "postcard";
const CONFLICTS: [&str; 4] = ["<<<<<<<", "|||||||", "=======", ">>>>>>>"];

#[cfg(test)]
mod tests {
    use super::*;

    /// A shape from the lines of a lock file.
    fn shape(lines: &[&str]) -> Vec<Line> {
        let mut section = Section::new("test", 1);
        for line in lines {
            section.read(line).unwrap();
        }
        section.shape
    }

    fn session(lines: &[&str]) -> Locked {
        Locked {
            name: "session@2".to_string(),
            kind: "entry".to_string(),
            key: "id".to_string(),
            codec: "cbor".to_string(),
            ttl: "30m".to_string(),
            by_name: true,
            shape: shape(lines),
        }
    }

    fn by_position(lines: &[&str]) -> Locked {
        Locked {
            codec: "postcard".to_string(),
            by_name: false,
            ..session(lines)
        }
    }

    fn compared(old: Locked, new: Locked) -> Comparison {
        compare(&[old], &[new])
    }

    /// The changes that one keyspace fails for, without its name and the remedy.
    #[track_caller]
    fn failed(old: Locked, new: Locked) -> Vec<String> {
        let comparison = compared(old, new);
        assert_eq!(comparison.failures.len(), 1, "{comparison:?}");
        let mut lines: Vec<_> = comparison.failures[0].lines().collect();
        assert_eq!(lines.pop(), Some(REMEDY));
        let changes = lines.iter().map(|line| line.strip_prefix("session@2: "));
        changes.map(|line| line.unwrap().to_string()).collect()
    }

    #[track_caller]
    fn noted(old: Locked, new: Locked) -> Vec<String> {
        let comparison = compared(old, new);
        assert_eq!(comparison.failures, [""; 0]);
        comparison.notes
    }

    #[test]
    fn the_file_is_sorted_and_ends_in_one_newline() {
        let one = session(&["value: struct", "value.nick: option, default"]);
        let other = Locked {
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
        let odd = Locked {
            name: "a]=[#b@1".to_string(),
            key: "x = y: z".to_string(),
            ttl: String::new(),
            by_name: false,
            ..session(&[
                "value: struct",
                "value.: u8",
                "value.a\\u{2e}b=c: opaque (asks for any type), default",
                "value.#: newtype tuple 2",
            ])
        };
        assert_eq!(parse(&render(std::slice::from_ref(&odd))), Ok(vec![odd]));
    }

    #[test]
    fn a_line_end_in_a_name_does_not_break_the_file() {
        let odd = Locked {
            name: "a\nb@1".to_string(),
            ..session(&["value: u8"])
        };
        let read = parse(&render(std::slice::from_ref(&odd))).unwrap();
        assert_eq!(compare(&read, &[odd]), Comparison::default());
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
    fn nothing_is_said_where_nothing_has_changed() {
        let keyspace = session(&["value: struct", "value.id: string"]);
        assert_eq!(compared(keyspace.clone(), keyspace), Comparison::default());
    }

    #[test]
    fn another_kind_key_or_codec_fails() {
        let old = session(&["value: u8"]);
        let new = Locked {
            kind: "value".to_string(),
            key: "id, tenant".to_string(),
            codec: "json".to_string(),
            ..old.clone()
        };
        assert_eq!(
            failed(old, new),
            [
                "kind was `entry` and is `value`",
                "key was `id` and is `id, tenant`",
                "codec was `cbor` and is `json`",
            ]
        );
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

    #[test]
    fn the_required_fields_of_a_flattened_struct_are_held() {
        let flat = "value: opaque (a flattened struct, but for its required fields)";
        let note = "session@2: `value` is flattened: changes of fields with a default aren't seen";
        let old = session(&[flat, "value.a: u8"]);
        assert_eq!(noted(old.clone(), old.clone()), [note]);
        assert_eq!(
            failed(old.clone(), session(&[flat, "value.a: u8", "value.b: u8"])),
            ["`value.b` is new, `u8` without a default: values stored without it can't be read"]
        );
        assert_eq!(
            failed(old.clone(), session(&[flat])),
            ["`value.a` was `u8` and is gone, or has a default now"]
        );
        let before = session(&["value: opaque (a flattened struct)"]);
        let written_anew = "session@2: `value` is `opaque (a flattened struct, but for its required fields)`, \
            and the file says `opaque (a flattened struct)` alone: write it anew to have the rest held";
        assert_eq!(noted(before, old), [written_anew, note]);
    }

    #[test]
    fn another_ttl_is_only_noted() {
        let old = session(&["value: u8"]);
        let new = Locked {
            ttl: "1h".to_string(),
            ..old.clone()
        };
        assert_eq!(noted(old, new), ["session@2: ttl was `30m` and is `1h`"]);
    }

    #[test]
    fn the_same_ttl_in_other_words_is_not_noted() {
        let old = Locked {
            ttl: "2months 29days 2h 52m 48s, lease 10s, stale 1h 30m".to_string(),
            ..session(&["value: u8"])
        };
        let new = Locked {
            ttl: "90d, lease 10s, stale 90m".to_string(),
            ..old.clone()
        };
        assert_eq!(noted(old, new), [""; 0]);
    }

    #[test]
    fn another_target_of_a_recursion_fails() {
        let old = session(&["value: struct", "value.a: newtype recursive into value"]);
        let new = session(&["value: struct", "value.a: newtype recursive into value.b"]);
        assert_eq!(
            failed(old, new),
            [
                "`value.a` was `newtype recursive into value` and is `newtype recursive into value.b`"
            ]
        );
    }

    #[test]
    fn a_recursion_of_which_the_file_does_not_say_into_what_is_noted() {
        let old = session(&[
            "value: struct",
            "value.a: newtype recursive",
            "value.b: recursive",
        ]);
        let new = session(&[
            "value: struct",
            "value.a: newtype recursive into value",
            "value.b: u8",
        ]);
        let comparison = compared(old, new);
        assert_eq!(
            comparison.notes,
            [
                "session@2: `value.a` is `newtype recursive into value`, and the file says \
                `newtype recursive` alone: write it anew to have the rest held"
            ]
        );
        assert!(comparison.failures[0].contains("`value.b` was `recursive` and is `u8`"));
    }

    #[test]
    fn a_recursion_into_a_field_that_was_renamed_with_an_alias_passes() {
        let old = session(&[
            "value: struct",
            "value.a: seq",
            "value.a[]: struct",
            "value.a[].a: recursive into value.a[]",
            "value.ab: recursive into value",
        ]);
        let new = session(&[
            "value: struct",
            "value.as: seq",
            "value.as[]: struct",
            "value.as[].a: recursive into value.as[]",
            "value.a: alias as",
            "value.ab: recursive into value",
        ]);
        assert_eq!(
            noted(old, new),
            ["session@2: `value.a` is now `value.as` and still read under its old name"]
        );
    }

    #[test]
    fn sessions_are_told_what_they_can_do() {
        let old = Locked {
            kind: "sessions".to_string(),
            ..session(&["value: u8"])
        };
        let new = Locked {
            shape: shape(&["value: u16"]),
            ..old.clone()
        };
        let failure = &compared(old, new).failures[0];
        assert!(failure.ends_with(REMEDY_OF_SESSIONS), "{failure}");
    }

    #[test]
    fn another_type_fails_and_hides_what_lies_inside() {
        let old = session(&[
            "value: struct",
            "value.a: seq",
            "value.a[]: u8",
            "value.ab: u8",
        ]);
        let new = session(&[
            "value: struct",
            "value.a: option",
            "value.a?: u8",
            "value.ab: u16",
        ]);
        assert_eq!(
            failed(old, new),
            [
                "`value.a` was `seq` and is `option`",
                "`value.ab` was `u8` and is `u16`",
            ]
        );
    }

    #[test]
    fn a_removed_field_fails_once() {
        let old = session(&["value: struct", "value.a: struct", "value.a.b: u8"]);
        let new = session(&["value: struct"]);
        assert_eq!(failed(old, new), ["`value.a` was `struct` and is gone"]);
    }

    #[test]
    fn an_added_field_fails_without_a_default() {
        let old = session(&["value: struct"]);
        let new = session(&["value: struct", "value.a: struct", "value.a.b: u8"]);
        let expected = [
            "`value.a` is new, `struct` without a default: values stored without it can't be read",
        ];
        assert_eq!(failed(old, new), expected);
    }

    #[test]
    fn an_added_field_with_a_default_passes_with_all_that_lies_inside() {
        let old = session(&["value: struct"]);
        let new = session(&["value: struct", "value.a: struct, default", "value.a.b: u8"]);
        assert_eq!(noted(old, new), [""; 0]);
    }

    #[test]
    fn an_added_variant_fails() {
        let old = session(&["value: newtype enum"]);
        let new = session(&["value: newtype enum", "value.A: unit"]);
        let expected =
            ["`value.A` is a new variant: what still runs with the old type can't read it"];
        assert_eq!(failed(old, new), expected);
    }

    #[test]
    fn a_lost_default_fails_and_a_gained_one_is_noted() {
        let without = session(&["value: struct", "value.a: u8"]);
        let with = session(&["value: struct", "value.a: u8, default"]);
        assert_eq!(
            failed(with.clone(), without.clone()),
            ["`value.a` had a default and has none: values stored without it can't be read"]
        );
        assert_eq!(
            noted(without, with),
            ["session@2: `value.a` has a default now"]
        );
    }

    #[test]
    fn the_order_of_fields_counts_only_by_position() {
        let old = ["value: struct", "value.a: u8", "value.b: u8"];
        let new = ["value: struct", "value.b: u8", "value.a: u8"];
        assert_eq!(noted(session(&old), session(&new)), [""; 0]);
        assert_eq!(
            failed(by_position(&old), by_position(&new)),
            ["the order has changed from `value.b` on, and postcard goes by the order"]
        );
    }

    #[test]
    fn an_added_field_with_a_default_fails_by_position() {
        let old = by_position(&["value: struct"]);
        let new = by_position(&["value: struct", "value.a: option, default", "value.a?: u8"]);
        assert_eq!(failed(old, new), ["`value.a` is new, `option`"]);
    }

    #[test]
    fn a_gained_default_fails_by_position() {
        let old = by_position(&["value: struct", "value.a: u8"]);
        let new = by_position(&["value: struct", "value.a: u8, default"]);
        assert_eq!(failed(old, new), ["`value.a` had no default and has one"]);
    }

    #[test]
    fn an_added_alias_passes_and_a_removed_one_fails() {
        let without = ["value: struct", "value.key: u8"];
        let with = ["value: struct", "value.key: u8", "value.id: alias key"];
        assert_eq!(noted(session(&without), session(&with)), [""; 0]);
        assert_eq!(
            failed(session(&with), session(&without)),
            ["`value.id` was `alias key` and is gone"]
        );
        assert_eq!(noted(by_position(&with), by_position(&without)), [""; 0]);
    }

    #[test]
    fn a_field_renamed_with_an_alias_passes() {
        let old = session(&["value: struct", "value.a: seq", "value.a[]: u8"]);
        let new = session(&[
            "value: struct",
            "value.as: seq",
            "value.as[]: u8",
            "value.a: alias as",
        ]);
        let note = "session@2: `value.a` is now `value.as` and still read under its old name";
        assert_eq!(noted(old.clone(), new.clone()), [note]);
        let back = "session@2: `value.as` is now `value.a` and still read under its old name";
        let renamed_back = Locked {
            shape: [&old.shape[..], &shape(&["value.as: alias a"])].concat(),
            ..old
        };
        assert_eq!(noted(new, renamed_back), [back]);
    }

    #[test]
    fn two_fields_that_become_one_fail() {
        let old = session(&["value: struct", "value.a: u8", "value.b: u8"]);
        let new = session(&["value: struct", "value.b: u8", "value.a: alias b"]);
        assert_eq!(failed(old, new), ["`value.a` was `u8` and is `alias b`"]);
    }

    #[test]
    fn a_renamed_field_of_another_type_fails() {
        let old = session(&["value: struct", "value.a: u8"]);
        let new = session(&["value: struct", "value.b: u16", "value.a: alias b"]);
        assert_eq!(failed(old, new), ["`value.a` was `u8` and is `u16`"]);
    }

    #[test]
    fn what_is_opaque_is_noted_once_and_fails_where_it_was_traced() {
        let opaque = session(&["value: opaque (asks for any type)"]);
        assert_eq!(
            noted(opaque.clone(), opaque.clone()),
            ["session@2: `value` is opaque: changes in it aren't seen"]
        );
        assert_eq!(
            failed(session(&["value: u8"]), opaque),
            ["`value` was `u8` and is `opaque (asks for any type)`"]
        );
    }

    #[test]
    fn a_keyspace_that_only_one_side_has_is_missing_or_noted() {
        let old = session(&["value: u8"]);
        let new = Locked {
            name: "session@3".to_string(),
            ..old.clone()
        };
        let comparison = compared(old, new);
        assert_eq!(comparison.failures, [""; 0]);
        assert_eq!(comparison.missing, ["session@3"]);
        assert_eq!(
            comparison.notes,
            ["session@2: in the lock file and not in the program"]
        );
    }

    #[test]
    fn the_remedy_is_named_once_a_keyspace() {
        let old = session(&["value: struct", "value.a: u8", "value.b: u8"]);
        let new = session(&["value: struct"]);
        let comparison = compared(old, new);
        assert_eq!(
            comparison.failures[0]
                .matches("REINHARDT_SCHEMA_LOCK")
                .count(),
            1
        );
    }
}
