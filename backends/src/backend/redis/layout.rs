//! The nodes that serve the keys of a cluster at a time, by the word of each node itself.
//!
//! While a slot moves, its keys go over one by one, and the map of slots stays as it is until the
//! end. So a walk over all keys may come to both nodes at the wrong time and miss a key. Each node
//! shows whether it is a primary, its slots, those that are open (on their way), and the epoch of
//! its configuration, which a failover raises (`CLUSTER NODES`). Two equal layouts without an open
//! slot, before and after a walk, by primaries that serve all slots between them, mean that no key
//! has moved meanwhile, and that no node was left out.

use super::client::{Access, Command, Reply, SLOTS, Traced};
use super::commands::Commands;
use super::read_from::ReadFrom;
use crate::error::BackendResult;

/// The lines that the nodes say about themselves, in the order of their ids.
#[derive(Default)]
pub(super) struct SlotLayout(Vec<String>);

impl SlotLayout {
    /// Says whether keys may have moved between this layout and a later one.
    pub(super) fn has_moved(&self, later: &Self) -> bool {
        self.0 != later.0 || !later.is_settled()
    }

    /// Says whether the nodes are primaries that serve every slot, and none is open.
    pub(super) fn is_settled(&self) -> bool {
        let lines = || self.0.iter().map(String::as_str);
        // `[93-<-node]` or `[93->-node]`.
        let is_open = lines().any(|line| line.contains('['));
        let are_primaries = lines().all(|line| line.contains("master"));
        let slots: u32 = lines().map(slots_in).sum();
        !is_open && are_primaries && slots == u32::from(SLOTS)
    }
}

impl Commands {
    /// Asks the nodes of a cluster for their layout; `None` where there is one server, or where the
    /// user may not ask.
    pub(super) async fn layout(&self) -> BackendResult<Option<SlotLayout>> {
        let Some(nodes) = self.client.nodes(ReadFrom::Primary).await? else {
            return Ok(None);
        };
        let mut lines = Vec::new();
        for node in nodes {
            let ask = Command::new("CLUSTER").arg("NODES");
            let asked = self.client.traced(Some(node), ask, Access::READ);
            let text = match asked.await? {
                Traced {
                    reply: Reply::Bytes(text),
                    ..
                } => text,
                // A user may have no right to it. Such a walk can't tell whether keys move.
                Traced { .. } => return Ok(None),
            };
            let text = String::from_utf8_lossy(text.as_bytes());
            lines.extend(text.lines().find_map(own_line));
        }
        lines.sort();
        Ok(Some(SlotLayout(lines)))
    }
}

/// Returns the lasting part of the line in which a node describes itself: the id, the flags, the
/// epoch and the slots.
fn own_line(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split(' ').collect();
    let (id, flags, epoch) = (words.first()?, words.get(2)?, words.get(6)?);
    let is_own = flags.split(',').any(|flag| flag == "myself");
    let slots = words.get(8..).unwrap_or_default().join(" ");
    is_own.then(|| format!("{id} {flags} {epoch} {slots}"))
}

/// Returns the number of slots that a node says it serves.
fn slots_in(line: &str) -> u32 {
    let ranges = line
        .split(' ')
        .skip(3)
        .filter(|range| !range.starts_with('['));
    let counts = ranges.filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse::<u32>().ok()?, last.parse::<u32>().ok()?);
        (last + 1).checked_sub(first)
    });
    counts.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(nodes: &[&str]) -> SlotLayout {
        let lines = nodes.iter().filter_map(|node| own_line(node));
        SlotLayout(lines.collect())
    }

    const FIRST: &str = "a1 h:1@2 myself,master - 0 17 3 connected 0-100 200";
    const SECOND: &str = "b2 h:3@4 myself,master - 0 17 4 connected 101-199 201-16383";

    #[test]
    fn equal_layouts_of_all_slots_mean_that_nothing_has_moved() {
        let settled = || layout(&[FIRST, SECOND]);
        assert!(settled().is_settled() && !settled().has_moved(&settled()));
        let epoch = FIRST.replace(" 3 ", " 9 ");
        assert!(settled().has_moved(&layout(&[&epoch, SECOND])));
    }

    #[test]
    fn an_open_slot_a_replica_and_a_missing_node_may_hide_keys() {
        for open in [" [93->-b2]", " [93-<-b2]"] {
            assert!(!layout(&[&format!("{FIRST}{open}"), SECOND]).is_settled());
        }
        assert!(!layout(&[SECOND]).is_settled());
        let demoted = FIRST.replace("master -", "slave c3");
        assert!(!layout(&[&demoted, SECOND]).is_settled());
        assert!(own_line("b2 h:3@4 slave a1 0 1 7 connected").is_none());
    }
}
