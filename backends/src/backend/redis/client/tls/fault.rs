//! Failures of TLS, in sentences.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

use crate::backend::redis::client::location::ServerLocation;
use crate::backend::redis::client::socket_error::{failure, is_hang_up};
use crate::error::{BackendError, ErrorKind};

/// Turns a failed handshake into an error.
pub(super) fn of_handshake(location: &ServerLocation, error: io::Error) -> BackendError {
    if let Some(fault) = fault(location, &error) {
        return fault;
    }
    if !is_hang_up(error.kind()) {
        return failure(location, error);
    }
    let message =
        format!("{location} hung up on the TLS handshake, as a port without TLS may (`redis://`)");
    BackendError::new(ErrorKind::Unavailable, message).with_source(error)
}

/// Returns the fault that TLS found in the other side, if a socket failed because of it. In TLS 1.3
/// a server refuses a client's certificate after the handshake.
pub(in crate::backend::redis::client) fn fault(
    location: &ServerLocation,
    error: &io::Error,
) -> Option<BackendError> {
    let cause = error.get_ref()?.downcast_ref::<Error>()?;
    let (kind, message) = match cause {
        Error::InvalidCertificate(fault) => (ErrorKind::Denied, of_certificate(location, fault)),
        Error::NoCertificatesPresented => (
            ErrorKind::Denied,
            format!("{location} has no certificate to show"),
        ),
        Error::AlertReceived(alert) => of_alert(location, *alert),
        Error::InvalidMessage(_) => (
            ErrorKind::InvalidConfig,
            format!("{location} doesn't answer in TLS, as a port without TLS does (`redis://`)"),
        ),
        Error::PeerIncompatible(_) => (ErrorKind::Unsupported, incompatible(location)),
        _ => (
            ErrorKind::Unavailable,
            format!("the TLS connection to {location} failed"),
        ),
    };
    Some(BackendError::new(kind, message).with_source(cause.clone()))
}

fn of_certificate(location: &ServerLocation, fault: &CertificateError) -> String {
    match fault {
        CertificateError::UnknownIssuer => {
            format!("the certificate of {location} is from no authority that is trusted here")
        }
        // By the name there is an authority, but its key is another one.
        CertificateError::BadSignature => format!(
            "the certificate of {location} is from another authority of the same name as one that is \
             trusted here, or isn't the server's own"
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("the certificate of {location} has expired")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("the certificate of {location} isn't valid yet by the clock of this machine")
        }
        CertificateError::NotValidForNameContext { expected, .. } => {
            let expected = expected.to_str();
            format!(
                "the certificate of {location} isn't for the name `{expected}` (a name counts as \
                 `subjectAltName` alone)"
            )
        }
        CertificateError::Revoked => format!("the certificate of {location} has been revoked"),
        _ => format!("the certificate of {location} can't be trusted"),
    }
}

/// Returns the reason why the server ended the connection.
fn of_alert(location: &ServerLocation, alert: AlertDescription) -> (ErrorKind, String) {
    use AlertDescription::*;

    match alert {
        CertificateRequired | NoCertificate => (
            ErrorKind::Denied,
            format!("{location} demands a client certificate ({alert:?})"),
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
            format!("{location} refused the client certificate, or that there is none ({alert:?})"),
        ),
        // In TLS 1.2 there is no other word for a missing certificate.
        HandshakeFailure => (
            ErrorKind::Denied,
            format!(
                "{location} refused the TLS handshake ({alert:?}): it demands a client certificate, \
                 or knows none of the cipher suites"
            ),
        ),
        UnrecognisedName => (
            ErrorKind::Denied,
            format!("{location} has no certificate for the name that was asked for ({alert:?})"),
        ),
        ProtocolVersion | InsufficientSecurity => (ErrorKind::Unsupported, incompatible(location)),
        _ => (
            ErrorKind::Unavailable,
            format!("{location} ended the TLS connection ({alert:?})"),
        ),
    }
}

fn incompatible(location: &ServerLocation) -> String {
    format!("{location} knows no version or cipher suite of TLS that this side knows")
}
