//! Certificates and keys, from files or memory.

use std::borrow::Cow;
use std::fs;

use redis_core::Result;
use redis_core::config::Pem;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::connector::wrong;

/// All certificates that are there; one at least.
pub(crate) fn certificates(pem: &Pem, what: &str) -> Result<Vec<CertificateDer<'static>>> {
    let text = read(pem, what)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(wrong(format!("{what}: {} holds no certificate in PEM", shown(pem)))),
        Err(error) => Err(wrong(format!("{what}: {} is not PEM: {error}", shown(pem)))),
    }
}

/// The private key that is there.
pub(crate) fn key(pem: &Pem) -> Result<PrivateKeyDer<'static>> {
    let what = "the client's private key";
    let text = read(pem, what)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        PemError::NoItemsFound => wrong(format!(
            "{what}: {} holds no private key in PEM, or an encrypted one",
            shown(pem)
        )),
        // The error of a key may quote it.
        _ => wrong(format!("{what}: {} is not PEM", shown(pem))),
    })
}

fn read<'a>(pem: &'a Pem, what: &str) -> Result<Cow<'a, [u8]>> {
    match pem {
        Pem::Bytes(text) => Ok(Cow::Borrowed(text)),
        Pem::File(path) => fs::read(path).map(Cow::Owned).map_err(|error| {
            wrong(format!("{what}: reading {} failed: {error}", shown(pem))).with_source(error)
        }),
        _ => Err(wrong(format!("{what}: this kind of PEM is not known here"))),
    }
}

/// What to call it in an error.
pub(crate) fn shown(pem: &Pem) -> String {
    match pem {
        Pem::File(path) => format!("`{}`", path.display()),
        _ => "the text".to_owned(),
    }
}
