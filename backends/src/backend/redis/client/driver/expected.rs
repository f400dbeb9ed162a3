//! The replies that are to come, in their order.

use std::sync::Arc;

use crate::backend::redis::client::in_flight::InFlight;
use crate::backend::redis::client::merge::Merged;
use crate::backend::redis::client::resp::Reply;
use crate::backend::redis::client::script::Script;

/// The requests whose replies are awaited, in the order in which the replies come.
pub(super) enum ExpectedReply {
    One(Arc<InFlight>),
    Many {
        request: Arc<InFlight>,
        missing: usize,
        replies: Vec<Reply>,
    },
    Merged(Merged),
}

impl ExpectedReply {
    pub(super) fn requests(&self) -> &[Arc<InFlight>] {
        match self {
            Self::One(request) | Self::Many { request, .. } => std::slice::from_ref(request),
            Self::Merged(merged) => merged.requests(),
        }
    }

    /// Says whether a server that lets writes wait lets these requests wait.
    pub(super) fn may_be_held(&self) -> bool {
        !self
            .requests()
            .iter()
            .all(|request| request.is_plain_read())
    }

    /// Says whether the replies are handed on as they come.
    pub(super) fn is_raw(&self) -> bool {
        match self {
            Self::One(request) | Self::Many { request, .. } => request.is_raw(),
            Self::Merged(_) => false,
        }
    }

    pub(super) fn script(&self) -> Option<&'static Script> {
        match self {
            Self::One(request) => request.script(),
            Self::Many { .. } => None,
            Self::Merged(merged) => merged.script(),
        }
    }
}
