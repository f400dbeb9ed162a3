//! The users who may log in: three people, whose passwords stand in the source.
//!
//! A real service keeps a salted hash of each password (argon2, with the crate `argon2`, in
//! `spawn_blocking`, since it takes long on purpose) and also hashes for names that it doesn't
//! know, so that the time of an answer tells nobody who has an account.

use subtle::ConstantTimeEq;

/// Somebody who may log in.
#[derive(Debug)]
pub(crate) struct User {
    /// The id by which all other code knows the user. Unlike a name, it never changes and tells
    /// nothing.
    pub(crate) id: u64,
    pub(crate) name: &'static str,
    pub(crate) password: &'static str,
    /// True for those who may look into the store.
    pub(crate) is_operator: bool,
}

pub(crate) const USERS: [User; 3] = [
    User {
        id: 1,
        name: "ann",
        password: "apple pie",
        is_operator: true,
    },
    User {
        id: 2,
        name: "ben",
        password: "blue bird",
        is_operator: false,
    },
    User {
        id: 3,
        name: "cleo",
        password: "cold brew",
        is_operator: false,
    },
];

/// Says whether the user of this id may look into the store. The answer isn't kept in sessions: it
/// counts from the next request on if it changes.
pub(crate) fn is_operator(id: u64) -> bool {
    USERS.iter().any(|user| user.id == id && user.is_operator)
}

/// Returns the user of this name if the password is right.
pub(crate) fn check(name: &str, password: &str) -> Option<&'static User> {
    let user = USERS.iter().find(|user| user.name == name)?;
    let right = user.password.as_bytes().ct_eq(password.as_bytes());
    bool::from(right).then_some(user)
}
