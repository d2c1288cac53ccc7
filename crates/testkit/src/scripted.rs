//! A server in memory that answers by a script: enough of one to connect to, and a record of what it ran.

use std::collections::BTreeSet;

use bytes::Bytes;
use resp_proto::{Protocol, ReplyEncoder};

/// What a pair's machine talks to.
pub trait Server {
    /// A client has connected: whatever belonged to the connection before is gone.
    fn connected(&mut self);

    /// A whole request has arrived; its replies and pushes go to `out`.
    fn request(&mut self, args: &[Bytes], out: &mut Vec<u8>);
}

type Script = Box<dyn FnMut(&[Bytes], &mut ReplyEncoder<'_, Vec<u8>>) -> bool + Send>;

/// A server that knows the handshake, `PING`, `ECHO`, subscriptions, and what its script adds.
pub struct Scripted {
    /// Commands that were run, each with its arguments, oldest first.
    pub ran: Vec<Vec<Bytes>>,
    /// What the present connection is subscribed to, as `subscribe` and `psubscribe` name it.
    pub subscribed: BTreeSet<(&'static str, Bytes)>,
    /// How many times a client connected.
    pub connections: usize,
    password: Option<String>,
    hello: bool,
    protocol: Protocol,
    authenticated: bool,
    script: Script,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scripted").field("ran", &self.ran).finish_non_exhaustive()
    }
}

impl Default for Scripted {
    fn default() -> Self {
        Self {
            ran: Vec::new(),
            subscribed: BTreeSet::new(),
            connections: 0,
            password: None,
            hello: true,
            protocol: Protocol::Resp2,
            authenticated: true,
            script: Box::new(|_, _| false),
        }
    }
}

impl Scripted {
    /// A server that wants a password.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// A server from before `HELLO`.
    #[must_use]
    pub fn without_hello(mut self) -> Self {
        self.hello = false;
        self
    }

    /// A server that asks `script` first: true when it has answered.
    #[must_use]
    pub fn script(
        mut self,
        script: impl FnMut(&[Bytes], &mut ReplyEncoder<'_, Vec<u8>>) -> bool + Send + 'static,
    ) -> Self {
        self.script = Box::new(script);
        self
    }

    fn hello(&mut self, args: &[Bytes], out: &mut Vec<u8>) {
        if !self.hello {
            ReplyEncoder::new(out, self.protocol).simple_error(b"ERR unknown command 'HELLO'");
            return;
        }
        if let Some(at) = args.iter().position(|arg| &arg[..] == b"AUTH") {
            self.authenticate(args.get(at + 2));
        }
        if !self.authenticated {
            ReplyEncoder::new(out, self.protocol).simple_error(b"WRONGPASS invalid password");
            return;
        }
        self.protocol = Protocol::Resp3;
        let mut reply = ReplyEncoder::new(out, self.protocol);
        reply.map(2).bulk(b"server").bulk(b"scripted").bulk(b"proto").integer(3);
    }

    fn authenticate(&mut self, password: Option<&Bytes>) {
        self.authenticated = match (&self.password, password) {
            (Some(wanted), Some(given)) => wanted.as_bytes() == given,
            (wanted, _) => wanted.is_none(),
        };
    }

    fn subscribe(&mut self, args: &[Bytes], out: &mut Vec<u8>) {
        let kind = match &args[0].to_ascii_lowercase()[..] {
            b"subscribe" => "subscribe",
            b"unsubscribe" => "unsubscribe",
            b"psubscribe" => "psubscribe",
            _ => "punsubscribe",
        };
        for name in &args[1..] {
            match kind {
                "subscribe" | "psubscribe" => drop(self.subscribed.insert((kind, name.clone()))),
                "unsubscribe" => drop(self.subscribed.remove(&("subscribe", name.clone()))),
                _ => drop(self.subscribed.remove(&("psubscribe", name.clone()))),
            }
            let count = self.subscribed.len() as i64;
            let mut reply = ReplyEncoder::new(out, self.protocol);
            reply.push(3).bulk(kind.as_bytes()).bulk(name).integer(count);
        }
    }
}

impl Server for Scripted {
    fn connected(&mut self) {
        self.connections += 1;
        self.protocol = Protocol::Resp2;
        self.authenticated = self.password.is_none();
        self.subscribed.clear();
    }

    fn request(&mut self, args: &[Bytes], out: &mut Vec<u8>) {
        let name = args[0].to_ascii_uppercase();
        match &name[..] {
            b"HELLO" => return self.hello(args, out),
            b"AUTH" => self.authenticate(args.last()),
            _ => {}
        }
        let mut reply = ReplyEncoder::new(out, self.protocol);
        if !self.authenticated {
            reply.simple_error(b"NOAUTH Authentication required.");
            return;
        }
        if (self.script)(args, &mut reply) {
            self.ran.push(args.to_vec());
            return;
        }
        match &name[..] {
            b"AUTH" | b"SELECT" | b"CLIENT" => {
                reply.simple_string(b"OK");
                return;
            }
            // Of a subscriber under RESP2, where it is a message like the others.
            b"PING" if self.protocol == Protocol::Resp2 && !self.subscribed.is_empty() => {
                reply.array(2);
                reply.bulk(b"pong");
                reply.bulk(args.get(1).map_or(b"", |text| text));
            }
            b"PING" => match args.get(1) {
                Some(text) => drop(reply.bulk(text)),
                None => drop(reply.simple_string(b"PONG")),
            },
            b"ECHO" if args.len() == 2 => {
                reply.bulk(&args[1]);
            }
            b"SUBSCRIBE" | b"UNSUBSCRIBE" | b"PSUBSCRIBE" | b"PUNSUBSCRIBE" => {
                self.subscribe(args, out);
            }
            _ => {
                reply.simple_error(b"ERR unknown command");
            }
        }
        self.ran.push(args.to_vec());
    }
}
