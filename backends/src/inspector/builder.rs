//! The inspector and its settings.

use std::fmt;
use std::sync::Arc;

use http::request::Parts;

use super::authorized::Authorized;
use super::reads::Reads;
use crate::backend::Backend;

/// The question whether a request may come in.
pub(super) type Authorize = Arc<dyn Fn(&Parts) -> Authorized + Send + Sync>;

/// The inspector of a backend, to be made a router.
///
/// [`router`](super::router) is the short form. [The module](super) says what is shown to whom.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::inspector::Inspector;
/// use reinhardt_backends::MemoryBackend;
///
/// # fn is_operator(_: &http::request::Parts) -> bool { false }
/// let inspector = Inspector::new(MemoryBackend::new(), |request| is_operator(request))
///     .hosts(["ops.example.com"])
///     .deletes(|request| is_operator(request));
/// let app: axum::Router = axum::Router::new().nest("/inspector", inspector.router());
/// ```
#[must_use = "an inspector does nothing unless its router is served"]
pub struct Inspector {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) authorize: Authorize,
    pub(super) hosts: Vec<String>,
    /// The check of whoever deletes; `None` where nobody may.
    pub(super) deletes: Option<Authorize>,
    pub(super) reads: Option<Reads>,
}

impl Inspector {
    /// Makes the inspector of a backend. `authorize` is asked before every request, those for the
    /// style and the script too: it returns `bool`, or a boxed future of `bool` ([`Authorized`]).
    ///
    /// Whoever is authorized sees the keys and values of all keyspaces with the word `inspect`.
    pub fn new<B, F, R>(backend: B, authorize: F) -> Self
    where
        B: Backend + 'static,
        F: Fn(&Parts) -> R + Send + Sync + 'static,
        R: Into<Authorized>,
    {
        Self {
            backend: Arc::new(backend),
            authorize: Arc::new(move |request| authorize(request).into()),
            hosts: Vec::new(),
            deletes: None,
            reads: None,
        }
    }

    /// Answers under these host names too, at any port: `ops.example.com`. Without this only
    /// `localhost`, `127.0.0.1` and `[::1]` are answered.
    ///
    /// A page of somebody else's can make a browser take its name for this machine's address (DNS
    /// rebinding). A name that is checked is no help to it. Behind a proxy that writes another
    /// `Host`, the proxy has to check the name.
    pub fn hosts<H: Into<String>>(mut self, hosts: impl IntoIterator<Item = H>) -> Self {
        self.hosts.extend(hosts.into_iter().map(Into::into));
        self
    }

    /// Lets people delete entries, if `authorize` says so of the request, too; nobody may unless
    /// this is called.
    ///
    /// A deletion is one of the keyspace: it takes older versions of the entry along. The layers of
    /// the backend see it.
    pub fn deletes<F, R>(mut self, authorize: F) -> Self
    where
        F: Fn(&Parts) -> R + Send + Sync + 'static,
        R: Into<Authorized>,
    {
        self.deletes = Some(Arc::new(move |request| authorize(request).into()));
        self
    }

    /// Shows the hit ratios that a layer has counted.
    pub fn reads(mut self, reads: &Reads) -> Self {
        self.reads = Some(reads.clone());
        self
    }
}

/// Shows the settings alone.
impl fmt::Debug for Inspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspector")
            .field("hosts", &self.hosts)
            .field("deletes", &self.deletes.is_some())
            .field("reads", &self.reads.is_some())
            .finish_non_exhaustive()
    }
}
