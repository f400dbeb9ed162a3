//! Derived keyspaces as their users see them.

mod accessor_futures;
mod backends;
mod codecs;
mod constructors;
mod counters;
mod declared_words;
mod entries;
mod generics;
mod hygiene;
mod identity;
mod key_text;
mod many_entries;
mod prefix_conflicts;
mod read_back_or_refused;
mod scanning;
mod shared_values;
mod single_flight;
mod updates;
mod values;
mod versions;
mod versions_in_a_full_store;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use reinhardt_backends::{Expiry, Keyspace};
use reinhardt_backends_tests::on_every_backend;
use serde::{Deserialize, Serialize};

const MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct Session {
    #[keyspace(key)]
    id: String,
    roles: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "membership", ttl = never)]
struct Membership {
    #[keyspace(key)]
    org: u32,
    #[keyspace(key)]
    user: String,
    admin: bool,
}

#[derive(Keyspace)]
#[keyspace(prefix = "rate", ttl = "60s", counter)]
struct RateCounter<'a> {
    route: &'a str,
    client: IpAddr,
}

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "5m", value = String)]
struct Page<'a> {
    locale: &'a str,
    path: &'a str,
}

fn session(id: &str) -> Session {
    Session {
        id: id.to_string(),
        roles: vec!["admin".to_string()],
    }
}

fn member(org: u32, user: &str) -> Membership {
    Membership {
        org,
        user: user.to_string(),
        admin: false,
    }
}

fn login() -> RateCounter<'static> {
    RateCounter {
        route: "/login",
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
    }
}

fn home() -> Page<'static> {
    Page {
        locale: "en",
        path: "/",
    }
}

/// Says whether an expiry is the life that was given, up to the minutes that a very slow machine
/// may take.
fn about(expiry: Option<Expiry>, given: Duration) -> bool {
    matches!(expiry, Some(Expiry::In(left)) if left <= given && left + 4 * MINUTE > given)
}
