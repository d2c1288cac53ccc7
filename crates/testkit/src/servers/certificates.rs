//! Certificates for servers and clients, made by the `openssl` command.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{life::Ward, options::TlsFiles};

const EXTENSIONS: &str = "\
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[server]
basicConstraints = critical, CA:FALSE
subjectAltName = DNS:localhost, DNS:redis.example, IP:127.0.0.1
[client]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = clientAuth
";

/// An authority with a server's certificate, for `localhost`, `redis.example` and `127.0.0.1`, and a client's; and another
/// one that has signed neither. The files live as long as this value.
#[derive(Debug)]
pub struct Certificates {
    ward: Ward,
}

impl Certificates {
    /// Makes them all, valid for a day.
    ///
    /// # Errors
    /// When there is no `openssl` command, or it does not do it.
    pub fn new() -> io::Result<Self> {
        let made = Self { ward: Ward::new()? };
        fs::write(made.file("extensions"), EXTENSIONS)?;
        made.sign("authority", "authority", None)?;
        made.sign("stranger", "authority", None)?;
        made.sign("server", "server", Some("authority"))?;
        made.sign("client", "client", Some("authority"))?;
        Ok(made)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.ward.folder().join(name)
    }

    fn sign(&self, name: &str, extensions: &str, by: Option<&str>) -> io::Result<()> {
        let mut command = Command::new("openssl");
        command
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-nodes", "-days", "1", "-subj", &format!("/CN={name}")])
            .args(["-extensions", extensions, "-config"])
            .arg(self.file("extensions"))
            .arg("-keyout")
            .arg(self.file(&format!("{name}.key")))
            .arg("-out")
            .arg(self.file(&format!("{name}.pem")));
        if let Some(by) = by {
            command.arg("-CA").arg(self.file(&format!("{by}.pem")));
            command.arg("-CAkey").arg(self.file(&format!("{by}.key")));
        }
        let made = command.output()?;
        if made.status.success() {
            return Ok(());
        }
        let why = String::from_utf8_lossy(&made.stderr).into_owned();
        Err(io::Error::other(format!("`openssl` makes no certificate: {why}")))
    }

    /// The folder of the files.
    pub fn folder(&self) -> &Path {
        self.ward.folder()
    }

    /// The authority that signed the certificates of server and client.
    pub fn authority(&self) -> PathBuf {
        self.file("authority.pem")
    }

    /// An authority that signed neither.
    pub fn stranger(&self) -> PathBuf {
        self.file("stranger.pem")
    }

    /// A client's certificate.
    pub fn client(&self) -> PathBuf {
        self.file("client.pem")
    }

    /// The key to the client's certificate.
    pub fn client_key(&self) -> PathBuf {
        self.file("client.key")
    }

    /// What a server needs, which asks no client for a certificate.
    pub fn server(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.file("server.pem"),
            key: self.file("server.key"),
            authority: self.authority(),
            client_must_authenticate: false,
        }
    }
}
