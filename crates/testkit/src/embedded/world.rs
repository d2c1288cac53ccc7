//! All that clients share, under one lock: a command sees nobody else's half done.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use resp_proto::{Protocol, ReplyEncoder};

use super::{outbox::Outbox, pubsub::PubSub, store::Store, transactions::Transaction};

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
}

/// A client as the others see it.
#[derive(Debug)]
struct Peer {
    about: About,
    outbox: Arc<Outbox>,
}

#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) store: Store,
    pub(super) pubsub: PubSub,
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
        outbox: Arc<Outbox>,
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
        self.peers.insert(about.id, Peer { about: about.clone(), outbox });
        Some(Session { about, transaction: Transaction::default(), closing: false })
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
        self.peers.values().for_each(|peer| peer.outbox.cut());
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
        peer.outbox.push(|out| write(ReplyEncoder::new(out, protocol)))
    }

    pub(super) fn clients(&self) -> impl Iterator<Item = &About> {
        self.peers.values().map(|peer| &peer.about)
    }
}
