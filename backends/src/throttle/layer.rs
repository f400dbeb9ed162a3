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
use super::{Algorithm, Decision, Throttle, WhenDown};
use crate::backend::Backend;
use crate::error::{BackendError, ErrorKind};

/// Throttles an HTTP service: axum's and every other one of tower.
///
/// * A request goes by the key that a [`RequestKey`] makes of its head, and takes one of the throttle's quotas, in one round
///   trip, before the service sees it. `None` for a key lets it pass.
/// * A refused request is answered with `429 Too Many Requests`, an empty body and `Retry-After` in seconds, rounded up.
/// * Every request that was decided is answered with `RateLimit-Policy`, which names the quotas (`"api";q=10;w=120`: ten at
///   once, all of which are back after 120 seconds), and `RateLimit` (`"api";r=4;t=72`: four are left, and all are back in 72
///   seconds), as draft 10 of the IETF's "RateLimit header fields for HTTP" has them. A throttle of several quotas numbers
///   them: `"api.0"`, `"api.1"`.
/// * The [`Decision`] is an extension of the request that the service sees, and of the response: a layer around this one can make
///   a page of a `429`.
/// * While the store can't be asked, [`WhenDown`] decides: requests pass, or are answered with `503 Service Unavailable`. A key over
///   the backend's limit is `431 Request Header Fields Too Large`, any other mistake `500 Internal Server Error`; both have the
///   [`BackendError`] as an extension (an `Arc` of it), for a log.
///
/// The layer asks the store when a request is called and not when the service is asked whether it is ready; it never holds
/// back a service that is ready, and calls none that isn't.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::throttle::{ClientAddress, Quota, Throttle, ThrottleLayer, WhenDown};
/// use reinhardt_backends::{Backend, MemoryBackend};
/// use std::{sync::Arc, time::Duration};
///
/// # fn main() -> reinhardt_backends::BackendResult<()> {
/// let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
/// let throttle = Throttle::new("api", [Quota::gcra(100, Duration::from_secs(60))])?;
/// let layer = ThrottleLayer::new(backend, throttle, ClientAddress::peer(), WhenDown::Allow);
/// // Router::new().route(..).layer(layer)
/// # let _ = layer;
/// # Ok(()) }
/// ```
pub struct ThrottleLayer<B, K> {
    shared: Arc<Shared<B, K>>,
}

struct Shared<B, K> {
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
            shared: Arc::new(Shared {
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
        // The one that was asked whether it is ready is the one to be called: a clone may not be.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        Box::pin(async move {
            let decision = match shared.decide(&request).await {
                Ok(decision) => decision,
                Err(refusal) => return Ok(refusal.into_response()),
            };
            let Some(decision) = decision else {
                return inner.call(request).await;
            };
            let mut response = if decision.allowed {
                request.extensions_mut().insert(decision);
                inner.call(request).await?
            } else {
                shared.refusal(&decision)
            };
            shared.tell(&decision, &mut response);
            Ok(response)
        })
    }
}

/// A request that is refused undecided.
struct Undecided {
    status: StatusCode,
    error: Arc<BackendError>,
}

impl Undecided {
    fn into_response<P: Default>(self) -> Response<P> {
        let mut response = Response::new(P::default());
        *response.status_mut() = self.status;
        response.extensions_mut().insert(self.error);
        response
    }
}

impl<B: Backend, K: RequestKey> Shared<B, K> {
    /// Decides about a request; `None` if it passes undecided.
    fn decide<Q>(
        &self,
        request: &Request<Q>,
    ) -> impl Future<Output = Result<Option<Decision>, Undecided>> + Send + use<'_, B, K, Q>
    where
        K: Sync,
    {
        // The future doesn't hold the request, whose body need not be `Sync`.
        let key = self.by.key(&Head::of(request));
        async move {
            let Some(key) = key else {
                return Ok(None);
            };
            let error = match self.throttle.check(&self.backend, key.as_str()).await {
                Ok(decision) => return Ok(Some(decision)),
                Err(error) => error,
            };
            let status = match error.kind() {
                _ if error.is_transient() && self.when_down == WhenDown::Allow => return Ok(None),
                _ if error.is_transient() => StatusCode::SERVICE_UNAVAILABLE,
                ErrorKind::InvalidKey => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            };
            let error = Arc::new(error);
            Err(Undecided { status, error })
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
        let reset = seconds(decision.reset_after);
        let limit = format!("\"{name}\";r={};t={reset}", decision.remaining);
        let headers = response.headers_mut();
        headers.append(RATE_LIMIT_POLICY, self.policy.clone());
        headers.append(RATE_LIMIT, header(&limit));
        response.extensions_mut().insert(*decision);
    }
}

const RATE_LIMIT_POLICY: &str = "ratelimit-policy";
const RATE_LIMIT: &str = "ratelimit";

fn policy(throttle: &Throttle) -> HeaderValue {
    let quotas = throttle.quotas().iter().enumerate();
    let quotas = quotas.map(|(index, quota)| {
        let name = name(throttle, index);
        let window = match quota.algorithm() {
            // Its capacity is its burst, which takes longer to come back than the limit.
            Algorithm::Gcra => quota.memory(),
            Algorithm::FixedWindow | Algorithm::SlidingWindow => quota.period(),
        };
        let (capacity, window) = (quota.capacity(), seconds(window));
        format!("\"{name}\";q={capacity};w={window}")
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
