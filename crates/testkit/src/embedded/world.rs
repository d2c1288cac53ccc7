//! All that clients share, under one lock: a command sees nobody else's half done.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use resp_proto::{Protocol, ReplyEncoder};

use super::{
    blocking::Blocked, commands::scripts::Scripts, pubsub::PubSub, store::Store,
    transactions::Transaction,
};

/// The version of the servers whose replies these are.
pub(super) const VERSION: &str = "8.6.0";

/// What `CLIENT LIST` shows.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub(super) id: u64,
    pub(super) addr: String,
    pub(super) laddr: String,
    pub(super) name: Bytes,
    pub(super) lib_name: Bytes,
    pub(super) lib_version: Bytes,
    pub(super) database: usize,
    pub(super) protocol: Protocol,
}

/// A client as its own thread has it.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) about: About,
    pub(super) transaction: Transaction,
    /// It is closed once its replies are written.
    pub(super) closing: bool,
    /// It has given the password, or none is wanted.
    pub(super) authenticated: bool,
    /// Which transaction of the server's runs now, if one does.
    pub(super) executing: Option<u64>,
    /// It waits for an element of a list.
    pub(super) blocked: Option<Blocked>,
    /// The next command of this name is refused in these words.
    pub(super) refused: Option<(String, String)>,
}

/// Where a client's pushes go.
pub(super) trait Mailbox: std::fmt::Debug + Send + Sync {
    /// Adds bytes; false when the client is gone, or is cut off since it does not read.
    fn push(&self, bytes: &[u8]) -> bool;

    /// Ends the connection at once.
    fn cut(&self);
}

/// What a server is told before it starts, and what it may do that the embedded one does not.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) password: Option<Bytes>,
    /// It is from before `HELLO`.
    pub(super) without_hello: bool,
    /// It knows the commands that only the model has.
    pub(super) model: bool,
    /// It refuses whatever needs data.
    pub(super) loading: bool,
}

/// A command that took effect, or would have had there been something to change.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Whose it was, by the number the server gave the connection.
    pub client: u64,
    /// Its words.
    pub args: Vec<Bytes>,
    /// What it was answered with.
    pub reply: Bytes,
    /// The transaction it was part of, if any: all of a server's are numbered.
    pub transaction: Option<u64>,
    /// Whether the connection had given the password, or needed none.
    pub authenticated: bool,
    /// The connection's database.
    pub database: usize,
    /// The connection's name.
    pub name: Bytes,
    /// The connection's protocol.
    pub protocol: Protocol,
}

/// A client as the others see it.
#[derive(Debug)]
struct Peer {
    about: About,
    mailbox: Arc<dyn Mailbox>,
}

#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) store: Store,
    pub(super) scripts: Scripts,
    pub(super) pubsub: PubSub,
    pub(super) settings: Settings,
    /// What ran, for a server that is asked for it.
    pub(super) log: Option<Vec<Ran>>,
    /// Transactions that ran so far.
    pub(super) transactions: u64,
    /// Commands taken so far.
    pub(super) commands: u64,
    peers: BTreeMap<u64, Peer>,
    last: u64,
    /// Whose command runs, and the pushes that it causes for its own client: they follow its reply.
    running: u64,
    deferred: Vec<u8>,
    stopping: bool,
}

impl World {
    /// A client has connected; None when the server stops.
    pub(super) fn join(
        &mut self,
        mailbox: Arc<dyn Mailbox>,
        addr: String,
        laddr: String,
    ) -> Option<Session> {
        if self.stopping {
            return None;
        }
        self.last += 1;
        let about = About {
            id: self.last,
            addr,
            laddr,
            name: Bytes::new(),
            lib_name: Bytes::new(),
            lib_version: Bytes::new(),
            database: 0,
            protocol: Protocol::Resp2,
        };
        self.peers.insert(about.id, Peer { about: about.clone(), mailbox });
        Some(Session {
            about,
            transaction: Transaction::default(),
            closing: false,
            authenticated: self.settings.password.is_none(),
            executing: None,
            blocked: None,
            refused: None,
        })
    }

    /// The client says no more: nothing is sent to it, and what it watches is let go.
    pub(super) fn retire(&mut self, client: u64) {
        self.pubsub.forget(client);
        self.store.watches.unwatch(client);
    }

    /// The client's connection is closed.
    pub(super) fn leave(&mut self, client: u64) {
        self.retire(client);
        self.peers.remove(&client);
    }

    /// Cuts all clients off and lets no more join.
    pub(super) fn stop(&mut self) {
        self.stopping = true;
        self.peers.values().for_each(|peer| peer.mailbox.cut());
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// From here on, pushes to this client wait.
    pub(super) fn begin(&mut self, client: u64) {
        self.commands += 1;
        self.running = client;
    }

    /// The pushes that waited go behind the reply.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        self.running = 0;
        out.append(&mut self.deferred);
    }

    pub(super) fn learn(&mut self, about: &About) {
        if let Some(peer) = self.peers.get_mut(&about.id) {
            peer.about = about.clone();
        }
    }

    /// Writes a push to a client; false when that is gone or too far behind.
    pub(super) fn push(
        &mut self,
        client: u64,
        write: impl FnOnce(ReplyEncoder<'_, Vec<u8>>),
    ) -> bool {
        let Some(peer) = self.peers.get(&client) else {
            return false;
        };
        let protocol = peer.about.protocol;
        if client == self.running {
            write(ReplyEncoder::new(&mut self.deferred, protocol));
            return true;
        }
        let mut bytes = Vec::new();
        write(ReplyEncoder::new(&mut bytes, protocol));
        peer.mailbox.push(&bytes)
    }

    pub(super) fn clients(&self) -> impl Iterator<Item = &About> {
        self.peers.values().map(|peer| &peer.about)
    }
}
