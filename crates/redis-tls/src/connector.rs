//! What every connection of a client needs to begin TLS.

use std::fmt;
use std::sync::Arc;

use redis_core::config::{Roots, Tls, TlsRefusal};
use redis_core::{Config, Endpoint, Error, ErrorKind, Result};
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};

use crate::anyone::Anyone;
use crate::pem;

/// A client's settings of TLS, ready for use. Cloning it is cheap, and clones resume each other's sessions.
#[derive(Clone)]
pub struct Connector {
    config: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Connector {
    /// Reads the certificates and the key that the settings name; none where they want no TLS.
    ///
    /// # Errors
    ///
    /// `Config` when a file can't be read or is not PEM, when a certificate and its key do not fit, when a server's
    /// name is none, and when the system trusts nobody although it is to say who is trusted.
    pub fn new(config: &Config) -> Result<Option<Self>> {
        let Some(tls) = &config.tls else { return Ok(None) };
        let name = match tls.server_name.clone().map(ServerName::try_from) {
            None => None,
            Some(Ok(name)) => Some(name),
            Some(Err(_)) => {
                return Err(wrong("`server_name` of TLS is neither a host name nor an IP address"));
            }
        };
        Ok(Some(Self { config: Arc::new(client_config(tls)?), name }))
    }

    /// The settings for rustls.
    pub fn client_config(&self) -> Arc<ClientConfig> {
        self.config.clone()
    }

    /// The name that the certificate of the server at this endpoint has to have.
    ///
    /// # Errors
    ///
    /// The refusal of what has no such name.
    pub fn server_name(&self, endpoint: &Endpoint) -> Result<ServerName<'static>, TlsRefusal> {
        let Endpoint::Tcp { host, .. } = endpoint else {
            return Err(TlsRefusal::new("a Unix socket has no TLS"));
        };
        if let Some(name) = &self.name {
            return Ok(name.clone());
        }
        ServerName::try_from(host.clone()).map_err(|_| {
            TlsRefusal::new("no certificate can have this host's name: see `server_name` of `Tls`")
        })
    }
}

fn client_config(tls: &Tls) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(format!("TLS can't be set up: {error}")))?;
    let builder = if tls.danger_accept_any_certificate {
        let verifier = Arc::new(Anyone::new(provider.clone()));
        builder.dangerous().with_custom_certificate_verifier(verifier)
    } else {
        builder.with_root_certificates(roots(&tls.roots)?)
    };
    let Some(identity) = &tls.identity else { return Ok(builder.with_no_client_auth()) };
    let certificates = pem::certificates(&identity.certificate, "the client's certificate")?;
    let key = pem::key(&identity.key)?;
    builder.with_client_auth_cert(certificates, key).map_err(|error| {
        wrong(format!("the client's certificate and its key can't be used: {error}"))
    })
}

fn roots(roots: &Roots) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    let (system, own) = match roots {
        Roots::System => (true, &[][..]),
        Roots::SystemAnd(own) => (true, &own[..]),
        Roots::Only(own) => (false, &own[..]),
        _ => return Err(wrong("these `roots` of TLS are not known here")),
    };
    if system {
        // Some of a system's many certificates may be unreadable, or too old to be understood.
        let found = rustls_native_certs::load_native_certs();
        let (usable, _) = store.add_parsable_certificates(found.certs);
        if usable == 0 && own.is_empty() {
            let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
            return Err(wrong(format!(
                "the system has no certificates to trust{why}: name some with `roots` of TLS"
            )));
        }
    }
    for pem in own {
        for certificate in pem::certificates(pem, "`roots` of TLS")? {
            store
                .add(certificate)
                .map_err(|error| wrong(format!("`roots` of TLS: {}: {error}", pem::shown(pem))))?;
        }
    }
    Ok(store)
}

pub(crate) fn wrong(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, what)
}
