//! Failures of TLS, in sentences.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

use crate::backend::redis::client::dial::{Place, failure, is_hang_up};
use crate::error::{BackendError, ErrorKind};

/// Turns a failed handshake into an error.
pub(super) fn of_handshake(place: &Place, error: io::Error) -> BackendError {
    if let Some(fault) = fault(place, &error) {
        return fault;
    }
    if !is_hang_up(error.kind()) {
        return failure(place, error);
    }
    let message =
        format!("{place} hung up on the TLS handshake, as a port without TLS may (`redis://`)");
    BackendError::new(ErrorKind::Unavailable, message).with_source(error)
}

/// Says what TLS has against the other side, if it is that what a socket failed of. In TLS 1.3 a
/// server refuses a client's certificate after the handshake.
pub(in crate::backend::redis::client) fn fault(
    place: &Place,
    error: &io::Error,
) -> Option<BackendError> {
    let cause = error.get_ref()?.downcast_ref::<Error>()?;
    let (kind, message) = match cause {
        Error::InvalidCertificate(fault) => (ErrorKind::Denied, of_certificate(place, fault)),
        Error::NoCertificatesPresented => (
            ErrorKind::Denied,
            format!("{place} has no certificate to show"),
        ),
        Error::AlertReceived(alert) => of_alert(place, *alert),
        Error::InvalidMessage(_) => (
            ErrorKind::InvalidConfig,
            format!("{place} doesn't answer in TLS, as a port without TLS does (`redis://`)"),
        ),
        Error::PeerIncompatible(_) => (ErrorKind::Unsupported, incompatible(place)),
        _ => (
            ErrorKind::Unavailable,
            format!("the TLS connection to {place} failed"),
        ),
    };
    Some(BackendError::new(kind, message).with_source(cause.clone()))
}

fn of_certificate(place: &Place, fault: &CertificateError) -> String {
    match fault {
        CertificateError::UnknownIssuer => {
            format!("the certificate of {place} is from no authority that is trusted here")
        }
        // By the name there is an authority, but its key is another one.
        CertificateError::BadSignature => format!(
            "the certificate of {place} is from another authority of the same name as one that is \
             trusted here, or isn't the server's own"
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("the certificate of {place} has expired")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("the certificate of {place} isn't valid yet by the clock of this machine")
        }
        CertificateError::NotValidForNameContext { expected, .. } => {
            let expected = expected.to_str();
            format!(
                "the certificate of {place} isn't for the name `{expected}` (a name counts as \
                 `subjectAltName` alone)"
            )
        }
        CertificateError::Revoked => format!("the certificate of {place} has been revoked"),
        _ => format!("the certificate of {place} can't be trusted"),
    }
}

/// Says why the server ended the connection.
fn of_alert(place: &Place, alert: AlertDescription) -> (ErrorKind, String) {
    use AlertDescription::*;

    match alert {
        CertificateRequired | NoCertificate => (
            ErrorKind::Denied,
            format!("{place} demands a client certificate ({alert:?})"),
        ),
        BadCertificate
        | UnsupportedCertificate
        | CertificateRevoked
        | CertificateExpired
        | CertificateUnknown
        | UnknownCA
        | AccessDenied
        | DecryptError => (
            ErrorKind::Denied,
            format!("{place} refused the client certificate, or that there is none ({alert:?})"),
        ),
        // In TLS 1.2 there is no other word for a missing certificate.
        HandshakeFailure => (
            ErrorKind::Denied,
            format!(
                "{place} refused the TLS handshake ({alert:?}): it demands a client certificate, \
                 or knows none of the cipher suites"
            ),
        ),
        UnrecognisedName => (
            ErrorKind::Denied,
            format!("{place} has no certificate for the name that was asked for ({alert:?})"),
        ),
        ProtocolVersion | InsufficientSecurity => (ErrorKind::Unsupported, incompatible(place)),
        _ => (
            ErrorKind::Unavailable,
            format!("{place} ended the TLS connection ({alert:?})"),
        ),
    }
}

fn incompatible(place: &Place) -> String {
    format!("{place} knows no version or cipher suite of TLS that this side knows")
}
