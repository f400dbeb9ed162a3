//! The text of keys: it is built of fields, read back, and never that of other fields.

use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use reinhardt_backends::Keyspace;
use reinhardt_backends::keyspace::{Entry, KeySegment, Valued};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = never, counter)]
struct Page<'a> {
    locale: &'a str,
    path: &'a str,
}

/// An entry whose first field is the hash tag of a cluster.
#[derive(Debug, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "cart.2-x", ttl = never, version = 3)]
struct Cart {
    #[keyspace(key, tag)]
    tenant: String,
    #[keyspace(key)]
    id: String,
}

#[derive(Debug, Clone, Copy, PartialEq, KeySegment)]
struct UserId(u64);

#[derive(Debug, Clone, Copy, PartialEq, KeySegment)]
enum Region {
    #[keyspace(rename = "eu:%")]
    Europe,
    America,
}

#[derive(Keyspace)]
#[keyspace(prefix = "addresses", ttl = never, counter)]
struct Addresses {
    ip: IpAddr,
    at: SocketAddr,
    v6: SocketAddrV6,
    letter: char,
}

#[derive(Keyspace)]
#[keyspace(prefix = "numbers", ttl = never, counter)]
struct Numbers {
    user: UserId,
    region: Region,
    small: i8,
    large: i128,
    uuid: Uuid,
    flag: bool,
}

/// Two pairs of fields, or bytes for fields of other types, or the text of a key.
pub fn check(data: &[u8]) {
    let Some((&what, rest)) = data.split_first() else {
        return;
    };
    match what % 3 {
        0 => pairs(rest),
        1 => typed(rest),
        _ => text(rest),
    }
}

/// Fields are separated by a byte that no text has.
fn pairs(data: &[u8]) {
    let mut fields = data
        .split(|byte| *byte == 0xff)
        .map(String::from_utf8_lossy);
    let mut field = || fields.next().unwrap_or_default().into_owned();
    let (one, other) = ([field(), field()], [field(), field()]);
    let [key, other_key] = [&one, &other].map(|[locale, path]| Page { locale, path }.key());
    assert_eq!(key == other_key, one == other, "{one:?} {other:?}");
    assert_eq!(
        &*key,
        format!("page:{}:{}", escaped(&one[0]), escaped(&one[1]))
    );
    assert_eq!(Page::parse_key(&key), Some(one.clone().into()));

    let [cart, other_cart] = [&one, &other].map(|[tenant, id]| Cart {
        tenant: tenant.clone(),
        id: id.clone(),
    });
    let key = cart.entry_key();
    if cart.tenant.is_empty() {
        assert_eq!(&*key, "", "a cluster ignores an empty tag");
        return;
    }
    let expected = format!(
        "cart.2-x@3:{{{}}}:{}",
        escaped(&cart.tenant),
        escaped(&cart.id)
    );
    assert_eq!(&*key, expected);
    assert_eq!(Cart::parse_key(&key), Some(one.clone().into()));
    assert!(Cart::matches_key(&key, &cart));
    assert_eq!(Cart::matches_key(&key, &other_cart), cart == other_cart);
}

/// Escapes as the page on keys says, byte by byte.
fn escaped(text: &str) -> String {
    let is_special = |byte: u8| b"%:*?[]^\\{}".contains(&byte);
    let escape = |byte: u8| is_special(byte) || !byte.is_ascii_graphic();
    let part = |byte| match escape(byte) {
        true => format!("%{byte:02X}"),
        false => char::from(byte).to_string(),
    };
    text.bytes().map(part).collect()
}

fn typed(data: &[u8]) {
    let mut bytes = data.iter().copied().chain(std::iter::repeat(0));
    let key = addresses(&mut bytes).key();
    let (ip, at, v6, letter) = Addresses::parse_key(&key).expect("a key is read back");
    assert_eq!(key, Addresses { ip, at, v6, letter }.key());
    let mut bytes = data.iter().copied().chain(std::iter::repeat(0));
    let built = addresses(&mut bytes);
    let fields = (built.ip, built.at, built.v6, built.letter);
    assert_eq!((ip, at, v6, letter), fields, "{key}");

    let number = u128::from_le_bytes(take(&mut bytes));
    let user = UserId(number as u64);
    let region = match number % 2 {
        0 => Region::Europe,
        _ => Region::America,
    };
    let (small, large) = (number as i8, number as i128);
    let (uuid, flag) = (Uuid::from_bytes(take(&mut bytes)), number % 3 == 0);
    let key = Numbers {
        user,
        region,
        small,
        large,
        uuid,
        flag,
    }
    .key();
    let fields = (user, region, small, large, uuid, flag);
    assert_eq!(Numbers::parse_key(&key), Some(fields), "{key}");
}

fn addresses(bytes: &mut impl Iterator<Item = u8>) -> Addresses {
    let v4 = SocketAddrV4::new(Ipv4Addr::from(take(bytes)), u16::from_le_bytes(take(bytes)));
    let ip = Ipv6Addr::from(take(bytes));
    let port = u16::from_le_bytes(take(bytes));
    let flow = u32::from_le_bytes(take(bytes));
    let v6 = SocketAddrV6::new(ip, port, flow, u32::from_le_bytes(take(bytes)));
    let [which] = take(bytes);
    let letter = char::from_u32(u32::from_le_bytes(take(bytes)) % 0x11_0000);
    Addresses {
        ip: match which & 1 {
            0 => (*v4.ip()).into(),
            _ => ip.into(),
        },
        at: match which & 2 {
            0 => v4.into(),
            _ => v6.into(),
        },
        v6,
        letter: letter.unwrap_or(':'),
    }
}

fn take<const N: usize>(bytes: &mut impl Iterator<Item = u8>) -> [u8; N] {
    std::array::from_fn(|_| bytes.next().expect("there are always more"))
}

/// A text that is read is the one that the fields make.
fn text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for prefix in ["", "page:", "cart.2-x@3:", "addresses:", "numbers:"] {
        let text = format!("{prefix}{text}");
        same(&text, Page::parse_key(&text), |(locale, path)| {
            Page { locale, path }.key().to_string()
        });
        same(&text, Cart::parse_key(&text), |(tenant, id)| {
            let (tenant, id) = (tenant.clone(), id.clone());
            Cart { tenant, id }.entry_key().to_string()
        });
        same(
            &text,
            Addresses::parse_key(&text),
            |&(ip, at, v6, letter)| Addresses { ip, at, v6, letter }.key().to_string(),
        );
        same(&text, Numbers::parse_key(&text), |fields| {
            let &(user, region, small, large, uuid, flag) = fields;
            Numbers {
                user,
                region,
                small,
                large,
                uuid,
                flag,
            }
            .key()
            .to_string()
        });
    }
}

fn same<F: Debug>(text: &str, fields: Option<F>, build: impl FnOnce(&F) -> String) {
    if let Some(fields) = fields {
        assert_eq!(build(&fields), text, "{fields:?}");
    }
}
