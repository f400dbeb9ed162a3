//! The state that the passes of one trace share: the nodes, the way to take, and the facts that are
//! known about mock values.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::de;

use crate::keyspace::schema::layout::{ALIAS, LayoutNode, escape};

/// The reason why a pass went no further. The reason keeps no text: a message may quote a value.
#[derive(Debug)]
pub(super) enum Stop {
    /// A struct can't be built without this field.
    Missing(&'static str),
    /// A struct has seen this field before.
    Duplicate(&'static str),
    /// An enum has none but these variants.
    Unknown(&'static [&'static str]),
    Other,
}

/// A type that is being read, for noticing that it occurs inside of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NamedType {
    /// The type of the visitor: a derived one carries the module and the parameters of its type,
    /// which keep `Page<Page<u8>>` apart from a type that is really recursive.
    visitor: &'static str,
    name: &'static str,
    members: &'static [&'static str],
}

/// A name that a struct reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    /// The field that this is another name of.
    pub(super) alias_of: Option<&'static str>,
    pub(super) default: bool,
}

/// The fields of a struct, as far as they are known.
#[derive(Debug, Default)]
struct StructFields {
    /// The proper names of the first of the names that the struct reads.
    proper: Vec<&'static str>,
    fields: Option<Vec<Field>>,
}

/// One place where ways part.
#[derive(Debug)]
struct Choice {
    taken: usize,
    of: usize,
}

/// The state of one trace.
#[derive(Debug)]
pub(super) struct TraceState {
    pub(super) human_readable: bool,
    nodes: Vec<LayoutNode>,
    written: HashSet<String>,
    /// The way to take, and how far the pass has followed it.
    choices: Vec<Choice>,
    followed: usize,
    /// The named types around the place that is explored, each with its own place.
    around: Vec<(NamedType, String)>,
    /// The types that ask for a map and are structs with flattened fields.
    flattened: Vec<NamedType>,
    /// The named types around the value that is being made up.
    making: Vec<NamedType>,
    structs: HashMap<String, StructFields>,
    /// The fields that the struct at a path can't be built without.
    required: HashMap<String, Vec<&'static str>>,
    /// The attempt that making up a value at a path has come to.
    attempts: HashMap<String, usize>,
    /// Texts that a type has named itself.
    texts: HashMap<String, &'static str>,
    finished: bool,
    again: bool,
    budget: u32,
}

impl TraceState {
    pub(super) fn new(human_readable: bool) -> Self {
        Self {
            human_readable,
            nodes: Vec::new(),
            written: HashSet::new(),
            choices: Vec::new(),
            followed: 0,
            around: Vec::new(),
            flattened: Vec::new(),
            making: Vec::new(),
            structs: HashMap::new(),
            required: HashMap::new(),
            attempts: HashMap::new(),
            texts: HashMap::new(),
            finished: false,
            again: false,
            budget: BUDGET,
        }
    }

    pub(super) fn start_pass(&mut self) {
        self.followed = 0;
        self.around.clear();
        self.making.clear();
        self.finished = false;
        self.again = false;
    }

    /// Turns to the next way and says whether there is one.
    pub(super) fn advance(&mut self) -> bool {
        if self.budget == 0 {
            self.write(REST, "opaque (too large to be traced whole)", false);
            return false;
        }
        if self.again {
            return true;
        }
        self.choices.truncate(self.followed);
        while let Some(last) = self.choices.last_mut() {
            if last.taken + 1 < last.of {
                last.taken += 1;
                return true;
            }
            self.choices.pop();
        }
        false
    }

    pub(super) fn into_nodes(self) -> Vec<LayoutNode> {
        self.nodes
    }

    /// Takes the way of this pass where `of` of them part.
    pub(super) fn choose(&mut self, of: usize) -> usize {
        if self.followed == self.choices.len() {
            self.choices.push(Choice { taken: 0, of });
        }
        let taken = self.choices[self.followed].taken;
        self.followed += 1;
        // A type may answer differently from one pass to the next.
        taken.min(of.saturating_sub(1))
    }

    /// Takes `map` for a struct with flattened fields from now on, and the pass back to before it
    /// parted the key from the value.
    pub(super) fn take_for_flattened(&mut self, map: NamedType) -> Stop {
        self.flattened.push(map);
        self.followed -= 1;
        self.choices.truncate(self.followed);
        self.repeat()
    }

    pub(super) fn is_flattened(&self, map: NamedType) -> bool {
        self.flattened.contains(&map)
    }

    pub(super) fn write(&mut self, path: &str, kind: &str, default: bool) {
        if self.written.insert(path.to_string()) {
            self.nodes.push(LayoutNode {
                path: path.to_string(),
                kind: kind.to_string(),
                default,
            });
        }
    }

    /// Changes the kind that `path` was taken for from `old` to `new`; the words before the kind
    /// stay.
    pub(super) fn rewrite_kind(&mut self, path: &str, old: &str, new: &str) {
        if let Some(node) = self.nodes.iter_mut().find(|node| node.path == path)
            && let Some(prefix) = node.kind.strip_suffix(old)
        {
            node.kind = format!("{prefix}{new}");
        }
    }

    pub(super) fn write_alias(&mut self, path: &str, of: &str) {
        self.write(path, &format!("{ALIAS}{}", escape(of)), false);
    }

    /// Ends the pass; whatever is asked for from now on isn't looked at.
    pub(super) fn finish(&mut self) -> Stop {
        self.finished = true;
        Stop::Other
    }

    /// Ends the pass and has the same way taken again, with the facts that have been learned
    /// meanwhile.
    pub(super) fn repeat(&mut self) -> Stop {
        self.again = true;
        self.finish()
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Writes down that the place at the end of the way couldn't be looked at, if the pass hasn't
    /// got there.
    pub(super) fn conclude(&mut self, path: &str, prefix: &str, default: bool, failed: bool) {
        if self.finished {
            return;
        }
        let kind = if failed { BEHIND } else { NOT_ASKED };
        self.write(path, &format!("{prefix}{kind}"), default);
        self.finished = true;
    }

    /// Accounts for one value that is asked for.
    pub(super) fn spend(&mut self) -> Result<(), Stop> {
        if self.finished {
            return Err(Stop::Other);
        }
        self.budget = self.budget.saturating_sub(1);
        if self.budget == 0 {
            return Err(self.finish());
        }
        Ok(())
    }

    /// Goes into a named type at `path`; if it is inside of itself, returns where it was met
    /// before.
    pub(super) fn explore_type(&mut self, named: NamedType, path: &str) -> Option<String> {
        let mut around = self.around.iter();
        if let Some((_, before)) = around.find(|(other, _)| *other == named) {
            return Some(before.clone());
        }
        self.around.push((named, path.to_string()));
        None
    }

    /// Starts to make up a named type, unless it would be inside of itself.
    pub(super) fn make_type(&mut self, named: NamedType) -> Result<(), Stop> {
        if self.making.contains(&named) {
            return Err(Stop::Other);
        }
        self.making.push(named);
        Ok(())
    }

    pub(super) fn made_type(&mut self) {
        self.making.pop();
    }

    /// The attempt that making up a value at `path` has come to.
    pub(super) fn attempt(&self, path: &str) -> usize {
        self.attempts.get(path).copied().unwrap_or(0)
    }

    /// The text that the type at `path` has asked for.
    pub(super) fn text(&self, path: &str) -> Option<&'static str> {
        self.texts.get(path).copied()
    }

    /// Has another value made up at `path` in a further pass, after the failure `stop`.
    ///
    /// Returns `false` if all have been tried, and nothing has been settled elsewhere.
    pub(super) fn try_another(&mut self, path: &str, stop: &Stop) -> bool {
        if self.finished {
            return true;
        }
        if let Stop::Unknown([first, ..]) = stop
            && !self.texts.contains_key(path)
        {
            self.texts.insert(path.to_string(), first);
            self.repeat();
            return true;
        }
        let attempt = self.attempts.entry(path.to_string()).or_default();
        if *attempt + 1 == ATTEMPTS {
            return false;
        }
        *attempt += 1;
        self.repeat();
        true
    }

    pub(super) fn required(&self, path: &str) -> Vec<&'static str> {
        self.required.get(path).cloned().unwrap_or_default()
    }

    /// Notes a field that the struct at `path` can't be built without, and has it built with that
    /// field.
    pub(super) fn require(&mut self, path: &str, name: &'static str) {
        let required = self.required.entry(path.to_string()).or_default();
        // A field that is missed although it is known was not on offer; offering it again would go
        // on for ever.
        if !required.contains(&name) {
            required.push(name);
            self.repeat();
        }
    }

    /// Ends the survey of a struct with flattened fields: it has those that it can't be built
    /// without.
    ///
    /// A field that was offered and is `missed` all the same is one of something inside of a
    /// flattened part.
    pub(super) fn settle_flattened(&mut self, path: &str, missed: Option<&'static str>) {
        let required = self.required(path);
        let known = required.iter().filter(|name| Some(**name) != missed);
        let fields = known.map(|name| Field {
            name,
            alias_of: None,
            default: false,
        });
        let fields = fields.collect();
        self.structs.entry(path.to_string()).or_default().fields = Some(fields);
        self.repeat();
    }

    pub(super) fn fields(&self, path: &str) -> Option<&[Field]> {
        self.structs.get(path)?.fields.as_deref()
    }

    /// The first of the `given` names whose field isn't known yet.
    pub(super) fn unplaced(
        &self,
        path: &str,
        given: &'static [&'static str],
    ) -> Option<&'static str> {
        let placed = self
            .structs
            .get(path)
            .map_or(0, |fields| fields.proper.len());
        given.get(placed).copied()
    }

    pub(super) fn place(&mut self, path: &str, proper: &'static str) {
        let known = self.structs.entry(path.to_string()).or_default();
        known.proper.push(proper);
        self.repeat();
    }

    /// Ends the survey of a struct.
    ///
    /// Fields are checked in order. So where no value can be made up for a required field, those
    /// before it that weren't missed have a default, and nothing is known about those behind it.
    pub(super) fn settle(&mut self, path: &str, given: &[&'static str], built: bool) {
        let required = self.required(path);
        let known = match required.last() {
            _ if built => given.len(),
            Some(last) => given.iter().position(|name| name == last).unwrap_or(0),
            None => 0,
        };
        let survey = self.structs.entry(path.to_string()).or_default();
        let with_default = |name| {
            let position = given.iter().position(|other| *other == name);
            !required.contains(&name) && position.is_some_and(|position| position < known)
        };
        let mut fields = Vec::with_capacity(given.len());
        for (index, proper) in survey.proper.iter().enumerate() {
            if survey.proper[..index].contains(proper) {
                continue;
            }
            fields.push(Field {
                name: proper,
                alias_of: None,
                default: with_default(*proper),
            });
            let names = given.iter().zip(&survey.proper);
            let aliases = names.filter(|(name, of)| *of == proper && *name != proper);
            fields.extend(aliases.map(|(name, of)| Field {
                name,
                alias_of: Some(of),
                default: false,
            }));
        }
        survey.fields = Some(fields);
        self.repeat();
    }
}

impl NamedType {
    /// The type `name` as the visitor `V` reads it.
    pub(super) fn new<V>(name: &'static str, members: &'static [&'static str]) -> Self {
        Self {
            visitor: std::any::type_name::<V>(),
            name,
            members,
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the trace goes no further")
    }
}

impl std::error::Error for Stop {}

impl de::Error for Stop {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Other
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::Unknown(expected)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::Duplicate(field)
    }
}

const BEHIND: &str = "opaque (behind a value that can't be made up)";
const NOT_ASKED: &str = "opaque (not asked for)";
/// The path of the node that stands for the part that a trace left off.
const REST: &str = "rest";
/// The number of values that are made up for one place before it is given up.
pub(super) const ATTEMPTS: usize = 16;
/// The depth to which values may nest, so that no type overflows the stack.
pub(super) const DEPTH: usize = 64;
/// The number of values that all passes together may ask for, so that no type keeps a test waiting
/// for long.
const BUDGET: u32 = 2_000_000;
