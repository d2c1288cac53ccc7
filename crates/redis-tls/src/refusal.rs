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
        Error::InvalidCertificate(reason) => of_certificate(reason, error),
        Error::AlertReceived(alert) => of_alert(*alert, error),
        _ => format!("TLS failed: {error}"),
    };
    TlsRefusal::new(text).into()
}

fn of_certificate(reason: &CertificateError, error: &Error) -> String {
    match reason {
        CertificateError::UnknownIssuer => {
            "the server's certificate is signed by nobody who is trusted: see `roots` of `Tls`"
                .to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("{error}: connect by a name that it has, or see `server_name` of `Tls`")
        }
        _ => format!("{error}: the server needs another one"),
    }
}

fn of_alert(alert: AlertDescription, error: &Error) -> String {
    match alert {
        AlertDescription::CertificateRequired
        | AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied => {
            format!(
                "the server wants a client with a certificate that it trusts, see `identity` of `Tls`: {error}"
            )
        }
        AlertDescription::HandshakeFailure => {
            format!("the server may want a client's certificate, see `identity` of `Tls`: {error}")
        }
        _ => format!("the server ended TLS: {error}"),
    }
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
