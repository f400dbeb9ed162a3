//! The last survey, for all who look at it: there is one at a time, however many ask.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use super::{FRESH, FRESH_FAILURE, Survey, survey};
use crate::backend::Backend;
use crate::error::BackendResult;

type Running = Shared<BoxFuture<'static, BackendResult<Arc<Survey>>>>;

/// The last survey of a backend.
pub(in crate::inspector) struct SurveyCache {
    backend: Arc<dyn Backend>,
    /// Held to take the survey or to put another one in its place, and never while it runs.
    last: Mutex<Option<(Instant, Running)>>,
}

impl SurveyCache {
    pub(in crate::inspector) fn new(backend: Arc<dyn Backend>) -> Self {
        Self {
            backend,
            last: Mutex::new(None),
        }
    }

    /// Returns the last survey, or a new one if that is old.
    ///
    /// # Errors
    ///
    /// The errors of the survey.
    ///
    /// # Cancel safety
    ///
    /// A survey that nobody waits for any more stands still, and is given up when it is old.
    pub(in crate::inspector) async fn get(&self) -> BackendResult<Arc<Survey>> {
        self.running().await
    }

    fn running(&self) -> Running {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((begun, running)) = &*last {
            let fresh = match running.peek() {
                Some(Err(_)) => FRESH_FAILURE,
                _ => FRESH,
            };
            if begun.elapsed() < fresh {
                return running.clone();
            }
        }
        let backend = self.backend.clone();
        let new = async move { survey(&*backend).await.map(Arc::new) };
        let new = new.boxed().shared();
        *last = Some((Instant::now(), new.clone()));
        new
    }
}

impl fmt::Debug for SurveyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SurveyCache").finish_non_exhaustive()
    }
}
