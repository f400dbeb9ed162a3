//! A stream of keys while it is observed.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::labels::CallLabels;
use super::observed::{Listeners, ObservedCall};
use crate::backend::KeyStream;
use crate::error::BackendResult;
use crate::layer::Outcome;

/// A stream of keys that is told when it has ended, failed, or was dropped before. The scan begins
/// when the stream is polled first.
pub(super) struct ObservedScan<'a> {
    keys: KeyStream<'a>,
    progress: ScanProgress,
}

enum ScanProgress {
    Unpolled(Listeners, CallLabels),
    Begun(ObservedCall),
    Over,
}

impl<'a> ObservedScan<'a> {
    pub(super) fn new(keys: KeyStream<'a>, told: Listeners, labels: CallLabels) -> Self {
        Self {
            keys,
            progress: ScanProgress::Unpolled(told, labels),
        }
    }
}

impl Stream for ObservedScan<'_> {
    type Item = BackendResult<String>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let scan = &mut *self;
        if let ScanProgress::Unpolled(told, labels) = scan.progress {
            scan.progress = ScanProgress::Begun(ObservedCall::of(told, labels));
        }
        let ScanProgress::Begun(call) = &scan.progress else {
            return scan.keys.as_mut().poll_next(context);
        };
        let item = ready!(call.within(|| scan.keys.as_mut().poll_next(context)));
        let end = match &item {
            Some(Ok(_)) => return Poll::Ready(item),
            Some(Err(error)) => Err(error),
            None => Ok(Outcome::Done),
        };
        if let ScanProgress::Begun(call) = std::mem::replace(&mut scan.progress, ScanProgress::Over)
        {
            call.end(end);
        }
        Poll::Ready(item)
    }
}
