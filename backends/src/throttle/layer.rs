//! Throttling of HTTP services.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderValue, Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use super::by::{Head, RequestKey};
use super::{Algorithm, Decision, Throttle, WhenDown, is_undecided};
use crate::backend::Backend;
use crate::error::{BackendError, ErrorKind};

/// Throttles an HTTP service: axum's and every other one of tower.
///
/// * A request goes by the key that a [`RequestKey`] makes of its head ([`key_fn`](super::key_fn)
///   takes a closure for one), and takes one of the throttle's quotas, in one round trip, before
///   the service sees it. `None` for a key lets it pass.
/// * A refused request is answered with `429 Too Many Requests`, an empty body and `Retry-After` in
///   seconds, rounded up.
/// * Every request that was decided is answered with `RateLimit-Policy`, which names the quotas
///   (`"api";q=10;w=120`: ten in 120 seconds, of which all may come at once), and `RateLimit`
///   (`"api";r=4;t=12`: four are left for the next 12 seconds), as draft 11 of the IETF's
///   "RateLimit header fields for HTTP" has them. A throttle of several quotas numbers them:
///   `"api.0"`, `"api.1"`; a quota whose period isn't whole seconds has no `w`.
/// * The [`Decision`] is an extension of the request that the service sees, and of the response,
///   where a refusal stays if layers are nested: a layer around this one can make a page of a
///   `429`.
/// * While the store can't decide, [`WhenDown`] does: requests pass, after as long as the store
///   takes to fail, or are answered with `503 Service Unavailable`. A key over the backend's limit
///   is `431 Request Header Fields Too Large`, any other mistake `500 Internal Server Error`. Each
///   time the [`BackendError`] is an extension of the response, and of a request that passes, as an
///   `Arc`: for a log, without which nobody sees that a limit is off.
///
/// The layer asks the store when the service is called with a request, and not when the service is
/// asked whether it is ready. The layer never holds back a service that is ready, and calls only
/// the one that said so.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::throttle::{ClientAddress, Quota, Throttle, ThrottleLayer, WhenDown};
/// use reinhardt_backends::{Backend, MemoryBackend};
/// use std::{net::SocketAddr, sync::Arc, time::Duration};
///
/// # struct ConnectInfo<T>(T); // axum's, word for word
/// # fn main() -> reinhardt_backends::BackendResult<()> {
/// let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
/// let throttle = Throttle::new("api", Quota::gcra(100, Duration::from_secs(60)))?;
/// // On axum, with `into_make_service_with_connect_info::<SocketAddr>()`.
/// let by = ClientAddress::peer_from(|info: &ConnectInfo<SocketAddr>| info.0.ip());
/// let layer = ThrottleLayer::new(backend, throttle, by, WhenDown::Allow);
/// // Router::new().route("/search", get(search)).layer(layer)
/// # let _ = layer;
/// # Ok(()) }
/// ```
#[doc(alias("rate limit", "governor"))]
pub struct ThrottleLayer<B, K> {
    shared: Arc<LayerShared<B, K>>,
}

struct LayerShared<B, K> {
    backend: B,
    throttle: Throttle,
    by: K,
    when_down: WhenDown,
    /// The value of `RateLimit-Policy`.
    policy: HeaderValue,
}

impl<B: Backend, K: RequestKey> ThrottleLayer<B, K> {
    /// Throttles by the key that `by` makes of a request.
    pub fn new(backend: B, throttle: Throttle, by: K, when_down: WhenDown) -> Self {
        let policy = policy(&throttle);
        Self {
            shared: Arc::new(LayerShared {
                backend,
                throttle,
                by,
                when_down,
                policy,
            }),
        }
    }
}

impl<B, K> Clone for ThrottleLayer<B, K> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<B, K> fmt::Debug for ThrottleLayer<B, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThrottleLayer")
            .field("throttle", &self.shared.throttle)
            .field("when_down", &self.shared.when_down)
            .finish_non_exhaustive()
    }
}

impl<B, K, S> Layer<S> for ThrottleLayer<B, K> {
    type Service = ThrottleService<B, K, S>;

    fn layer(&self, inner: S) -> Self::Service {
        ThrottleService {
            layer: self.clone(),
            inner,
        }
    }
}

/// A service whose requests are throttled; see [`ThrottleLayer`].
pub struct ThrottleService<B, K, S> {
    layer: ThrottleLayer<B, K>,
    inner: S,
}

impl<B, K, S: Clone> Clone for ThrottleService<B, K, S> {
    fn clone(&self) -> Self {
        Self {
            layer: self.layer.clone(),
            inner: self.inner.clone(),
        }
    }
}

impl<B, K, S: fmt::Debug> fmt::Debug for ThrottleService<B, K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThrottleService")
            .field("layer", &self.layer)
            .field("inner", &self.inner)
            .finish()
    }
}

impl<B, K, S, Q, P> Service<Request<Q>> for ThrottleService<B, K, S>
where
    B: Backend + 'static,
    K: RequestKey + Send + Sync + 'static,
    S: Service<Request<Q>, Response = Response<P>> + Clone + Send + 'static,
    S::Future: Send,
    Q: Send + 'static,
    P: Default,
{
    type Response = Response<P>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<P>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Q>) -> Self::Future {
        let shared = self.layer.shared.clone();
        // The service that was asked whether it is ready is the one to be called: a clone may not
        // be ready.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        Box::pin(async move {
            let decided = match shared.decide(&request).await {
                Ok(decided) => decided,
                Err(refusal) => return Ok(refusal.into_response()),
            };
            let mut response = match &decided {
                Verdict::Refused(decision) => shared.refusal(decision),
                Verdict::Passes(decision) => {
                    request.extensions_mut().insert(*decision);
                    inner.call(request).await?
                }
                Verdict::Undecided(error) => {
                    request.extensions_mut().insert(error.clone());
                    inner.call(request).await?
                }
                Verdict::Exempt => inner.call(request).await?,
            };
            match decided {
                Verdict::Refused(decision) | Verdict::Passes(decision) => {
                    shared.tell(&decision, &mut response);
                }
                Verdict::Undecided(error) => {
                    response.extensions_mut().insert(error);
                }
                Verdict::Exempt => {}
            }
            Ok(response)
        })
    }
}

/// The outcome of the check of a request.
enum Verdict {
    Passes(Decision),
    Refused(Decision),
    /// The request passes because the store couldn't decide.
    Undecided(Arc<BackendError>),
    /// The request passes because it isn't throttled.
    Exempt,
}

/// A request that is refused undecided.
struct Denial {
    status: StatusCode,
    error: Arc<BackendError>,
}

impl Denial {
    fn into_response<P: Default>(self) -> Response<P> {
        let mut response = Response::new(P::default());
        *response.status_mut() = self.status;
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, 1.into());
        }
        response.extensions_mut().insert(self.error);
        response
    }
}

impl<B: Backend, K: RequestKey> LayerShared<B, K> {
    /// Decides about a request.
    fn decide<Q>(
        &self,
        request: &Request<Q>,
    ) -> impl Future<Output = Result<Verdict, Denial>> + Send + use<'_, B, K, Q>
    where
        K: Sync,
    {
        // The future doesn't hold the request, whose body need not be `Sync`.
        let key = self.by.key(&Head::of(request));
        async move {
            let decided = match key {
                Ok(None) => return Ok(Verdict::Exempt),
                Ok(Some(key)) => self.throttle.check(&self.backend, key.as_str()).await,
                Err(error) => Err(error),
            };
            let passes = self.when_down.allows(&decided);
            let error = match decided {
                Ok(decision) if passes => return Ok(Verdict::Passes(decision)),
                Ok(decision) => return Ok(Verdict::Refused(decision)),
                Err(error) if passes => return Ok(Verdict::Undecided(Arc::new(error))),
                Err(error) => error,
            };
            let status = match error.kind() {
                ErrorKind::InvalidKey => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                _ if is_undecided(&error) || error.is_transient() => {
                    StatusCode::SERVICE_UNAVAILABLE
                }
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            };
            let error = Arc::new(error);
            Err(Denial { status, error })
        }
    }

    fn refusal<P: Default>(&self, decision: &Decision) -> Response<P> {
        let mut response = Response::new(P::default());
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        let wait = seconds(decision.retry_after.unwrap_or_default()).max(1);
        response.headers_mut().insert(RETRY_AFTER, wait.into());
        response
    }

    /// Tells of a decision in the response; another layer may have told of its own.
    fn tell<P>(&self, decision: &Decision, response: &mut Response<P>) {
        let name = name(&self.throttle, decision.quota);
        let more = seconds(decision.next_after);
        let limit = format!("\"{name}\";r={};t={more}", decision.remaining);
        let headers = response.headers_mut();
        headers.append(RATE_LIMIT_POLICY, self.policy.clone());
        headers.append(RATE_LIMIT, header(&limit));
        let extensions = response.extensions_mut();
        let told = extensions.get::<Decision>();
        if told.is_none_or(|inner| inner.allowed) {
            extensions.insert(*decision);
        }
    }
}

const RATE_LIMIT_POLICY: &str = "ratelimit-policy";
const RATE_LIMIT: &str = "ratelimit";

fn policy(throttle: &Throttle) -> HeaderValue {
    let quotas = throttle.quotas().iter().enumerate();
    let quotas = quotas.map(|(index, quota)| {
        let name = name(throttle, index);
        let window = match quota.algorithm() {
            // The quota's capacity is its burst, which takes longer to come back than the limit.
            Algorithm::Gcra => quota.memory(),
            Algorithm::FixedWindow | Algorithm::SlidingWindow => quota.period(),
        };
        let capacity = quota.capacity();
        // Rounded it would be another rate.
        match window.subsec_nanos() {
            0 => format!("\"{name}\";q={capacity};w={}", window.as_secs()),
            _ => format!("\"{name}\";q={capacity}"),
        }
    });
    header(&quotas.collect::<Vec<_>>().join(", "))
}

/// Names a quota by the throttle's prefix, which has no character that a header would need escaped.
fn name(throttle: &Throttle, quota: usize) -> String {
    match throttle.quotas().len() {
        1 => throttle.prefix.to_string(),
        _ => format!("{}.{quota}", throttle.prefix),
    }
}

fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("a prefix and numbers are visible ASCII")
}

fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
