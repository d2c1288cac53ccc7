//! The task behind a cluster's client: it asks nodes for the map, when the machine wants that.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use redis_cluster::{Cluster, Link as Which, NodeId, View};
use redis_core::batch::Deadline;
use redis_core::{Config, Result};

use super::{Nodes, gone};
use crate::link::Link;
use crate::request::ReplyFuture;
use crate::runtime::{BoxFuture, Timer};

/// Ends with the client, or with its runtime.
pub(super) struct Worker {
    nodes: Arc<Nodes>,
    asked: Vec<Asked>,
    timer: Box<dyn Timer>,
}

struct Asked {
    node: NodeId,
    view: BoxFuture<Result<View>>,
}

impl Worker {
    pub(super) fn new(nodes: Arc<Nodes>) -> Self {
        let timer = nodes.runtime.timer();
        Self { nodes, asked: Vec::new(), timer }
    }

    /// Asks those who are to be asked.
    fn ask(&mut self) {
        let Self { nodes, asked, .. } = self;
        let mut lost = Vec::new();
        nodes.with(|state| {
            for node in std::mem::take(&mut state.asks) {
                match state.end(nodes, (node, Which::Primary)) {
                    Some(end) => {
                        let view = Box::pin(view(end.link.clone(), end.config.clone()));
                        asked.push(Asked { node, view });
                    }
                    None => lost.push(node),
                }
            }
        });
        for node in lost {
            self.tell(node, Err(gone()));
        }
    }

    fn tell(&self, node: NodeId, view: Result<View>) {
        self.nodes.with(|state| state.machine.handle_view(Instant::now(), node, view));
    }
}

/// What a node says. It is asked once: the machine knows whom to ask instead.
async fn view(link: Arc<Link>, config: Arc<Config>) -> Result<View> {
    let patience = config.connect_timeout + config.command_timeout.unwrap_or_default();
    let deadline = Deadline::In(patience);
    ReplyFuture::watched_before(&link, Cluster::question(), deadline).await
}

impl Future for Worker {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            let now = Instant::now();
            this.nodes.with(|state| state.machine.handle_timeout(now));
            this.ask();
            let mut progress = false;
            let mut at = 0;
            while at < this.asked.len() {
                match this.asked[at].view.as_mut().poll(cx) {
                    Poll::Pending => at += 1,
                    Poll::Ready(view) => {
                        let node = this.asked.swap_remove(at).node;
                        this.tell(node, view);
                        progress = true;
                    }
                }
            }
            let mut state = this.nodes.lock();
            if state.closed {
                return Poll::Ready(());
            }
            if progress || !state.asks.is_empty() {
                continue;
            }
            let due = state.machine.poll_timeout();
            state.worker = Some((cx.waker().clone(), due));
            drop(state);
            match due {
                Some(due) if this.timer.poll_at(cx, due).is_ready() => {}
                _ => return Poll::Pending,
            }
        }
    }
}

impl Drop for Worker {
    /// With its runtime: the next request starts another one.
    fn drop(&mut self) {
        let mut state = self.nodes.lock();
        state.working = false;
        state.worker = None;
        let lost: Vec<_> = self
            .asked
            .drain(..)
            .map(|asked| asked.node)
            .chain(std::mem::take(&mut state.asks))
            .collect();
        drop(state);
        for node in lost {
            self.tell(node, Err(gone()));
        }
    }
}
