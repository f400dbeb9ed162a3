//! The client's address by forwarding headers, against a model that reads them character by
//! character.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderValue, Request};
use reinhardt_backends::throttle::{ClientAddress, Forwarding, Head, RequestKey};

/// Lines: the peer's address, the trusted networks, and a header each.
///
/// The first byte chooses the header.
pub fn check(data: &[u8]) {
    let Some((&which, text)) = data.split_first() else {
        return;
    };
    let mut lines = text.split(|byte| *byte == b'\n');
    let mut line = || lines.next().and_then(|line| str::from_utf8(line).ok());
    let (Some(peer), Some(networks)) = (line(), line()) else {
        return;
    };
    let Ok(peer) = peer.parse::<IpAddr>() else {
        return;
    };
    let (forwarding, name) = match which % 2 {
        0 => (Forwarding::XForwardedFor, "x-forwarded-for"),
        _ => (Forwarding::Forwarded, "forwarded"),
    };
    let networks: Vec<&str> = networks
        .split(' ')
        .filter(|text| !text.is_empty())
        .collect();
    let by = ClientAddress::peer().trusting(networks.iter().copied(), forwarding);
    let model: Option<Vec<Network>> = networks.iter().map(|text| Network::of(text)).collect();
    assert_eq!(by.is_ok(), model.is_some(), "{networks:?}");
    let (Ok(by), Some(trusted)) = (by, model) else {
        return;
    };
    let mut request = Request::new(());
    request.extensions_mut().insert(SocketAddr::new(peer, 443));
    let mut values = Vec::new();
    for value in lines {
        if let Ok(header) = HeaderValue::from_bytes(value) {
            request.headers_mut().append(name, header);
            values.push(value);
        }
    }
    let told = by.address(&Head::of(&request)).expect("the peer is known");
    let elements: Vec<Option<IpAddr>> = match forwarding {
        Forwarding::XForwardedFor => values.iter().flat_map(|line| x_forwarded(line)).collect(),
        _ => values.iter().flat_map(|line| forwarded(line)).collect(),
    };
    let expected = client(peer.to_canonical(), &elements, &trusted);
    assert_eq!(told, expected, "{elements:?}");
    assert!(told == peer.to_canonical() || elements.contains(&Some(told)));
    let key = by.key(&Head::of(&request)).expect("the peer is known");
    let key = key.expect("every address has a key");
    match told {
        IpAddr::V4(told) => assert_eq!(key, told.to_string()),
        IpAddr::V6(told) => {
            let [a, b, c, d, ..] = told.segments();
            let network = std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0);
            assert_eq!(key, format!("{network}/64"));
        }
    }
}

/// The last address of the list that no trusted proxy has, with everything behind it trusted.
fn client(peer: IpAddr, elements: &[Option<IpAddr>], trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.holds(address));
    let mut client = peer;
    let mut left = elements;
    while is_trusted(client) {
        match left.split_last() {
            Some((Some(before), rest)) => (client, left) = (*before, rest),
            Some((None, _)) | None => return client,
        }
    }
    client
}

/// A network, as its bits.
struct Network {
    is_v4: bool,
    bits: u128,
    length: u32,
}

impl Network {
    fn of(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            Some(length) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
                length.parse().ok()?
            }
            Some(_) => return None,
            None => most,
        };
        if length == 0 || length > most {
            return None;
        }
        let mapped = match address {
            IpAddr::V6(v6) if length >= 96 => v6.to_ipv4_mapped(),
            _ => None,
        };
        match mapped {
            // All addresses of IPv4.
            Some(_) if length == 96 => None,
            Some(v4) => Some(Self::new(v4.into(), length - 96)),
            None => Some(Self::new(address, length)),
        }
    }

    fn new(address: IpAddr, length: u32) -> Self {
        Self {
            is_v4: address.is_ipv4(),
            bits: bits(address),
            length,
        }
    }

    fn holds(&self, address: IpAddr) -> bool {
        self.is_v4 == address.is_ipv4()
            && (self.bits ^ bits(address)).leading_zeros() >= self.length
    }
}

/// The bits of an address, from the highest on.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The elements of a line of `X-Forwarded-For`; `None` for one that is no address.
fn x_forwarded(line: &[u8]) -> Vec<Option<IpAddr>> {
    let elements = line.split(|byte| *byte == b',');
    let elements = elements
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty());
    elements.map(address).collect()
}

/// The elements of a line of `Forwarded` (RFC 7239, section 4).
fn forwarded(line: &[u8]) -> Vec<Option<IpAddr>> {
    let mut elements = vec![vec![Vec::new()]];
    let mut rest = line.iter().copied();
    let mut is_quoted = false;
    while let Some(byte) = rest.next() {
        let element = elements.last_mut().expect("there is one from the start");
        let pair: &mut Vec<u8> = element.last_mut().expect("there is one from the start");
        match byte {
            b'\\' if is_quoted => {
                pair.push(byte);
                pair.extend(rest.next());
            }
            b'"' => {
                pair.push(byte);
                is_quoted = !is_quoted;
            }
            b',' if !is_quoted => elements.push(vec![Vec::new()]),
            b';' if !is_quoted => element.push(Vec::new()),
            _ => pair.push(byte),
        }
    }
    let is_there = |pairs: &Vec<Vec<u8>>| !pairs.join(&b';').trim_ascii().is_empty();
    elements
        .iter()
        .filter(|pairs| is_there(pairs))
        .map(|pairs| named(pairs))
        .collect()
}

/// The address that the only `for` of an element names.
fn named(pairs: &[Vec<u8>]) -> Option<IpAddr> {
    let mut found = Vec::new();
    for pair in pairs {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let (name, value) = (halves.next()?, halves.next());
        if let Some(value) = value
            && name.trim_ascii().eq_ignore_ascii_case(b"for")
        {
            found.push(value.trim_ascii());
        }
    }
    match found[..] {
        [[b'"', value @ .., b'"']] => address(value),
        [value] => address(value),
        _ => None,
    }
}

/// An address, with or without a port.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(text).ok()?.trim_matches([' ', '\t']);
    let port = |text: &str| text.parse::<u16>().is_ok() && !text.starts_with('+');
    let address = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']')? {
            (address, "") => address.parse().ok(),
            (address, behind) => {
                let address: std::net::Ipv6Addr = address.parse().ok()?;
                port(behind.strip_prefix(':')?).then_some(address.into())
            }
        },
        None => text.parse().ok().or_else(|| {
            let (address, behind) = text.split_once(':')?;
            let address: std::net::Ipv4Addr = address.parse().ok()?;
            port(behind).then_some(address.into())
        }),
    };
    address.map(|address: IpAddr| address.to_canonical())
}
