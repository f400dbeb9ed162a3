//! Faults of TLS come before anything is sent. By TLS 1.3 a server refuses a client's certificate
//! only after the handshake, and still executes nothing.

use std::future::pending;
use std::sync::{Arc, LazyLock};

use reinhardt_backends::{Backend, RedisBackendBuilder, Tls};
use reinhardt_backends_tests::{Authority, Certificate, FakeServer, Server, patient};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::page::{Claim, Met, check, row};
use super::{BRIEF, lazy};

/// The authority that most servers here have their certificate from, and that certificate.
static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| Authority::named("authority"));
static CERTIFICATE: LazyLock<Certificate> =
    LazyLock::new(|| AUTHORITY.certify(&["localhost", "127.0.0.1"]));

fn server(settings: &[&str]) -> Server {
    Server::on_tls(&AUTHORITY, &CERTIFICATE, settings)
}

fn trusting() -> Tls {
    Tls::ca_pem(AUTHORITY.pem()).unwrap()
}

/// Checks that an attempt to build and a write fail as one of the claims says.
async fn meets(builder: RedisBackendBuilder, claims: &[Claim]) {
    let error = builder.clone().build().await.unwrap_err();
    check(claims, Met::of(&error));
    assert!(!Met::of(&error).says("PRIVATE KEY"), "{error:?}");
    let error = lazy(builder).set("hiddenkey", "topsecret", None).await;
    check(claims, Met::of(&error.unwrap_err()));
}

/// As [`meets`], of a real server, in which nothing is then.
async fn refuses(server: &Server, tls: Tls, claim: Claim) {
    meets(patient(&server.url()).tls(tls), &[claim]).await;
    assert!(server.command("DBSIZE").starts_with(":0"));
}

#[tokio::test]
async fn a_certificate_that_can_not_be_trusted() {
    for (certificate, claim) in [
        (
            Authority::new().certify(&["127.0.0.1"]),
            row!(
                "the certificate of .. is from no authority that is trusted here",
                Denied,
                NotSent
            ),
        ),
        (
            // As with an authority that was replaced by one of the same name.
            Authority::named("authority").certify(&["127.0.0.1"]),
            row!(
                "the certificate of .. is from another authority of the same name ..",
                Denied,
                NotSent
            ),
        ),
        (
            AUTHORITY.certify_between([2020, 2021]),
            row!("the certificate of .. has expired", Denied, NotSent),
        ),
        (
            AUTHORITY.certify_between([2090, 2091]),
            row!(
                "the certificate of .. isn't valid yet by the clock of this machine",
                Denied,
                NotSent
            ),
        ),
        (
            AUTHORITY.certify(&["cache.example", "10.0.0.1"]),
            row!(
                "the certificate of .. isn't for the name `..` ..",
                Denied,
                NotSent
            ),
        ),
        (
            AUTHORITY.certify(&[]),
            row!(
                "the certificate of .. isn't for the name `..` ..",
                Denied,
                NotSent
            ),
        ),
        (
            AUTHORITY.certify_client(),
            row!("the certificate of .. can't be trusted", Denied, NotSent),
        ),
    ] {
        let server = Server::on_tls(&AUTHORITY, &certificate, &[]);
        refuses(&server, trusting(), claim).await;
    }
}

#[tokio::test]
async fn a_client_certificate_that_is_missing_or_refused() {
    let stranger = Authority::new().certify(&[]);
    let expired = AUTHORITY.certify_between([2020, 2021]);
    let showing = |shown: &Certificate| {
        let shown = trusting().client_certificate_pem(&shown.pem, &shown.key);
        shown.unwrap()
    };
    let missing = row!(".. demands a client certificate (..)", Denied, NotSent);
    let in_tls_1_2 = row!(
        ".. refused the TLS handshake (..): it demands a client certificate, or knows none of the cipher suites",
        Denied,
        NotSent
    );
    let unwanted = row!(
        ".. refused the client certificate, or that there is none (..)",
        Denied,
        NotSent
    );
    for (version, missing) in [("TLSv1.2", in_tls_1_2), ("TLSv1.3", missing)] {
        let server = server(&["--tls-auth-clients", "yes", "--tls-protocols", version]);
        refuses(&server, trusting(), missing).await;
        refuses(&server, showing(&stranger), unwanted).await;
        refuses(&server, showing(&expired), unwanted).await;
    }
}

#[tokio::test]
async fn no_version_in_common() {
    let server = server(&["--tls-protocols", "TLSv1.2"]);
    let provider = rustls::crypto::ring::default_provider();
    let config = rustls::ClientConfig::builder_with_provider(provider.into());
    let config = config.with_protocol_versions(&[&rustls::version::TLS13]);
    let config = config
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty());
    let tls = Tls::from_rustls(Arc::new(config.with_no_client_auth()));
    let claim = row!(
        ".. knows no version or cipher suite of TLS that this side knows",
        Unsupported,
        NotSent
    );
    refuses(&server, tls, claim).await;
}

/// A Redis server without TLS waits for the rest of what looks like a command to it.
#[tokio::test]
async fn a_port_without_tls() {
    let plain = Server::on_tcp();
    let url = plain.url().replace("redis://", "rediss://");
    let builder = patient(&url).tls(trusting()).connect_timeout(BRIEF);
    let silent = row!(
        "no connection to .. within ..: it accepts and doesn't answer in TLS, ..",
        Timeout,
        NotSent
    );
    meets(builder, &[silent]).await;
    assert!(plain.command("DBSIZE").starts_with(":0"));
}

#[tokio::test]
async fn a_port_for_tls_in_a_url_without_it() {
    let server = server(&[]);
    let url = server.url().replace("rediss://", "redis://");
    for protocol in ["", "?protocol=2"] {
        let backend = lazy(patient(&format!("{url}{protocol}")));
        let error = backend
            .set("hiddenkey", "topsecret", None)
            .await
            .unwrap_err();
        row!(".. hung up on the greeting, ..", Unavailable, NotSent).check(&error);
        assert!(error.to_string().contains("rediss://"), "{error}");
    }
    assert!(server.command("DBSIZE").starts_with(":0"));
}

/// Any other server there answers in its own words, or hangs up.
#[tokio::test]
async fn what_does_not_speak_tls() {
    for (words, claim) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            row!(
                made up,
                ".. doesn't answer in TLS, as a port without TLS does (`redis://`)",
                InvalidConfig,
                NotSent
            ),
        ),
        (
            b"",
            row!(
                made up,
                ".. hung up on the TLS handshake, as a port without TLS may (`redis://`)",
                Unavailable,
                NotSent
            ),
        ),
        (
            b"\x15\x03\x03\x00\x02\x02\x70",
            row!(
                made up,
                ".. has no certificate for the name that was asked for (..)",
                Denied,
                NotSent
            ),
        ),
        (
            b"\x15\x03\x03\x00\x02\x02\x50",
            row!(made up, ".. ended the TLS connection (..)", Unavailable, NotSent),
        ),
        (
            b"\x17\x03\x03\x00\x01\x00",
            row!(made up, "the TLS connection to .. failed", Unavailable, NotSent),
        ),
    ] {
        let server = FakeServer::that_hangs_up_after(words);
        let url = server.url().replace("redis://", "rediss://");
        meets(patient(&url).tls(trusting()), &[claim]).await;
    }
}

/// Finds a fault in every certificate, in place of what verifies them.
#[derive(Debug)]
struct Distrust(Error);

impl ServerCertVerifier for Distrust {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Err(self.0.clone())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(self.0.clone())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(self.0.clone())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

#[tokio::test]
async fn what_a_verifier_of_a_program_may_find() {
    let server = server(&[]);
    for (fault, claim) in [
        (
            CertificateError::Revoked.into(),
            row!(made up, "the certificate of .. has been revoked", Denied, NotSent),
        ),
        (
            Error::NoCertificatesPresented,
            row!(made up, ".. has no certificate to show", Denied, NotSent),
        ),
    ] {
        let provider = rustls::crypto::ring::default_provider();
        let config = rustls::ClientConfig::builder_with_provider(provider.into());
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = config.dangerous();
        let config = config.with_custom_certificate_verifier(Arc::new(Distrust(fault)));
        let tls = Tls::from_rustls(Arc::new(config.with_no_client_auth()));
        refuses(&server, tls, claim).await;
    }
}

#[tokio::test]
async fn a_provider_of_settings_that_fails_panics_or_hangs() {
    type Failed = Box<dyn std::error::Error + Send + Sync>;

    let server = server(&[]);
    let fails = Tls::from_provider(|| async { Err(Failed::from("topsecret")) });
    let panics = Tls::from_provider(|| async { panic!("topsecret") });
    let failed = row!(
        "no connection to ..: the provider of `Tls` failed",
        Unavailable,
        NotSent
    );
    let panicked = row!(
        "no connection to ..: the provider of `Tls` panicked",
        Unavailable,
        NotSent
    );
    refuses(&server, fails, failed).await;
    refuses(&server, panics, panicked).await;
    let silent = row!(
        "no connection to .. within ..: the provider of `Tls` didn't answer",
        Timeout,
        NotSent
    );
    let hangs = patient(&server.url()).tls(Tls::from_provider(pending));
    meets(hangs.connect_timeout(BRIEF), &[silent]).await;
    assert!(server.command("DBSIZE").starts_with(":0"));
}
