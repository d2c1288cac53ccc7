//! rustls' errors in words: what was wrong, and which setting helps.

use std::io;

use redis_core::config::TlsRefusal;
use rustls::{AlertDescription, CertificateError, Error};

/// The same error; what rustls refuses, or the server, becomes a [`TlsRefusal`].
pub fn explain(error: io::Error) -> io::Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(refusal) => refused(refusal),
        None => error,
    }
}

/// What rustls refuses, or the server, as the error of a socket.
pub fn refused(error: &Error) -> io::Error {
    let text = match error {
        Error::InvalidMessage(_) => {
            format!("the server does not speak TLS there, or breaks it: {error}")
        }
        Error::InvalidCertificate(reason) => format!("{error}: {}", setting_for(reason)),
        Error::AlertReceived(alert) if is_about_client(*alert) => {
            format!(
                "{error}: the server takes no client without a certificate that it trusts, see `identity` of `Tls`"
            )
        }
        _ => format!("TLS failed: {error}"),
    };
    TlsRefusal::new(text).into()
}

/// What helps against a refused certificate.
fn setting_for(reason: &CertificateError) -> &'static str {
    match reason {
        CertificateError::UnknownIssuer => {
            "name the authority that signed it with `roots` of `Tls`"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "connect by a name that it has, or see `server_name` of `Tls`"
        }
        _ => "the server needs another one",
    }
}

/// Whether an alert says that the server wants to know who the client is.
fn is_about_client(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::HandshakeFailure
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_names_the_setting_that_helps() {
        for (error, says) in [
            (CertificateError::UnknownIssuer.into(), "`roots`"),
            (CertificateError::NotValidForName.into(), "`server_name`"),
            (Error::AlertReceived(AlertDescription::CertificateRequired), "`identity`"),
            (rustls::InvalidMessage::InvalidContentType.into(), "does not speak TLS"),
        ] {
            let explained = explain(io::Error::new(io::ErrorKind::InvalidData, error));
            assert!(TlsRefusal::is_in(&explained), "{explained}");
            assert!(explained.to_string().contains(says), "{explained}");
        }
    }

    #[test]
    fn other_errors_of_a_socket_stay_as_they_are() {
        let error = explain(io::ErrorKind::ConnectionReset.into());
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert!(!TlsRefusal::is_in(&error));
    }
}
