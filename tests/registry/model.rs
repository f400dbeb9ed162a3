//! The keyspaces of the program.
#![allow(dead_code)]

use std::time::Duration;

use reinhardt_backends::{Keyspace, register_keyspace};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct SessionV1 {
    #[keyspace(key)]
    user: u64,
    #[keyspace(key)]
    id: String,
}

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m", version = 2, migrates = SessionV1, sliding, jitter = "5%")]
struct Session {
    #[keyspace(key, tag)]
    user: u64,
    #[keyspace(key)]
    id: String,
    roles: Vec<Role>,
    #[serde(default)]
    theme: Theme,
    note: Option<Box<Session>>,
}

#[derive(Serialize, Deserialize)]
enum Role {
    Guest,
    Staff { level: u8 },
}

#[derive(Default, Serialize, Deserialize)]
#[serde(untagged)]
enum Theme {
    #[default]
    Light,
    Named(String),
}

impl From<SessionV1> for Session {
    fn from(SessionV1 { user, id }: SessionV1) -> Self {
        Self {
            user,
            id,
            roles: Vec::new(),
            theme: Theme::Light,
            note: None,
        }
    }
}

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = never, value = Vec<Option<String>>, codec = Json)]
struct Page<'a> {
    path: &'a str,
}

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = "1m", counter)]
struct Hits {
    route: String,
}

pub(super) trait Named {
    const NAME: &'static str;
}

#[derive(Keyspace)]
#[keyspace(prefix = ["generic", T::NAME], ttl = WEEK, counter)]
struct Generic<T: Named> {
    route: T,
}

const WEEK: Duration = Duration::from_secs(7 * 86_400);

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = ["cached", T::NAME], ttl = "90d", version = 2)]
pub(super) struct Cached<T: Named> {
    #[keyspace(key)]
    id: u64,
    value: T,
}

#[derive(Serialize, Deserialize)]
pub(super) struct User {
    name: String,
}

#[derive(Serialize, Deserialize)]
struct Shop {
    size: u8,
}

impl Named for User {
    const NAME: &'static str = "user";
}

impl Named for Shop {
    const NAME: &'static str = "shop";
}

register_keyspace!(Cached<Shop>);
register_keyspace!(Cached<User>);

/// The registered data of the stores and throttles that the program makes.
pub(super) mod made {
    use reinhardt_backends::codec::Json;
    use reinhardt_backends::{register_sessions, register_throttle, register_tower_sessions};
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    pub(crate) struct Visit {
        pub(crate) basket: Vec<u64>,
    }

    pub(crate) const STAFF: &str = "staff";

    register_sessions!(STAFF, Visit, Json);
    register_tower_sessions!("web");
    register_throttle!("api");

    /// Another crate that doesn't know of the declarations above.
    mod again {
        use super::{Json, Visit, register_sessions, register_throttle, register_tower_sessions};
        use crate::model::{Cached, User};

        register_sessions!("staff", Visit, Json);
        register_tower_sessions!("web");
        register_throttle!("api");
        reinhardt_backends::register_keyspace!(Cached<User>);
    }
}

fn local() {
    #[derive(Keyspace)]
    #[keyspace(prefix = "local", ttl = "1m", counter)]
    struct Local;
}
