//! The tower layer throttles an axum service over real HTTP, and any other service.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Extension, Request};
use axum::http::{HeaderName, StatusCode};
use axum::response::Response;
use axum::routing::get;
use futures::future::{BoxFuture, join_all};
use reinhardt_backends::throttle::{
    ClientAddress, Decision, Forwarding, Head, HeaderKey, Quota, RequestKey, Throttle,
    ThrottleLayer, WhenDown, key_fn,
};
use reinhardt_backends::{Backend, BackendError, ErrorKind, MemoryBackend, RedisBackend};
use reinhardt_backends_tests::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer, Service, ServiceExt};

const MINUTE: Duration = Duration::from_secs(60);

/// An answer as it came over the wire.
struct Answer {
    status: u16,
    headers: HashMap<String, String>,
    body: String,
}

/// Asks for `/` over a connection of its own.
async fn ask(address: SocketAddr, headers: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        format!("GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let headers = lines.map(|line| line.split_once(": ").unwrap());
    Answer {
        status: status.parse().unwrap(),
        headers: headers
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect(),
        body: body.to_string(),
    }
}

/// Serves `router` on a free port until the test ends.
async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

fn by_peer() -> ClientAddress {
    ClientAddress::peer_from(|ConnectInfo(address): &ConnectInfo<SocketAddr>| address.ip())
}

/// A page that shows what is left.
fn page<K>(layer: ThrottleLayer<Arc<dyn Backend>, K>) -> Router
where
    K: RequestKey + Send + Sync + 'static,
{
    type Told<T> = Option<Extension<T>>;
    let page = async |decision: Told<Decision>, error: Told<Arc<BackendError>>| match decision {
        Some(Extension(decision)) => format!("{} left", decision.remaining),
        None if error.is_some() => "the limit is off".to_string(),
        None => "unlimited".to_string(),
    };
    Router::new().route("/", get(page)).layer(layer)
}

fn throttle(limit: u32) -> Throttle {
    Throttle::new("page", [Quota::fixed_window(limit, MINUTE)]).unwrap()
}

#[tokio::test]
async fn a_service_answers_429_over_http_on_both_backends() {
    let server = Server::start();
    let redis = RedisBackend::new(&server.url()).await.unwrap();
    let backends: [Arc<dyn Backend>; 2] = [Arc::new(MemoryBackend::new()), Arc::new(redis)];
    for backend in backends {
        let throttle = Throttle::new("page", [Quota::gcra(6, MINUTE).with_burst(2)]).unwrap();
        let layer = ThrottleLayer::new(backend, throttle, by_peer(), WhenDown::Refuse);
        let address = serve(page(layer)).await;
        for left in [1, 0] {
            let answer = ask(address, "").await;
            assert_eq!((answer.status, answer.body), (200, format!("{left} left")));
            assert_eq!(answer.headers["ratelimit-policy"], "\"page\";q=2;w=20");
            let limit = &answer.headers["ratelimit"];
            assert!(
                limit.starts_with(&format!("\"page\";r={left};t=")),
                "{limit}"
            );
        }
        let answer = ask(address, "").await;
        assert_eq!((answer.status, answer.body.as_str()), (429, ""));
        let wait: u64 = answer.headers["retry-after"].parse().unwrap();
        assert!((1..=10).contains(&wait), "{wait}");
        // No sooner than `RateLimit` says, as the draft asks.
        let limit = &answer.headers["ratelimit"];
        let more: u64 = limit
            .strip_prefix("\"page\";r=0;t=")
            .unwrap()
            .parse()
            .unwrap();
        assert!(more <= wait, "{limit}");
    }
}

#[tokio::test]
async fn many_clients_at_once_get_no_more_than_the_limit() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let layer = ThrottleLayer::new(backend, throttle(5), by_peer(), WhenDown::Refuse);
    let address = serve(page(layer)).await;
    let answers = join_all((0..100).map(|_| ask(address, ""))).await;
    let count = |status| {
        answers
            .iter()
            .filter(|answer| answer.status == status)
            .count()
    };
    assert_eq!((count(200), count(429)), (5, 95));
}

#[tokio::test]
async fn several_quotas_are_told_by_number() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let quotas = [
        Quota::gcra(3, Duration::from_secs(1)),
        Quota::sliding_window(2, 60 * MINUTE),
    ];
    let throttle = Throttle::new("api", quotas).unwrap();
    let layer = ThrottleLayer::new(backend, throttle, by_peer(), WhenDown::Refuse);
    let address = serve(page(layer)).await;
    let answer = ask(address, "").await;
    let policy = "\"api.0\";q=3;w=1, \"api.1\";q=2;w=3600";
    assert_eq!(answer.headers["ratelimit-policy"], policy);
    let limit = &answer.headers["ratelimit"];
    assert!(limit.starts_with("\"api.1\";r=1;t="), "{limit}");
}

#[tokio::test]
async fn a_header_or_a_closure_says_who_is_throttled() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let by = HeaderKey::new(HeaderName::from_static("x-api-key"));
    let layer = ThrottleLayer::new(backend.clone(), throttle(1), by, WhenDown::Refuse);
    let address = serve(page(layer)).await;
    for (headers, status) in [
        ("x-api-key: ann\r\n", 200),
        ("x-api-key: ann\r\n", 429),
        ("x-api-key: bob\r\n", 200),
        // All clients without a key share one throttle, and so do all clients with two keys.
        ("", 200),
        ("", 429),
        ("x-api-key: cleo\r\nx-api-key: ann\r\n", 429),
    ] {
        assert_eq!(ask(address, headers).await.status, status, "{headers}");
    }
    let by = |head: &Head<'_>| head.headers.get("x-user").map(|user| format!("{user:?}"));
    let throttle = Throttle::new("user", [Quota::fixed_window(1, MINUTE)]).unwrap();
    let layer = ThrottleLayer::new(backend, throttle, by, WhenDown::Refuse);
    let address = serve(page(layer)).await;
    for (headers, status) in [
        ("x-user: ann\r\n", 200),
        ("x-user: ann\r\n", 429),
        ("", 200),
        ("", 200),
    ] {
        assert_eq!(ask(address, headers).await.status, status, "{headers}");
    }
    let answer = ask(address, "").await;
    assert_eq!(answer.body, "unlimited");
    assert!(!answer.headers.contains_key("ratelimit"));
}

#[tokio::test]
async fn a_closure_asks_other_keys_and_hands_on_their_errors() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let layer = |address: ClientAddress| {
        let api_key = HeaderKey::new(HeaderName::from_static("x-api-key"));
        let by = key_fn(move |head| {
            if head.headers.contains_key("x-health") {
                return Ok(None);
            }
            match head.headers.contains_key("x-api-key") {
                true => api_key.key(head),
                false => address.key(head),
            }
        });
        ThrottleLayer::new(backend.clone(), throttle(1), by, WhenDown::Refuse)
    };
    let address = serve(page(layer(by_peer()))).await;
    for (headers, status) in [
        ("", 200),
        ("", 429),
        ("x-api-key: ann\r\n", 200),
        ("x-api-key: ann\r\n", 429),
        ("x-health: 1\r\n", 200),
        ("x-health: 1\r\n", 200),
    ] {
        assert_eq!(ask(address, headers).await.status, status, "{headers}");
    }
    // An axum server tells a `ConnectInfo`, and no `SocketAddr`.
    let address = serve(page(layer(ClientAddress::peer()))).await;
    assert_eq!(ask(address, "").await.status, 500);
    assert_eq!(ask(address, "x-health: 1\r\n").await.status, 200);
}

#[tokio::test]
async fn a_forwarded_address_counts_from_trusted_proxies_alone() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let trusting = by_peer()
        .trusting(["127.0.0.1"], Forwarding::XForwardedFor)
        .unwrap();
    let layer = ThrottleLayer::new(backend.clone(), throttle(1), trusting, WhenDown::Refuse);
    let behind_proxy = serve(page(layer)).await;
    let spoofed = |last| format!("x-forwarded-for: 6.6.6.{last}, 203.0.113.9\r\n");
    assert_eq!(ask(behind_proxy, &spoofed(1)).await.status, 200);
    assert_eq!(ask(behind_proxy, &spoofed(2)).await.status, 429);
    assert_eq!(
        ask(behind_proxy, "x-forwarded-for: 203.0.113.10\r\n")
            .await
            .status,
        200
    );
    backend.clear().await.unwrap();
    let layer = ThrottleLayer::new(backend, throttle(1), by_peer(), WhenDown::Refuse);
    let direct = serve(page(layer)).await;
    assert_eq!(ask(direct, &spoofed(1)).await.status, 200);
    assert_eq!(
        ask(direct, "x-forwarded-for: 203.0.113.10\r\n")
            .await
            .status,
        429
    );
}

#[tokio::test]
async fn what_happens_while_the_store_is_down_is_chosen() {
    let mut server = Server::start();
    let redis = RedisBackend::new(&server.url()).await.unwrap();
    let backend: Arc<dyn Backend> = Arc::new(redis);
    let layer = |when_down| ThrottleLayer::new(backend.clone(), throttle(1), by_peer(), when_down);
    let open = serve(page(layer(WhenDown::Allow))).await;
    let closed = serve(page(layer(WhenDown::Refuse))).await;
    server.kill();
    for _ in 0..3 {
        let answer = ask(open, "").await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "the limit is off")
        );
        let answer = ask(closed, "").await;
        assert_eq!(
            (answer.status, answer.headers["retry-after"].as_str()),
            (503, "1")
        );
    }
    server.restart();
    assert_eq!(ask(closed, "").await.status, 200);
    assert_eq!(ask(open, "").await.status, 429);
}

#[tokio::test]
async fn a_mistake_is_no_outage() {
    let memory = MemoryBackend::new();
    memory.set("page:ann", "no throttle", None).await.unwrap();
    let backend: Arc<dyn Backend> = Arc::new(memory);
    let by = |head: &Head<'_>| Some(head.headers["x-api-key"].to_str().unwrap().to_string());
    let layer = ThrottleLayer::new(backend, throttle(1), by, WhenDown::Allow);
    let service = layer.layer(Counting::default());
    let request = |key: &str| {
        Request::builder()
            .header("x-api-key", key)
            .body(())
            .unwrap()
    };
    let answer = service.clone().oneshot(request("ann")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let error = answer.extensions().get::<Arc<BackendError>>().unwrap();
    assert_eq!(error.kind(), ErrorKind::WrongType);
    let answer = service
        .clone()
        .oneshot(request(&"long".repeat(400)))
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
}

/// A service that is ready for one request each time that it was asked, and says so loudly when it
/// is called unready.
#[derive(Debug, Default)]
struct Counting {
    is_ready: bool,
    asked: Arc<AtomicUsize>,
    called: Arc<AtomicUsize>,
}

/// A clone isn't ready, even if the original is.
impl Clone for Counting {
    fn clone(&self) -> Self {
        Self {
            is_ready: false,
            asked: self.asked.clone(),
            called: self.called.clone(),
        }
    }
}

impl Service<Request<()>> for Counting {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.is_ready = true;
        self.asked.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        assert!(
            std::mem::take(&mut self.is_ready),
            "called before it was ready"
        );
        self.called.fetch_add(1, Ordering::SeqCst);
        let left = request
            .extensions()
            .get::<Decision>()
            .map(|decision| decision.remaining);
        Box::pin(async move { Ok(Response::new(format!("{left:?}"))) })
    }
}

#[tokio::test]
async fn the_service_that_was_ready_is_the_one_that_is_called() {
    let inner = Counting::default();
    let (asked, called) = (inner.asked.clone(), inner.called.clone());
    let by = |_: &Head<'_>| Some("all".to_string());
    let layer = ThrottleLayer::new(MemoryBackend::new(), throttle(2), by, WhenDown::Refuse);
    let mut service = layer.layer(inner);
    for status in [
        StatusCode::OK,
        StatusCode::OK,
        StatusCode::TOO_MANY_REQUESTS,
    ] {
        let answer = service
            .ready()
            .await
            .unwrap()
            .call(Request::new(()))
            .await
            .unwrap();
        assert_eq!(answer.status(), status);
        assert!(answer.extensions().get::<Decision>().is_some());
    }
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    assert_eq!(called.load(Ordering::SeqCst), 2);
    // Clones share the throttle.
    let answer = service.clone().oneshot(Request::new(())).await.unwrap();
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[test]
fn an_address_is_found_behind_trusted_proxies() {
    let key = |by: &ClientAddress, peer: &str, header: (&str, &str)| {
        let peer: SocketAddr = peer.parse().unwrap();
        let request = Request::builder()
            .header(header.0, header.1)
            .extension(peer);
        let key = by.key(&Head::of(&request.body(()).unwrap()));
        key.unwrap().unwrap()
    };
    let proxies = ["10.0.0.0/8", "2001:db8::/32"];
    let by = ClientAddress::peer()
        .trusting(proxies, Forwarding::XForwardedFor)
        .unwrap();
    let proxy = "10.0.0.1:1";
    for (peer, forwarded, client) in [
        (proxy, "203.0.113.9", "203.0.113.9"),
        (proxy, "203.0.113.9:4711", "203.0.113.9"),
        (proxy, "6.6.6.6, 203.0.113.9, 10.1.1.1", "203.0.113.9"),
        (proxy, "10.2.2.2, 10.1.1.1", "10.2.2.2"),
        (proxy, "203.0.113.9, unknown, 10.1.1.1", "10.1.1.1"),
        (proxy, "", "10.0.0.1"),
        (proxy, "203.0.113.9,", "203.0.113.9"),
        (proxy, "\u{e9}, 203.0.113.9", "203.0.113.9"),
        (proxy, "203.0.113.9, \u{e9}", "10.0.0.1"),
        (proxy, "::ffff:203.0.113.9", "203.0.113.9"),
        (proxy, "[2a00:1:2:3:4:5:6:7]:80", "2a00:1:2:3::/64"),
        (proxy, "2a00:1:2::1%1", "10.0.0.1"),
        (proxy, "[2a00:1:2::1%1]:80", "10.0.0.1"),
        ("[2001:db8::1]:1", "203.0.113.9", "203.0.113.9"),
        ("[::ffff:10.0.0.1]:1", "203.0.113.9", "203.0.113.9"),
        ("203.0.113.1:1", "10.0.0.1", "203.0.113.1"),
        ("[2a00:1:2:3:4:5:6:7]:1", "203.0.113.9", "2a00:1:2:3::/64"),
    ] {
        assert_eq!(
            key(&by, peer, ("x-forwarded-for", forwarded)),
            client,
            "{forwarded}"
        );
        assert_eq!(
            key(&by, proxy, ("forwarded", "for=203.0.113.9")),
            "10.0.0.1"
        );
    }
    let by = ClientAddress::peer()
        .trusting(proxies, Forwarding::Forwarded)
        .unwrap();
    for (forwarded, client) in [
        ("for=203.0.113.9;proto=http", "203.0.113.9"),
        ("For=\"[2a00:1:2:3::17]:4711\"", "2a00:1:2:3::/64"),
        (
            "for=6.6.6.6, proto=https; for = 203.0.113.9 ;by=10.0.0.2",
            "203.0.113.9",
        ),
        ("for=203.0.113.9, for=_hidden, for=10.1.1.1", "10.1.1.1"),
        ("by=10.0.0.2", "10.0.0.1"),
        // Text that a client puts into `Host` stands in quotes.
        (
            "for=203.0.113.9;host=\"x,for=6.6.6.6\";proto=https",
            "203.0.113.9",
        ),
        ("host=\"x;for=6.6.6.6\";for=203.0.113.9", "203.0.113.9"),
        ("for=203.0.113.9;host=\"x, y\"", "203.0.113.9"),
        ("for=203.0.113.9;host=\"\\\", for=6.6.6.6\"", "203.0.113.9"),
        ("for=\"203.0.113.9", "10.0.0.1"),
        ("for=203.0.113.9;for=6.6.6.6", "10.0.0.1"),
        ("nonsense", "10.0.0.1"),
    ] {
        assert_eq!(
            key(&by, proxy, ("forwarded", forwarded)),
            client,
            "{forwarded}"
        );
    }
    let mapped = ClientAddress::peer().trusting(["::ffff:10.0.0.0/104"], Forwarding::XForwardedFor);
    let mapped = mapped.unwrap();
    assert_eq!(
        key(&mapped, proxy, ("x-forwarded-for", "203.0.113.9")),
        "203.0.113.9"
    );
    let whole = ClientAddress::peer().with_ipv6_prefix(128);
    assert_eq!(key(&whole, "[2a00::1]:1", ("a", "b")), "2a00::1");
    let all = ClientAddress::peer().with_ipv6_prefix(0);
    assert_eq!(key(&all, "[2a00::1]:1", ("a", "b")), "::/0");
    let unknown = Request::builder().body(()).unwrap();
    let error = by.key(&Head::of(&unknown)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    // Octal to some programs, decimal to others.
    let unclear = ["010.0.0.0/8", "010.0.0.1", "::ffff:010.0.0.0/104"];
    let wrong = [
        "10.0.0.0/33",
        "10.0.0.0/+8",
        "10.0.0.0/",
        "0.0.0.0/0",
        "::/0",
        "localhost",
        "",
    ];
    for text in unclear.into_iter().chain(wrong) {
        let wrong = ClientAddress::peer().trusting([text], Forwarding::Forwarded);
        let error = wrong.expect_err(text);
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{text}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_tell_the_peer_is_a_mistake() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    // An axum server tells a `ConnectInfo`, and no `SocketAddr`.
    let by = ClientAddress::peer();
    let layer = ThrottleLayer::new(backend.clone(), throttle(1), by, WhenDown::Allow);
    let address = serve(page(layer)).await;
    assert_eq!(ask(address, "").await.status, 500);
    assert_eq!(backend.clear_prefix("").await.unwrap(), 0);
}

#[tokio::test]
async fn a_refusal_of_an_inner_layer_stays() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let all = |_: &Head<'_>| Some("all".to_string());
    let outer = Throttle::new("outer", [Quota::fixed_window(100, MINUTE)]).unwrap();
    let outer = ThrottleLayer::new(backend.clone(), outer, all, WhenDown::Refuse);
    let inner = ThrottleLayer::new(backend, throttle(1), all, WhenDown::Refuse);
    let service = outer.layer(inner.layer(Counting::default()));
    for allowed in [true, false] {
        let answer = service.clone().oneshot(Request::new(())).await.unwrap();
        let decision = answer.extensions().get::<Decision>().unwrap();
        assert_eq!(decision.allowed, allowed);
        assert_eq!(answer.headers().get_all("ratelimit").iter().count(), 2);
    }
}
