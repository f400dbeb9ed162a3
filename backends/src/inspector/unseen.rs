//! The inspector's own calls, which [`Reads`](super::Reads) doesn't count.

use std::future::Future;

tokio::task_local! {
    static UNSEEN: ();
}

/// Makes calls that aren't counted.
pub(super) fn unseen<F: Future>(calls: F) -> impl Future<Output = F::Output> {
    UNSEEN.scope((), calls)
}

/// Says whether the present call is one of the inspector's own.
pub(super) fn is_unseen() -> bool {
    UNSEEN.try_with(|()| ()).is_ok()
}
