//! The requests that one command was written for, and the reply to it.

use std::sync::Arc;

use super::habits::ReadHabits;
use super::keyed::MergedScripts;
use super::reads::{Nils, Reads, take_count};
use super::taken::TakenReply;
use super::unanswered::Unanswered;
use crate::backend::redis::client::connection_end::ConnectionEnd;
use crate::backend::redis::client::in_flight::InFlight;
use crate::backend::redis::client::resp::Reply;
use crate::backend::redis::client::script::Script;

/// The requests that one command was written for, in the order of its keys.
pub(in crate::backend::redis::client) enum Merged {
    Gets(Reads),
    /// Reads that were nil: the reply counts how many of their keys are there.
    Nils(Nils),
    Keyed(MergedScripts),
}

impl Merged {
    pub(in crate::backend::redis::client) fn requests(&self) -> &[Arc<InFlight>] {
        match self {
            Self::Gets(reads) => reads.requests(),
            Self::Nils(nils) => &nils.0,
            Self::Keyed(scripts) => &scripts.requests,
        }
    }

    pub(in crate::backend::redis::client) fn script(&self) -> Option<&'static Script> {
        match self {
            Self::Keyed(scripts) => Some(scripts.script),
            Self::Gets(_) | Self::Nils(_) => None,
        }
    }

    /// Returns the length of the array that is taken element by element, if one is next.
    pub(in crate::backend::redis::client) fn array(&self) -> Option<usize> {
        match self {
            Self::Gets(reads) => reads.array(),
            Self::Nils(_) | Self::Keyed(_) => None,
        }
    }

    /// Notes that the elements of the array are next.
    pub(in crate::backend::redis::client) fn begin_array(&mut self) {
        if let Self::Gets(reads) = self {
            reads.begin_array();
        }
    }

    /// Takes what has come: a reply, or an element of one.
    pub(in crate::backend::redis::client) fn take(
        &mut self,
        reply: Reply,
        habits: &mut ReadHabits,
        unanswered: &mut Unanswered,
    ) -> Result<TakenReply, ConnectionEnd> {
        match self {
            Self::Gets(reads) => reads.take(reply, habits, unanswered),
            Self::Nils(nils) => {
                let requests = std::mem::take(&mut nils.0);
                let answered = take_count(requests, 0, reply, habits, unanswered);
                Ok(TakenReply::all(answered))
            }
            Self::Keyed(scripts) => scripts.take(reply).map(TakenReply::all),
        }
    }
}
