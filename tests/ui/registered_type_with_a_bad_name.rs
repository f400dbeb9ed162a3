use reinhardt_backends::{Keyspace, register_keyspace};
use serde::{Deserialize, Serialize};

trait Named {
    const NAME: &'static str;
}

#[derive(Serialize, Deserialize)]
struct User;

impl Named for User {
    const NAME: &'static str = "the user";
}

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = ["cached", T::NAME], ttl = "1m")]
struct Cached<T: Named> {
    #[keyspace(key)]
    id: u64,
    value: T,
}

register_keyspace!(Cached<User>);

fn main() {}
