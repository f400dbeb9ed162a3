//! Slots that no node serves, and nodes that can't be reached, in sentences.

use std::ops::RangeInclusive;

use crate::backend::redis::client::in_flight::InFlight;
use crate::backend::redis::client::node::Node;
use crate::backend::redis::client::request::RequestTarget;
use crate::backend::redis::client::slot::Slots;
use crate::error::{BackendError, ErrorKind};

/// Returns the error of a request that no node is known for, by a map that was read or by none.
pub(super) fn unserved_by(request: &InFlight, is_mapped: bool) -> BackendError {
    let message = match (request.target(), request.slots()) {
        (RequestTarget::Node(_), _) => "the node has left the cluster".to_string(),
        (_, Slots::One(slot)) if is_mapped => {
            format!("no node of the cluster serves hash slot {slot}")
        }
        _ => "no node of the cluster has told its map yet".to_string(),
    };
    BackendError::new(ErrorKind::Unavailable, message)
}

pub(super) fn unserved(slots: &RangeInclusive<u16>) -> BackendError {
    let (first, last) = (slots.start(), slots.end());
    let message = format!("no node of the cluster serves hash slots {first} to {last}");
    BackendError::new(ErrorKind::Unavailable, message)
}

/// Adds the source of a node's address to its error.
pub(super) fn unreached(error: &BackendError) -> BackendError {
    let message = format!("{}: the cluster announces this address", error.message());
    BackendError::new(error.kind(), message)
}

/// Returns the error of a call that waits for a connection to a node as long as it may.
pub(super) fn unconnected(node: &Node) -> BackendError {
    let location = node.location();
    let message = format!("no connection to {location} yet: the cluster announces this address");
    BackendError::new(ErrorKind::Timeout, message)
}
