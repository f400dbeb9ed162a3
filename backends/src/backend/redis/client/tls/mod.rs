//! TLS: its settings, the handshake, and the meaning of its failures.
//!
//! Without the feature `tls` there is no way to ask for TLS: the types have no values then.

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(feature = "tls")]
mod connector;
#[cfg(feature = "tls")]
mod fault;
#[cfg(feature = "tls")]
mod settings;

#[cfg(not(feature = "tls"))]
pub(crate) use self::absent::Tls;
#[cfg(not(feature = "tls"))]
pub(super) use self::absent::{Connector, fault};
#[cfg(feature = "tls")]
pub(super) use self::connector::Connector;
#[cfg(feature = "tls")]
pub(super) use self::fault::fault;
#[cfg(feature = "tls")]
pub use self::settings::Tls;
