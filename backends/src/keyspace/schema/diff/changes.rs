//! The changes of one keyspace, node by node.

use std::collections::{HashMap, HashSet};

use crate::keyspace::schema::layout::{ALIAS, LayoutNode};

/// The changes of one keyspace.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) harmful: Vec<String>,
    pub(super) harmless: Vec<String>,
}

impl Changes {
    pub(super) fn compare_by_name(&mut self, old: &[LayoutNode], new: &[LayoutNode]) {
        let new = self.undo_renames(old, new);
        self.compare_nodes(old, &new, true);
    }

    pub(super) fn compare_by_position(
        &mut self,
        old: &[LayoutNode],
        new: &[LayoutNode],
        codec: &str,
    ) {
        // An alias changes nothing where no name is written. A renamed field does fail: by their
        // names alone one can't tell it from another field in its place.
        let old = without_aliases(old);
        let new = without_aliases(new);
        self.compare_nodes(&old, &new, false);
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

    /// Calls a field that has been renamed by its old name again, if that is still read as an
    /// alias.
    fn undo_renames(&mut self, old: &[LayoutNode], new: &[LayoutNode]) -> Vec<LayoutNode> {
        let old_kinds = index(old);
        let is_field = |path: &str| {
            old_kinds
                .get(path)
                .is_some_and(|node| node.alias_of().is_none())
        };
        let mut nodes = new.to_vec();
        for alias in new {
            let Some(of) = alias.alias_of() else { continue };
            let around = alias.path.rfind('.').map_or("", |dot| &alias.path[..=dot]);
            let renamed = format!("{around}{of}");
            if !is_field(&alias.path) || is_field(&renamed) {
                continue;
            }
            for node in &mut nodes {
                if let Some(into) = node.recurs_into()
                    && let Some(rest) = within(into, &renamed)
                {
                    let kept = node.kind.len() - into.len();
                    node.kind = format!("{}{}{rest}", &node.kind[..kept], alias.path);
                }
                if node.path == alias.path {
                    node.path.clone_from(&renamed);
                    node.kind = format!("{ALIAS}{}", &alias.path[around.len()..]);
                } else if is_within(&node.path, &renamed) {
                    node.path.replace_range(..renamed.len(), &alias.path);
                }
            }
            self.harmless.push(format!(
                "`{}` is now `{renamed}` and still read under its old name",
                alias.path
            ));
        }
        nodes
    }

    fn compare_nodes(&mut self, old: &[LayoutNode], new: &[LayoutNode], by_name: bool) {
        let old_nodes = index(old);
        let new_nodes = index(new);
        let mut settled = Settled::default();
        for before in old {
            match new_nodes.get(before.path.as_str()) {
                _ if settled.holds(&before.path) => {}
                None => {
                    settled.add(&before.path);
                    let around = around(&before.path).and_then(|path| new_nodes.get(path));
                    // There a field that has a default isn't known.
                    let or = match around.is_some_and(|node| node.is_flattened()) {
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
        for node in new {
            if old_nodes.contains_key(node.path.as_str()) || settled.holds(&node.path) {
                continue;
            }
            // A place inside of it is as new as it is.
            settled.add(&node.path);
            let may_be_missing = node.default || node.alias_of().is_some();
            if !(by_name && may_be_missing) {
                let variant = is_variant(node, &new_nodes);
                self.harmful.push(added(node, variant, by_name));
            }
        }
    }

    fn compare_default(&mut self, before: &LayoutNode, after: &LayoutNode, by_name: bool) {
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

fn added(node: &LayoutNode, variant: bool, by_name: bool) -> String {
    let LayoutNode { path, kind, .. } = node;
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

fn is_variant(node: &LayoutNode, all: &HashMap<&str, &LayoutNode>) -> bool {
    let around = around(&node.path).and_then(|path| all.get(path));
    around.is_some_and(|node| node.kind.ends_with("enum"))
}

/// The place that a place is in.
fn around(path: &str) -> Option<&str> {
    path.rfind(STEPS).map(|end| &path[..end])
}

/// The places whose change has been told, so that the changes inside of them aren't told again.
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

fn index(nodes: &[LayoutNode]) -> HashMap<&str, &LayoutNode> {
    nodes
        .iter()
        .map(|node| (node.path.as_str(), node))
        .collect()
}

fn without_aliases(nodes: &[LayoutNode]) -> Vec<LayoutNode> {
    let fields = nodes.iter().filter(|node| node.alias_of().is_none());
    fields.cloned().collect()
}

fn paths_in_both<'a>(nodes: &'a [LayoutNode], others: &[LayoutNode]) -> Vec<&'a str> {
    let others = index(others);
    let paths = nodes.iter().map(|node| node.path.as_str());
    paths.filter(|path| others.contains_key(path)).collect()
}

/// Says whether `path` is `around` or a place inside of it.
fn is_within(path: &str, around: &str) -> bool {
    within(path, around).is_some()
}

/// The steps from `around` to `path`, if that is a place inside of it.
fn within<'a>(path: &'a str, around: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(around)?;
    (rest.is_empty() || rest.starts_with(STEPS)).then_some(rest)
}

/// Says whether the file was written before files held the type that a place recurs into, and the
/// fields that a flattened struct requires.
fn is_more_exact(before: &LayoutNode, after: &LayoutNode) -> bool {
    let into = after.recurs_into().filter(|into| !into.is_empty());
    let recurs = into.is_some() && before.recurs_into() == Some("");
    recurs || before.was_flattened() && after.is_flattened()
}

/// The characters that part a place from one inside of it.
const STEPS: [char; 3] = ['.', '[', '?'];
