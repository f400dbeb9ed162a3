//! Authorities and certificates of a test's own.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, date_time_ymd,
};

/// An authority that nobody else knows.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its private key, as texts in PEM.
#[derive(Clone)]
pub struct Certificate {
    /// The certificate.
    pub pem: String,
    /// Its private key.
    pub key: String,
}

impl Authority {
    /// Makes an authority with a name that no other authority has.
    ///
    /// # Panics
    ///
    /// If there is no randomness.
    pub fn new() -> Self {
        static AUTHORITIES: AtomicUsize = AtomicUsize::new(0);
        let number = AUTHORITIES.fetch_add(1, Ordering::Relaxed);
        Self::named(&format!("authority {number}"))
    }

    /// Makes an authority with this name.
    ///
    /// # Panics
    ///
    /// If there is no randomness.
    pub fn named(name: &str) -> Self {
        let mut params = params(&[]);
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, key());
        Self(issuer.expect("a certificate"))
    }

    /// Returns the certificate of the authority, in PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Makes a certificate for host names and IP addresses, or for a client, which needs no name.
    ///
    /// # Panics
    ///
    /// If a name isn't a valid one.
    pub fn certify(&self, names: &[&str]) -> Certificate {
        self.sign(params(names))
    }

    /// Makes a certificate for `localhost` and `127.0.0.1` that is valid from the first day of one
    /// year to that of another.
    pub fn certify_between(&self, years: [i32; 2]) -> Certificate {
        let mut params = params(&["localhost", "127.0.0.1"]);
        [params.not_before, params.not_after] = years.map(|year| date_time_ymd(year, 1, 1));
        self.sign(params)
    }

    /// Makes a certificate for `localhost` and `127.0.0.1` that is for clients alone.
    ///
    /// # Panics
    ///
    /// If there is no randomness.
    pub fn certify_client(&self) -> Certificate {
        let mut params = params(&["localhost", "127.0.0.1"]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Certificate {
        let key = key();
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Certificate {
            pem: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// Doesn't show the private key.
impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

/// Doesn't show the private key.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    CertificateParams::new(names).expect("names")
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}
