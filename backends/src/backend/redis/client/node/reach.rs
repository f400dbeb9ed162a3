//! The way of an attempt to the server: the login, the sentinels, the greeting.

use std::sync::Arc;
use std::time::Instant;

use super::NodeShared;
use crate::backend::redis::client::dial::{ConnectTerms, DialTarget, dial};
use crate::backend::redis::client::handshake::{Greeted, Identity, Introduction, ServerKind};
use crate::backend::redis::client::location::{Address, ServerLocation};
use crate::backend::redis::client::login::Login;
use crate::backend::redis::client::logins::Chosen;
use crate::backend::redis::client::outage::ConnectFailure;
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::time::deadline::Deadlines;

/// A server that has greeted, and the login that it took.
pub(super) struct Reached {
    pub(super) greeted: Greeted,
    pub(super) login: Option<Arc<Login>>,
    /// The address that the sentinels told.
    pub(super) told: Option<Address>,
    pub(super) location: Arc<ServerLocation>,
}

impl NodeShared {
    /// Connects to the server within the limit. The time that a provider of credentials takes is
    /// part of it.
    pub(super) async fn reach(
        &self,
        deadlines: &'static Deadlines,
        is_judging: bool,
    ) -> Result<Reached, ConnectFailure> {
        let limit = self.context.limits.connect;
        let by = Instant::now() + limit;
        loop {
            let chosen = self.context.logins.choose(deadlines, by).await;
            let Chosen { login, is_fresh } = chosen.map_err(|error| ConnectFailure {
                error,
                lacks_login: true,
            })?;
            let left = match is_fresh {
                true => by.saturating_duration_since(Instant::now()),
                false => limit,
            };
            let identity = Identity {
                settings: self.server.info.redis_settings(),
                login: login.as_deref(),
                client_name: self.context.client_name.as_deref(),
                kind: match self.rest {
                    None => ServerKind::Primary,
                    Some(_) => ServerKind::Replica,
                },
            };
            let terms = ConnectTerms {
                limit: left,
                deadlines,
                is_judging,
            };
            match self.dial(identity, terms).await {
                Ok((greeted, told, location)) => {
                    self.check(&greeted.server).map_err(ConnectFailure::of)?;
                    return Ok(Reached {
                        greeted,
                        login,
                        told,
                        location,
                    });
                }
                // The password was replaced before its time: the provider may know the new one.
                Err(_)
                    if Instant::now() < by
                        && self
                            .context
                            .logins
                            .should_ask_again(login.as_ref(), is_fresh) => {}
                Err(error) => return Err(ConnectFailure::of(error)),
            }
        }
    }

    /// Connects to the server, and returns its place too.
    async fn dial(
        &self,
        identity: Identity<'_>,
        terms: ConnectTerms<'_>,
    ) -> BackendResult<(Greeted, Option<Address>, Arc<ServerLocation>)> {
        let Some(sentinels) = &self.sentinels else {
            let target = DialTarget {
                server: &self.server,
                identity,
                location: &self.location,
            };
            return Ok((dial(target, terms).await?, None, self.location.clone()));
        };
        let reached = sentinels.reach(identity, terms);
        let (greeted, address, location) = Box::pin(reached).await?;
        Ok((greeted, Some(address), Arc::new(location)))
    }

    /// Checks that a node of a cluster still is one.
    fn check(&self, server: &Introduction) -> BackendResult<()> {
        if self.doubt.get().is_none() || self.is_in_cluster(server) {
            return Ok(());
        }
        Err(BackendError::new(
            ErrorKind::Unavailable,
            format!("{} is no node of a cluster any more", self.location),
        ))
    }

    /// Says whether a server that has greeted is a node of a cluster. A user may have no right to
    /// hear what kind of server it is.
    pub(super) fn is_in_cluster(&self, server: &Introduction) -> bool {
        server.is_cluster() || server.mode.is_none() && self.doubt.get().is_some()
    }
}
