//! What all nodes of a client share: the logins, the limits, the count of merged calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::endpoint::Endpoint;
use super::location::ServerLocation;
use super::logins::Logins;
use super::settings::{ClientIdentity, ClientLimits};

/// The settings of a client and what all of its nodes share.
pub(super) struct ClientContext {
    pub(super) client_name: Option<String>,
    pub(super) logins: Logins,
    pub(super) limits: ClientLimits,
    /// The number of calls that went out as a part of a command for several callers.
    pub(super) merged: Arc<AtomicU64>,
}

impl ClientContext {
    /// Takes the login from the settings of `server`, unless a provider has it.
    pub(super) fn new(
        server: &Endpoint,
        location: &ServerLocation,
        identity: ClientIdentity,
        limits: ClientLimits,
    ) -> Self {
        let settings = server.info.redis_settings();
        Self {
            logins: Logins::new(settings, identity.provider, limits.connect, location),
            client_name: identity.name,
            limits,
            merged: Arc::default(),
        }
    }

    /// Makes the settings of a client beside this one. They share the logins.
    #[cfg(feature = "redis-commands")]
    pub(super) fn beside(&self) -> Self {
        Self {
            client_name: self.client_name.clone(),
            logins: self.logins.clone(),
            limits: self.limits,
            merged: Arc::default(),
        }
    }

    /// Returns the number of calls that went out as a part of a command for several callers.
    pub(super) fn merged(&self) -> u64 {
        self.merged.load(Ordering::Relaxed)
    }
}
