//! The one error type of every layer above the protocol.
//!
//! Owns what a caller can ask of a failure: its kind, the server's code, and whether the command may
//! have run. Knows nothing of sockets or runtimes. Messages never hold a password or a value.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use resp_proto::ProtocolError;

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in broad terms.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The configuration or URL can't be used.
    Config,
    /// The command can't be sent as asked: it is empty, its list is empty, or it would change a shared connection.
    InvalidRequest,
    /// No connection could be opened.
    Connect,
    /// The server refused the credentials, or wants some.
    Auth,
    /// There can be no TLS with the server: its certificate or the client's was refused, or it does not speak TLS.
    Tls,
    /// An open connection failed while reading or writing.
    Io,
    /// The deadline passed.
    Timeout,
    /// The connection or the client was closed.
    Closed,
    /// A named limit is reached: requests in flight, unsent bytes, or connections.
    Limit,
    /// The peer sent bytes that are not the protocol, or replies that can't belong to the request.
    Protocol,
    /// The server answered with an error; see [`Error::code`].
    Server,
    /// The reply arrived whole, but is not of the type that was asked for.
    Decode,
    /// A watched key changed, or the connection that watched it was lost: nothing of the transaction was
    /// applied. A command that wrote at once, before it, may have run if the delivery says so.
    Watch,
}

/// How far a failed command got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// The server can't have run it.
    NotSent,
    /// It was written, at least in part, and no reply says what became of it.
    MaybeExecuted,
    /// The server replied.
    Replied,
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSent => "not sent",
            Self::MaybeExecuted => "maybe executed",
            Self::Replied => "replied",
        })
    }
}

/// Why a call failed: one pointer wide, cheap to clone.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    delivery: Delivery,
    /// For `Server` and `Auth` errors the server's text, code first; otherwise ours.
    message: String,
    /// What was being done, put before the message.
    context: Option<String>,
    /// The server's code is the first word of the message.
    has_code: bool,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of ours, about a command that was not sent.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            kind,
            delivery: Delivery::NotSent,
            message: message.into(),
            context: None,
            has_code: false,
            source: None,
        }))
    }

    /// The error reply of a server, its text as sent without the leading `-`.
    pub fn server(text: &[u8]) -> Self {
        let message = String::from_utf8_lossy(text).into_owned();
        let code = message.split(' ').next().unwrap_or_default();
        let kind = match code {
            "NOAUTH" | "WRONGPASS" => ErrorKind::Auth,
            _ => ErrorKind::Server,
        };
        let has_code =
            !code.is_empty() && code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        Self(Arc::new(Inner {
            kind,
            delivery: Delivery::Replied,
            message,
            context: None,
            has_code,
            source: None,
        }))
    }

    /// A reply that is not of the type asked for.
    pub fn decode(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Decode, message).with_delivery(Delivery::Replied)
    }

    /// The same error, saying how far the command got.
    #[must_use]
    pub fn with_delivery(mut self, delivery: Delivery) -> Self {
        if self.0.delivery != delivery {
            Arc::make_mut(&mut self.0).delivery = delivery;
        }
        self
    }

    /// The same error, with what was being done put before its message.
    #[must_use]
    pub fn with_context(mut self, context: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.0).context = Some(context.into());
        self
    }

    /// The same error, saying which field of a reply it is about.
    pub(crate) fn in_field(mut self, name: &str) -> Self {
        let inner = Arc::make_mut(&mut self.0);
        if inner.kind == ErrorKind::Decode {
            inner.message = format!("field `{name}`: {}", inner.message);
        }
        self
    }

    /// The same error, caused by `source`.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.0).source = Some(Arc::new(source));
        self
    }

    /// What went wrong, in broad terms.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The server's error code, such as `WRONGTYPE`: the first word of its text, where that is in capitals.
    pub fn code(&self) -> Option<&str> {
        self.0.has_code.then(|| self.0.message.split(' ').next().unwrap_or_default())
    }

    /// The server's text as it was sent, or ours, without what was being done.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// How far the command got.
    pub fn delivery(&self) -> Delivery {
        self.0.delivery
    }

    /// The server or the client refused the other for who it is: another attempt would end alike.
    pub(crate) fn refuses_peer(&self) -> bool {
        matches!(self.kind(), ErrorKind::Auth | ErrorKind::Tls)
    }

    /// The deadline passed.
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::Timeout
    }

    /// A watched key changed or the watching connection was lost: the transaction was not applied, and can be
    /// tried anew.
    pub fn is_watch(&self) -> bool {
        self.kind() == ErrorKind::Watch
    }

    /// The connection is gone: opening it, reading from it or writing to it failed, or it was closed.
    pub fn is_disconnected(&self) -> bool {
        matches!(self.kind(), ErrorKind::Connect | ErrorKind::Io | ErrorKind::Closed)
    }

    /// The server replied with an error, authentication errors included.
    pub fn is_server(&self) -> bool {
        matches!(self.kind(), ErrorKind::Server | ErrorKind::Auth)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(context) = &self.0.context {
            write!(f, "{context}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("delivery", &self.0.delivery)
            .field("message", &format_args!("{self}"))
            .finish()
    }
}

/// Equal in everything but their sources.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        let shown = |error: &Self| (error.0.kind, error.0.delivery, error.0.has_code);
        shown(self) == shown(other)
            && self.0.message == other.0.message
            && self.0.context == other.0.context
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}

impl From<ProtocolError> for Error {
    fn from(error: ProtocolError) -> Self {
        Self::new(ErrorKind::Protocol, format!("the server broke the protocol: {error}"))
            .with_delivery(Delivery::MaybeExecuted)
            .with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_error_has_its_code_and_text() {
        let error = Error::server(b"WRONGTYPE Operation against a key");
        assert_eq!(error.code(), Some("WRONGTYPE"));
        assert_eq!(error.kind(), ErrorKind::Server);
        assert_eq!(error.delivery(), Delivery::Replied);
        assert_eq!(error.to_string(), "WRONGTYPE Operation against a key");
        let error = error.with_context("command 2");
        assert_eq!(error.to_string(), "command 2: WRONGTYPE Operation against a key");
        assert_eq!(error.message(), "WRONGTYPE Operation against a key");
    }

    #[test]
    fn server_error_without_a_capital_word_has_no_code() {
        assert_eq!(Error::server(b"unknown thing").code(), None);
        assert_eq!(Error::server(b"").code(), None);
    }

    #[test]
    fn error_is_one_pointer_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
    }
}
