//! The settings of TLS.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, InconsistentKeys, RootCertStore};

use super::connector::Connector;
use crate::backend::redis::client::location::ServerLocation;
use crate::error::{BackendError, BackendResult, ErrorKind};

/// Sets up TLS to a server: the authorities that are trusted, the client's own certificate, and the
/// name that the server's certificate has to be for.
///
/// A URL that begins with `rediss://` or `valkeys://` is spoken to by TLS 1.3 or 1.2, by
/// [rustls](https://docs.rs/rustls/0.23). Unless [`RedisBackendBuilder::tls`] says something else,
/// the settings are [`Tls::system`]. The server's certificate is always verified, and there is no
/// way to switch that off.
///
/// The certificate has to be for the host of the URL: a name, or an IP address, among its subject
/// alternative names (`subjectAltName`). Its common name doesn't count. If the certificate is for
/// another host, set the expected name by [`server_name`](Self::server_name).
///
/// The cryptography is that of the process's default
/// [`CryptoProvider`](https://docs.rs/rustls/0.23/rustls/crypto/struct.CryptoProvider.html) at the
/// time when the settings are made, and *ring* if there is none.
///
/// A connection of TLS 1.2 is replaced after some 8 million writes, before its key is used up, and
/// no call is lost by the replacement. TLS 1.3 replaces the key.
///
/// # Errors
///
/// The connection is refused when it is made, by `build` or by the first call, within the limit of
/// time. The error names the server.
///
/// | cause | kind |
/// |---|---|
/// | the certificate is from an unknown authority, has expired, isn't valid yet, or is for another name | `Denied` |
/// | the server demands a client certificate, or refuses the one that is set | `Denied` |
/// | no version or cipher suite in common | `Unsupported` |
/// | something answers that isn't TLS | `InvalidConfig` |
/// | the server hangs up on the handshake, as a port without TLS may | `Unavailable` |
/// | it says nothing, as the port of a Redis server without TLS does | `Timeout` |
///
/// # Examples
///
/// ```no_run
/// use reinhardt_backends::{RedisBackend, Tls};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let authority = std::fs::read("authority.pem")?;
/// let certificate = std::fs::read("client.pem")?;
/// let key = std::fs::read("client-key.pem")?;
/// let backend = RedisBackend::builder()
///     .url("rediss://cache.example:6380")
///     .tls(Tls::ca_pem(&authority)?.client_certificate_pem(&certificate, &key)?)
///     .build()
///     .await?;
/// # Ok(()) }
/// ```
///
/// [`RedisBackendBuilder::tls`]: crate::RedisBackendBuilder::tls
#[derive(Clone)]
#[must_use]
pub struct Tls {
    origin: Origin,
    name: Option<ServerName<'static>>,
}

#[derive(Clone)]
enum Origin {
    Set(Authorities, Option<Arc<CertifiedKey>>, Built),
    Rustls(Arc<ClientConfig>),
    Provided(TlsProvider),
}

#[derive(Clone)]
enum Authorities {
    System,
    Given(Arc<RootCertStore>),
}

/// The settings as rustls takes them, made once for all clones. So the clones also share the data
/// that resumes sessions.
type Built = Arc<OnceLock<Arc<ClientConfig>>>;

type ProvidedTls = Result<Tls, Box<dyn Error + Send + Sync>>;
type TlsProvider = Arc<dyn Fn() -> BoxFuture<'static, ProvidedTls> + Send + Sync>;

impl Tls {
    /// Trusts the authorities that the system trusts, or those in the environment variables
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR` instead.
    ///
    /// The authorities are read when a backend is built, which takes some milliseconds, and kept
    /// for all of its connections. If there are none, building fails with `InvalidConfig`.
    pub fn system() -> Self {
        Self::set(Authorities::System, None)
    }

    /// Trusts the authorities whose certificates are in `pem`, and no others.
    ///
    /// # Errors
    ///
    /// `InvalidConfig` if there is no certificate in `pem`, or one that can't be read.
    pub fn ca_pem(pem: impl AsRef<[u8]>) -> BackendResult<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(pem.as_ref(), "ca_pem")? {
            let added = roots.add(certificate);
            added.map_err(|_| malformed("ca_pem"))?;
        }
        Ok(Self::set(Authorities::Given(Arc::new(roots)), None))
    }

    /// Asks a closure for the settings, before each attempt to connect: for certificates that are
    /// replaced while the program runs.
    ///
    /// Connections that are up stay as they are. The time that the closure takes counts as time of
    /// the attempt, and its future is dropped when the time of the attempt has passed. One attempt
    /// at a time is made in each runtime.
    ///
    /// If the closure fails or panics, the attempt fails (`Unavailable`), and the next attempt asks
    /// again. `build` tells of settings that can't be right (`InvalidConfig`). An error of this
    /// library, or of the operating system, is the `source()` of the error; other errors aren't
    /// kept, because they may hold a secret.
    ///
    /// To make settings anew takes a fraction of a millisecond, and some milliseconds for
    /// [`system`](Self::system). A closure that finds its files unchanged better returns a clone of
    /// the settings that it returned last. With these, sessions are resumed too.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use reinhardt_backends::{RedisBackend, Tls};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> reinhardt_backends::BackendResult<()> {
    /// let tls = Tls::from_provider(|| async {
    ///     // On a thread of its own: reading may block.
    ///     tokio::task::spawn_blocking(|| {
    ///         let [authority, certificate, key] =
    ///             ["authority.pem", "client.pem", "client-key.pem"].map(std::fs::read);
    ///         Ok(Tls::ca_pem(authority?)?.client_certificate_pem(certificate?, key?)?)
    ///     })
    ///     .await?
    /// });
    /// let builder = RedisBackend::builder().url("rediss://cache.example:6380");
    /// let backend = builder.tls(tls).build().await?;
    /// # Ok(()) }
    /// ```
    pub fn from_provider<P, F>(provider: P) -> Self
    where
        P: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<Tls, Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        let provider: TlsProvider = Arc::new(move || provider().boxed());
        Self {
            origin: Origin::Provided(provider),
            name: None,
        }
    }

    /// Takes the settings from a configuration of rustls 0.23, for settings that the other ways
    /// can't express.
    ///
    /// Nothing in the configuration is changed or checked: an own verifier of certificates,
    /// revocation lists and the like are the caller's business.
    pub fn from_rustls(config: Arc<ClientConfig>) -> Self {
        Self {
            origin: Origin::Rustls(config),
            name: None,
        }
    }

    /// Shows the server a certificate: the client's own first, and those between it and the
    /// authority after it. `key` is the private key of the first certificate, as PKCS#8, PKCS#1 or
    /// SEC1. Certificates and key may be in one file.
    ///
    /// # Errors
    ///
    /// `InvalidConfig` if there is no certificate, no key, an encrypted key, or a key that isn't
    /// the certificate's; and for settings of [`from_provider`](Self::from_provider) and
    /// [`from_rustls`](Self::from_rustls), which bring their own certificate.
    pub fn client_certificate_pem(
        self,
        certificate: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> BackendResult<Self> {
        let Origin::Set(authorities, ..) = self.origin else {
            return Err(invalid(
                "`Tls::client_certificate_pem` goes with `Tls::system` and `Tls::ca_pem`: other \
                 settings bring their own certificate",
            ));
        };
        let chain = certificates(certificate.as_ref(), "client_certificate_pem")?;
        let key = PrivateKeyDer::from_pem_slice(key.as_ref()).map_err(no_key)?;
        let identity = CertifiedKey::from_der(chain, key, &cryptography()).map_err(no_identity)?;
        Ok(Self {
            name: self.name,
            ..Self::set(authorities, Some(Arc::new(identity)))
        })
    }

    /// Sets the name, or the IP address, that the server's certificate is for, if that isn't the
    /// host of the URL.
    ///
    /// Settings that a [provider](Self::from_provider) returns keep a name of their own; settings
    /// without a name get the name that is set here.
    ///
    /// # Errors
    ///
    /// `InvalidConfig` if `name` is neither a host name nor an IP address.
    pub fn server_name(mut self, name: &str) -> BackendResult<Self> {
        let name = ServerName::try_from(name.to_string()).map_err(|_| {
            invalid("`Tls::server_name` is neither the name of a host nor an IP address")
        })?;
        self.name = Some(name);
        Ok(self)
    }

    /// Returns the settings of a server for which nothing was set.
    pub(in crate::backend::redis::client) fn unless_set() -> BackendResult<Self> {
        Ok(Self::system())
    }

    /// Refuses settings for a server that isn't spoken to by TLS.
    pub(in crate::backend::redis::client) fn unneeded(&self) -> BackendError {
        invalid("`tls` is set, and the server's address isn't one of TLS: write `rediss://`")
    }

    /// Checks the settings as far as possible before there is a connection to `host`.
    ///
    /// # Errors
    ///
    /// `InvalidConfig` with the setting.
    pub(in crate::backend::redis::client) fn check(&self, host: &str) -> BackendResult<()> {
        if let Origin::Provided(_) = self.origin {
            return Ok(());
        }
        self.connector_to(host).map(drop)
    }

    /// Returns all that the handshakes with `host` need, in one attempt to connect. With
    /// `is_judging` a provider's settings that can't be right are `InvalidConfig`.
    ///
    /// # Errors
    ///
    /// The errors of [`check`](Self::check), and `Unavailable` if a provider fails.
    pub(in crate::backend::redis::client) async fn connector(
        &self,
        host: &str,
        location: &ServerLocation,
        is_judging: bool,
    ) -> BackendResult<Connector> {
        let Origin::Provided(provider) = &self.origin else {
            return self.connector_to(host);
        };
        let provided = async {
            let provided = provider().await;
            provided.map_err(|error| not_provided(location, error, is_judging))
        };
        // The closure itself may panic, as well as its future and the drop of its error.
        let Ok(provided) = AssertUnwindSafe(provided).catch_unwind().await else {
            return Err(no_settings(location, "panicked"));
        };
        let provided = provided?;
        let name = provided.name.or_else(|| self.name.clone());
        let connector = Self { name, ..provided }.connector_to(host);
        connector.map_err(|error| of_provider(location, error, is_judging))
    }

    fn connector_to(&self, host: &str) -> BackendResult<Connector> {
        Ok(Connector::new(self.config()?, self.name_for(host)?))
    }

    fn set(authorities: Authorities, identity: Option<Arc<CertifiedKey>>) -> Self {
        Self {
            origin: Origin::Set(authorities, identity, Built::default()),
            name: None,
        }
    }

    fn config(&self) -> BackendResult<Arc<ClientConfig>> {
        match &self.origin {
            Origin::Set(authorities, identity, built) => match built.get() {
                Some(config) => Ok(config.clone()),
                None => {
                    let config = config(authorities.roots()?, identity.as_ref())?;
                    Ok(built.get_or_init(|| Arc::new(config)).clone())
                }
            },
            Origin::Rustls(config) => Ok(config.clone()),
            Origin::Provided(_) => Err(invalid(
                "the closure of `Tls::from_provider` returned settings of another provider",
            )),
        }
    }

    fn name_for(&self, host: &str) -> BackendResult<ServerName<'static>> {
        match &self.name {
            Some(name) => Ok(name.clone()),
            None => ServerName::try_from(host.to_string()).map_err(|_| {
                invalid(
                    "the server's host is no name that a certificate can be for: set one by \
                     `Tls::server_name`",
                )
            }),
        }
    }
}

/// Shows nothing of certificates and keys.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = match self.origin {
            Origin::Set(Authorities::System, ..) => "system",
            Origin::Set(Authorities::Given(_), ..) => "ca_pem",
            Origin::Rustls(_) => "from_rustls",
            Origin::Provided(_) => "from_provider",
        };
        f.debug_struct("Tls")
            .field("origin", &origin)
            .field("server_name", &self.name.as_ref().map(ServerName::to_str))
            .finish_non_exhaustive()
    }
}

impl Authorities {
    fn roots(&self) -> BackendResult<Arc<RootCertStore>> {
        if let Self::Given(roots) = self {
            return Ok(roots.clone());
        }
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        if !roots.is_empty() {
            return Ok(Arc::new(roots));
        }
        let none = invalid(
            "`Tls::system` finds no root certificate, neither of the system nor by the environment \
             variables `SSL_CERT_FILE` and `SSL_CERT_DIR`",
        );
        Err(match found.errors.into_iter().next() {
            Some(error) => none.with_source(error),
            None => none,
        })
    }
}

/// Turns the error of a provider into ours. Only errors that hold no secret are kept as the source.
fn not_provided(
    location: &ServerLocation,
    error: Box<dyn Error + Send + Sync>,
    is_judging: bool,
) -> BackendError {
    match error.downcast::<BackendError>() {
        Ok(error) => of_provider(location, *error, is_judging),
        Err(error) => match error.downcast::<io::Error>() {
            // The error is the operating system's, which knows nothing of the program.
            Ok(error) if error.get_ref().is_none() => {
                no_settings(location, "failed").with_source(error)
            }
            _ => no_settings(location, "failed"),
        },
    }
}

/// Turns the fault of a provider's settings into the error of an attempt to connect.
fn of_provider(location: &ServerLocation, error: BackendError, is_judging: bool) -> BackendError {
    match is_judging && error.kind() == ErrorKind::InvalidConfig {
        true => error,
        false => no_settings(location, "failed").with_source(error),
    }
}

fn no_settings(location: &ServerLocation, outcome: &str) -> BackendError {
    let message = format!("no connection to {location}: the provider of `Tls` {outcome}");
    BackendError::new(ErrorKind::Unavailable, message)
}

fn config(
    roots: Arc<RootCertStore>,
    identity: Option<&Arc<CertifiedKey>>,
) -> BackendResult<ClientConfig> {
    let config = ClientConfig::builder_with_provider(cryptography());
    let config = config.with_safe_default_protocol_versions();
    let config = config.map_err(|error| {
        invalid("the process's default `CryptoProvider` knows no cipher suite of TLS 1.2 or 1.3")
            .with_source(error)
    })?;
    let config = config.with_root_certificates(roots);
    Ok(match identity {
        None => config.with_no_client_auth(),
        Some(identity) => {
            let identity = SingleCertAndKey::from(identity.clone());
            config.with_client_cert_resolver(Arc::new(identity))
        }
    })
}

fn cryptography() -> Arc<CryptoProvider> {
    let installed = CryptoProvider::get_default().cloned();
    installed.unwrap_or_else(|| Arc::new(ring::default_provider()))
}

/// Returns the certificates in a text, one at least.
fn certificates(text: &[u8], setting: &str) -> BackendResult<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|_| malformed(setting))?;
    if certificates.is_empty() {
        return Err(invalid(format!(
            "`Tls::{setting}` finds no certificate: it is a text in PEM, which begins with \
             `-----BEGIN CERTIFICATE-----`"
        )));
    }
    Ok(certificates)
}

fn malformed(setting: &str) -> BackendError {
    invalid(format!(
        "`Tls::{setting}` has a certificate that can't be read"
    ))
}

/// Returns the reason why a text holds no key, and shows nothing of the text.
fn no_key(error: pem::Error) -> BackendError {
    invalid(match error {
        pem::Error::NoItemsFound => {
            "`Tls::client_certificate_pem` finds no private key: it is a text in PEM, and isn't \
             encrypted"
        }
        _ => "`Tls::client_certificate_pem` has a private key that can't be read",
    })
}

fn no_identity(error: rustls::Error) -> BackendError {
    invalid(match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            "the private key of `Tls::client_certificate_pem` isn't that of its certificate"
        }
        rustls::Error::InvalidCertificate(_) => return malformed("client_certificate_pem"),
        _ => {
            "the private key of `Tls::client_certificate_pem` is of no kind that can be used, or \
             malformed"
        }
    })
}

fn invalid(message: impl Into<Cow<'static, str>>) -> BackendError {
    BackendError::new(ErrorKind::InvalidConfig, message)
}
