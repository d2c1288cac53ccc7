//! What the drivers of a Redis and Valkey client share of TLS, by rustls.
//!
//! Owns how settings become those of rustls: it reads certificates and keys, once a client, names the server to be
//! verified, and puts rustls' errors into words. Opens no socket: the drivers move the bytes.

mod anyone;
mod connector;
mod pem;
mod refusal;

pub use rustls;

pub use crate::connector::Connector;
pub use crate::refusal::{explain, refused};
