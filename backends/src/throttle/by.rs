//! The part of a request that a throttle goes by.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use http::{Extensions, HeaderMap, HeaderName, Method, Request, Uri};
use ipnet::{IpNet, Ipv4Net};

use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::fingerprint::Fingerprint;

/// The head of a request: all of it but the body.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Head<'a> {
    /// The method.
    pub method: &'a Method,
    /// The target.
    pub uri: &'a Uri,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The values that servers and other layers have added to the request.
    pub extensions: &'a Extensions,
}

impl<'a> Head<'a> {
    /// Looks at a request.
    pub fn of<B>(request: &'a Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }
}

/// Says under which key a request is throttled.
///
/// [`ClientAddress`] and [`HeaderKey`] are such keys. [`key_fn`] makes a key of a closure, which
/// may ask other keys. A closure that is passed without `key_fn` returns an `Option<String>` and
/// has to name the type of its parameter, which isn't inferred there:
///
/// ```
/// use reinhardt_backends::throttle::{Head, RequestKey};
///
/// fn by_host() -> impl RequestKey {
///     |head: &Head<'_>| head.uri.host().map(str::to_string)
/// }
/// # let request = http::Request::builder().uri("http://a.example/").body(()).unwrap();
/// # assert_eq!(by_host().key(&Head::of(&request)).unwrap().as_deref(), Some("a.example"));
/// ```
pub trait RequestKey {
    /// Returns the key, or `None` for a request that isn't throttled.
    ///
    /// # Errors
    ///
    /// The reason why the key can't be told, such as `InvalidConfig`; the request is answered with
    /// `500`.
    fn key(&self, head: &Head<'_>) -> BackendResult<Option<String>>;
}

impl<F: Fn(&Head<'_>) -> Option<String>> RequestKey for F {
    fn key(&self, head: &Head<'_>) -> BackendResult<Option<String>> {
        Ok(self(head))
    }
}

/// Goes by the result of a closure for the head of a request: a key, or `None` for a request that
/// isn't throttled.
///
/// The type of the closure's parameter is inferred. The closure can ask another [`RequestKey`] and
/// hand on its errors.
///
/// # Examples
///
/// A preflight of CORS and a health check pass. A request with an API key goes by that key, any
/// other by the address of its client. The key has to be checked before, by a layer around this
/// one: otherwise a client that makes keys up has a fresh limit under each.
///
/// ```
/// use http::{HeaderName, Method, Request};
/// use reinhardt_backends::throttle::{ClientAddress, Head, HeaderKey, RequestKey, key_fn};
/// use std::net::SocketAddr;
///
/// # fn main() -> reinhardt_backends::BackendResult<()> {
/// let api_key = HeaderKey::new(HeaderName::from_static("x-api-key"));
/// let address = ClientAddress::peer();
/// let by = key_fn(move |head| {
///     let is_preflight = *head.method == Method::OPTIONS
///         && head.headers.contains_key("access-control-request-method");
///     if is_preflight || head.uri.path() == "/health" {
///         return Ok(None);
///     }
///     match head.headers.contains_key("x-api-key") {
///         true => api_key.key(head),
///         false => address.key(head),
///     }
/// });
///
/// let peer = SocketAddr::from(([198, 51, 100, 7], 443));
/// let ask = |path: &str| Request::builder().uri(path).extension(peer);
/// let key = |request: http::request::Builder| by.key(&Head::of(&request.body(()).unwrap()));
/// assert_eq!(key(ask("/"))?.as_deref(), Some("198.51.100.7"));
/// assert_ne!(key(ask("/").header("x-api-key", "abc"))?, key(ask("/"))?);
/// assert_eq!(key(ask("/health"))?, None);
/// # Ok(()) }
/// ```
pub fn key_fn<F>(key: F) -> KeyFn<F>
where
    F: Fn(&Head<'_>) -> BackendResult<Option<String>>,
{
    KeyFn(key)
}

/// Goes by the result of a closure; see [`key_fn`].
#[derive(Clone, Copy)]
pub struct KeyFn<F>(F);

impl<F: Fn(&Head<'_>) -> BackendResult<Option<String>>> RequestKey for KeyFn<F> {
    fn key(&self, head: &Head<'_>) -> BackendResult<Option<String>> {
        (self.0)(head)
    }
}

impl<F> fmt::Debug for KeyFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFn").finish_non_exhaustive()
    }
}

/// Goes by the value of a header, such as an API key that an earlier layer has checked.
///
/// The key in the store is a hash of the value (SHA-256), so that a reader of the store's keys
/// learns no credential. All requests without the header, or with several of them, share one key:
/// leaving the header out gets nobody around the limit.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::throttle::{Head, HeaderKey, RequestKey};
///
/// # fn main() -> reinhardt_backends::BackendResult<()> {
/// let by = HeaderKey::new(http::HeaderName::from_static("x-api-key"));
/// let key = |value| {
///     let request = http::Request::builder().header("x-api-key", value).body(()).unwrap();
///     by.key(&Head::of(&request))
/// };
/// assert_eq!(key("abc")?, key("abc")?);
/// assert_ne!(key("abc")?, key("abd")?);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct HeaderKey(HeaderName);

impl HeaderKey {
    /// Goes by the header of this name.
    pub fn new(name: HeaderName) -> Self {
        Self(name)
    }
}

impl RequestKey for HeaderKey {
    fn key(&self, head: &Head<'_>) -> BackendResult<Option<String>> {
        let mut values = head.headers.get_all(&self.0).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Ok(Some(String::new()));
        };
        Ok(Some(Fingerprint::of(value.as_bytes()).to_string()))
    }
}

/// Goes by the client's address: the address of the peer, or the one that trusted proxies tell.
///
/// * A server tells the peer's address by an extension of the request:
///   [`peer_from`](Self::peer_from) names the extension, such as axum's `ConnectInfo<SocketAddr>`.
///   A request without this extension is a mistake in the set-up of the server: `InvalidConfig`.
/// * A forwarding header is looked at only if the peer is in one of the networks that are
///   [trusted](Self::trusting). The header is read from its end, past every address that is trusted
///   too: the first other address is the client's. The text before that address is what the client
///   says itself, and means nothing. An element that is no address ends the reading: the proxy that
///   handed it on is the client then.
/// * IPv6 clients go by the first 64 bits of their address ([others](Self::with_ipv6_prefix)),
///   because each has as many addresses as it likes in there. An IPv4 address that is mapped into
///   IPv6 is that IPv4 address.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::throttle::{ClientAddress, Forwarding, Head, RequestKey};
/// use std::net::SocketAddr;
///
/// # fn main() -> reinhardt_backends::BackendResult<()> {
/// let by = ClientAddress::peer().trusting(["10.0.0.0/8"], Forwarding::XForwardedFor)?;
/// let key = |peer: [u8; 4], forwarded| {
///     let request = http::Request::builder().header("x-forwarded-for", forwarded);
///     let request = request.extension(SocketAddr::from((peer, 443))).body(()).unwrap();
///     by.key(&Head::of(&request))
/// };
///
/// assert_eq!(key([10, 0, 0, 1], "6.6.6.6, 203.0.113.9")?.as_deref(), Some("203.0.113.9"));
/// assert_eq!(key([198, 51, 100, 7], "203.0.113.9")?.as_deref(), Some("198.51.100.7"));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ClientAddress {
    peer: Arc<Peer>,
    trusted: Vec<IpNet>,
    forwarding: Forwarding,
    ipv6_prefix: u8,
}

/// Finds the peer's address.
type Peer = dyn Fn(&Extensions) -> Option<IpAddr> + Send + Sync;

/// The header that the trusted proxies write. The proxies must remove what a client sends in this
/// header, or append to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Forwarding {
    /// `X-Forwarded-For: client, proxy`.
    XForwardedFor,
    /// `Forwarded: for=client, for=proxy`, as RFC 7239 has it.
    Forwarded,
}

impl ClientAddress {
    /// Goes by the address in the extension `SocketAddr` of a request.
    pub fn peer() -> Self {
        Self::peer_from(|address: &SocketAddr| address.ip())
    }

    /// Goes by the address in the extension `T` of a request.
    pub fn peer_from<T, F>(address: F) -> Self
    where
        T: Send + Sync + 'static,
        F: Fn(&T) -> IpAddr + Send + Sync + 'static,
    {
        Self {
            peer: Arc::new(move |extensions| extensions.get::<T>().map(&address)),
            trusted: Vec::new(),
            forwarding: Forwarding::XForwardedFor,
            ipv6_prefix: 64,
        }
    }

    /// Believes the forwarding header of peers in these networks (`10.0.0.0/8`, `::1`), and of no
    /// other peers.
    ///
    /// # Errors
    ///
    /// `InvalidConfig` if a network is neither an address nor a network, or holds all addresses:
    /// then the client's own words would count.
    pub fn trusting<'n>(
        mut self,
        networks: impl IntoIterator<Item = &'n str>,
        forwarding: Forwarding,
    ) -> BackendResult<Self> {
        self.forwarding = forwarding;
        self.trusted = networks
            .into_iter()
            .map(network)
            .collect::<BackendResult<_>>()?;
        Ok(self)
    }

    /// Takes IPv6 addresses that have the first `bits` in common for those of one client; more than
    /// 128 is 128.
    #[must_use]
    pub fn with_ipv6_prefix(mut self, bits: u8) -> Self {
        self.ipv6_prefix = bits.min(128);
        self
    }

    /// Returns the client's address; `None` if the server doesn't tell the peer's address.
    pub fn address(&self, head: &Head<'_>) -> Option<IpAddr> {
        let mut client = (self.peer)(head.extensions)?.to_canonical();
        let mut elements = self.forwarded(head.headers);
        while self.trusts(client) {
            let Some(element) = elements.next() else {
                break;
            };
            let address = match self.forwarding {
                Forwarding::XForwardedFor => address(element),
                Forwarding::Forwarded => forwarded_for(element),
            };
            let Some(address) = address else {
                break;
            };
            client = address.to_canonical();
        }
        Some(client)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted
            .iter()
            .any(|network| network.contains(&address))
    }

    /// Returns the elements of the header, from the last on; empty ones are none (RFC 9110, 5.6.1).
    fn forwarded<'h>(&self, headers: &'h HeaderMap) -> impl Iterator<Item = &'h [u8]> {
        let name = match self.forwarding {
            Forwarding::XForwardedFor => HeaderName::from_static("x-forwarded-for"),
            Forwarding::Forwarded => http::header::FORWARDED,
        };
        let quotes = self.forwarding == Forwarding::Forwarded;
        let lines: Vec<&[u8]> = headers
            .get_all(name)
            .iter()
            .map(|value| value.as_bytes())
            .collect();
        let elements = lines.into_iter().rev();
        let elements = elements.flat_map(move |line| split(line, b',', quotes).into_iter().rev());
        elements
            .map(<[u8]>::trim_ascii)
            .filter(|element| !element.is_empty())
    }

    fn network(&self, address: IpAddr) -> String {
        match address {
            IpAddr::V6(address) if self.ipv6_prefix < 128 => {
                let mask = !(u128::MAX.checked_shr(self.ipv6_prefix.into()).unwrap_or(0));
                let network = Ipv6Addr::from_bits(address.to_bits() & mask);
                format!("{network}/{}", self.ipv6_prefix)
            }
            address => address.to_string(),
        }
    }
}

/// Reads a network in the form of the addresses that are compared with it: IPv4 that is mapped into
/// IPv6 is IPv4.
fn network(text: &str) -> BackendResult<IpNet> {
    let network = match ip_network(text) {
        Some(IpNet::V6(mapped)) if mapped.prefix_len() >= 96 => {
            let address = mapped.addr().to_ipv4_mapped();
            let network = address.and_then(|v4| Ipv4Net::new(v4, mapped.prefix_len() - 96).ok());
            Some(network.map_or(IpNet::V6(mapped), IpNet::V4))
        }
        other => other,
    };
    network.filter(|network| network.prefix_len() > 0).ok_or_else(|| {
        BackendError::new(
            ErrorKind::InvalidConfig,
            "a trusted proxy is an address or a network such as 10.0.0.0/8, and not all there are",
        )
    })
}

/// Reads an address with or without the length of a prefix. `IpNet` alone would take `010.0.0.0/8`
/// for 10.0.0.0/8, where other programs take it for 8.0.0.0/8: what is trusted has one meaning.
fn ip_network(text: &str) -> Option<IpNet> {
    let Some((address, length)) = text.split_once('/') else {
        return text.parse().ok().map(|address: IpAddr| address.into());
    };
    let is_number = length.bytes().all(|byte| byte.is_ascii_digit());
    let length = is_number.then(|| length.parse().ok()).flatten()?;
    IpNet::new(address.parse().ok()?, length).ok()
}

/// Splits a line of a header; separators inside of quoted strings are part of these.
///
/// A client's own words stand in quotes in `Forwarded` (`host="a,for=6.6.6.6"`). A quote without an
/// end takes all that follows.
fn split(line: &[u8], separator: u8, quotes: bool) -> Vec<&[u8]> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let separates = |byte: &u8| {
        if std::mem::take(&mut is_escaped) {
            return false;
        }
        match byte {
            b'\\' if is_quoted => is_escaped = true,
            b'"' if quotes => is_quoted = !is_quoted,
            _ => return *byte == separator && !is_quoted,
        }
        false
    };
    line.split(separates).collect()
}

/// Returns the address that `for=` names in one element of `Forwarded`; `None` if it names none, or
/// two.
fn forwarded_for(element: &[u8]) -> Option<IpAddr> {
    let mut named = split(element, b';', true).into_iter().filter_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (pair[..at].trim_ascii(), pair[at + 1..].trim_ascii());
        name.eq_ignore_ascii_case(b"for").then_some(value)
    });
    let (Some(value), None) = (named.next(), named.next()) else {
        return None;
    };
    let quoted = value
        .strip_prefix(b"\"")
        .and_then(|value| value.strip_suffix(b"\""));
    address(quoted.unwrap_or(value))
}

/// Reads `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` and `[2001:db8::1]:80`. A zone
/// (`%1`) means something on one machine alone: no other one can name an address by it.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(text.trim_ascii()).ok()?;
    if text.contains('%') {
        return None;
    }
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse().ok();
    address.or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()))
}

impl RequestKey for ClientAddress {
    fn key(&self, head: &Head<'_>) -> BackendResult<Option<String>> {
        match self.address(head) {
            Some(address) => Ok(Some(self.network(address))),
            None => Err(BackendError::new(
                ErrorKind::InvalidConfig,
                "the server doesn't tell the peer's address as an extension of the request",
            )),
        }
    }
}

impl fmt::Debug for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAddress")
            .field("trusted", &self.trusted)
            .field("forwarding", &self.forwarding)
            .field("ipv6_prefix", &self.ipv6_prefix)
            .finish_non_exhaustive()
    }
}
