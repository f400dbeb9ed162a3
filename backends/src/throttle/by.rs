//! What of a request a throttle goes by.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use http::{Extensions, HeaderMap, HeaderName, Method, Request, Uri};
use ipnet::IpNet;

use crate::error::{BackendError, BackendResult, ErrorKind};

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
    /// What servers and other layers have put there.
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

/// Says under which key a request is throttled; a closure `Fn(&Head<'_>) -> Option<String>` is one.
pub trait RequestKey {
    /// Returns the key, or `None` for a request that isn't throttled.
    fn key(&self, head: &Head<'_>) -> Option<String>;
}

impl<F: Fn(&Head<'_>) -> Option<String>> RequestKey for F {
    fn key(&self, head: &Head<'_>) -> Option<String> {
        self(head)
    }
}

/// Goes by the value of a header, such as an API key that an earlier layer has checked.
///
/// All requests without the header, or with one that isn't text, share one key: leaving it out gets nobody around the limit.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::throttle::{Head, HeaderKey, RequestKey};
///
/// let request = http::Request::builder().header("x-api-key", "abc").body(()).unwrap();
/// let by = HeaderKey::new(http::HeaderName::from_static("x-api-key"));
/// assert_eq!(by.key(&Head::of(&request)).as_deref(), Some("abc"));
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
    fn key(&self, head: &Head<'_>) -> Option<String> {
        let value = head.headers.get(&self.0);
        let value = value.and_then(|value| value.to_str().ok());
        Some(value.unwrap_or_default().to_string())
    }
}

/// Goes by the client's address: the peer's, or what trusted proxies say of it.
///
/// * A server tells the peer's address by an extension of the request: here by a `SocketAddr`, and with
///   [`peer_from`](Self::peer_from) by any type, such as axum's `ConnectInfo<SocketAddr>`.
/// * A forwarding header is looked at only if the peer is in one of the networks that are [trusted](Self::trusting). It is read
///   from its end, past every address that is trusted too: the first other one is the client's. What stands before that is
///   what the client says itself, and means nothing.
/// * IPv6 clients go by the first 64 bits of their address ([others](Self::ipv6_prefix)), because each has as many addresses as it
///   likes in there. An IPv4 address that is mapped into IPv6 is that IPv4 address.
/// * Requests without a peer's address share one key.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::throttle::{ClientAddress, Forwarding, Head, RequestKey};
/// use std::net::SocketAddr;
///
/// # fn main() -> reinhardt_backends::BackendResult<()> {
/// let by = ClientAddress::peer().trusting(["10.0.0.0/8"], Forwarding::XForwardedFor)?;
///
/// let proxy = SocketAddr::from(([10, 0, 0, 1], 443));
/// let request = http::Request::builder().header("x-forwarded-for", "6.6.6.6, 203.0.113.9").extension(proxy);
/// assert_eq!(by.key(&Head::of(&request.body(()).unwrap())).as_deref(), Some("203.0.113.9"));
///
/// let stranger = SocketAddr::from(([198, 51, 100, 7], 443));
/// let request = http::Request::builder().header("x-forwarded-for", "203.0.113.9").extension(stranger);
/// assert_eq!(by.key(&Head::of(&request.body(()).unwrap())).as_deref(), Some("198.51.100.7"));
/// # Ok(()) }
/// ```
///
/// On axum, with `into_make_service_with_connect_info::<SocketAddr>()`:
///
/// ```ignore
/// ClientAddress::peer_from(|ConnectInfo(address): &ConnectInfo<SocketAddr>| address.ip())
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

/// Which header the trusted proxies write; they must remove or append to what a client sends in it.
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

    /// Believes what peers in these networks (`10.0.0.0/8`, `::1`) say in a forwarding header.
    ///
    /// # Errors
    ///
    /// `InvalidConfig` if one is neither an address nor a network.
    pub fn trusting<'n>(
        mut self,
        networks: impl IntoIterator<Item = &'n str>,
        forwarding: Forwarding,
    ) -> BackendResult<Self> {
        self.forwarding = forwarding;
        for text in networks {
            let address = || text.parse().ok().map(IpNet::from as fn(IpAddr) -> IpNet);
            let network = text.parse().ok().or_else(address).ok_or_else(|| {
                BackendError::new(
                    ErrorKind::InvalidConfig,
                    "a trusted proxy is an address or a network such as 10.0.0.0/8",
                )
            })?;
            self.trusted.push(network);
        }
        Ok(self)
    }

    /// Takes IPv6 addresses for one client's that have the first `bits` in common; more than 128 is 128.
    #[must_use]
    pub fn ipv6_prefix(mut self, bits: u8) -> Self {
        self.ipv6_prefix = bits.min(128);
        self
    }

    /// Returns the client's address.
    pub fn address(&self, head: &Head<'_>) -> Option<IpAddr> {
        let mut client = (self.peer)(head.extensions)?.to_canonical();
        if self.trusts(client) {
            for address in self.forwarded(head.headers) {
                let Some(address) = address else {
                    // Hidden, or no address: who handed it on is the last one that is known.
                    break;
                };
                client = address.to_canonical();
                if !self.trusts(client) {
                    break;
                }
            }
        }
        Some(client)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted
            .iter()
            .any(|network| network.contains(&address))
    }

    /// Returns the addresses of the header, from the last on; `None` for what isn't one.
    fn forwarded(&self, headers: &HeaderMap) -> Vec<Option<IpAddr>> {
        let name = match self.forwarding {
            Forwarding::XForwardedFor => HeaderName::from_static("x-forwarded-for"),
            Forwarding::Forwarded => http::header::FORWARDED,
        };
        let mut addresses = Vec::new();
        for value in headers.get_all(name) {
            let Ok(text) = value.to_str() else {
                addresses.push(None);
                continue;
            };
            let elements = text.split(',').map(|element| match self.forwarding {
                Forwarding::XForwardedFor => address(element),
                Forwarding::Forwarded => forwarded_for(element).and_then(address),
            });
            addresses.extend(elements);
        }
        addresses.reverse();
        addresses
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

/// Returns what `for=` says in one element of `Forwarded`, without its quotes.
///
/// A comma inside of quotes would split an element; neither an address nor an obfuscated name has one.
fn forwarded_for(element: &str) -> Option<&str> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    Some(value.trim().trim_matches('"'))
}

/// Reads `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` and `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse().ok();
    address.or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()))
}

impl RequestKey for ClientAddress {
    fn key(&self, head: &Head<'_>) -> Option<String> {
        let address = self.address(head);
        Some(
            address
                .map(|address| self.network(address))
                .unwrap_or_default(),
        )
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
