//! The nodes to which slots are on their way.

use crate::backend::redis::client::location::Address;
use crate::backend::redis::client::node::Node;
use crate::error::BackendResult;

/// The nodes to which slots are on their way, and which aren't in the map.
#[derive(Default)]
pub(super) struct Importing(Vec<(Address, Node)>);

impl Importing {
    /// Takes the node at an address out.
    pub(super) fn take(&mut self, address: &Address) -> Option<Node> {
        let known = self.0.iter().position(|(known, _)| known == address)?;
        Some(self.0.swap_remove(known).1)
    }

    /// Returns the node at an address, or makes and keeps one. Returns the node that makes room for
    /// it too.
    pub(super) fn get_or_make(
        &mut self,
        address: &Address,
        make: impl FnOnce() -> BackendResult<Node>,
    ) -> BackendResult<(Node, Option<Node>)> {
        if let Some((_, node)) = self.0.iter().find(|(known, _)| known == address) {
            return Ok((node.clone(), None));
        }
        let node = make()?;
        let oldest = (self.0.len() >= MOST_IMPORTING).then(|| self.0.remove(0).1);
        self.0.push((address.clone(), node.clone()));
        Ok((node, oldest))
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.0.iter().map(|(_, node)| node)
    }
}

/// The most importing nodes that are kept.
const MOST_IMPORTING: usize = 16;
