//! Derived keyspaces as their users see them.

mod backends;
mod computing;
mod conflicts;
mod constructors;
mod counters;
mod entries;
mod futures;
mod generics;
mod hygiene;
mod identity;
mod keys;
mod scanning;
mod updates;
mod values;

use std::net::{IpAddr, Ipv4Addr};

use reinhardt_backends::Keyspace;
use serde::{Deserialize, Serialize};

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
