//! Walking through pages as a stream.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use futures_core::Stream;
use redis_cluster::{ClusterScan, ScanStep, Target};
use redis_core::scan::{Next, Scan};
use redis_core::types::{ClusterNode, ScanPage};
use redis_core::{Cmd, Execute, FromReply, Result};

use crate::client::Client;
use crate::nodes::Nodes;
use crate::request::ReplyFuture;
use crate::runtime::Timer;

/// The items of all pages, made by [`Client::scan_iter`]. An error is its last item.
#[must_use = "streams do nothing unless polled"]
pub struct ScanStream<'a, T> {
    client: &'a Client,
    walk: Walk<'a, T>,
}

enum Walk<'a, T> {
    /// By pages that lead from one to the next.
    Pages(Scan<T>, Option<ReplyFuture<'a, ScanPage<T>>>),
    /// Through the nodes of a cluster.
    Nodes(&'a Arc<Nodes>, Box<ClusterScan<T>>, Asked<'a, T>),
}

/// What the walk through a cluster waits for.
enum Asked<'a, T> {
    Nothing,
    Page(ReplyFuture<'a, ScanPage<T>>),
    Check(ReplyFuture<'a, Vec<ClusterNode>>),
    /// For a map newer than this, and for how long.
    Map(u64, Box<dyn Timer>, Option<Instant>),
}

impl<'a, T: FromReply> ScanStream<'a, T> {
    pub(crate) fn new(client: &'a Client, first: Cmd<ScanPage<T>>) -> Self {
        let walk = match client.nodes() {
            Some(nodes) if ClusterScan::<T>::takes(&first) => {
                Walk::Nodes(nodes, Box::new(ClusterScan::new(first)), Asked::Nothing)
            }
            _ => Walk::Pages(Scan::new(first), None),
        };
        Self { client, walk }
    }

    /// The next item; `None` behind the last.
    ///
    /// # Errors
    ///
    /// As the command of a page. Nothing comes behind an error.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: a page that was asked for stays under way.
    pub async fn next(&mut self) -> Option<Result<T>> {
        poll_fn(|cx| self.poll_item(cx)).await
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let (scan, asked) = match &mut self.walk {
            Walk::Pages(scan, page) => (scan, page),
            Walk::Nodes(nodes, scan, asked) => return poll_nodes(nodes, scan, asked, cx),
        };
        loop {
            if let Some(page) = asked {
                let page = ready!(Pin::new(page).poll(cx));
                *asked = None;
                if let Err(error) = scan.handle_page(page) {
                    return Poll::Ready(Some(Err(error)));
                }
            }
            match scan.next_step() {
                Next::Item(item) => return Poll::Ready(Some(Ok(item))),
                Next::Done => return Poll::Ready(None),
                Next::Ask(page) => *asked = Some(self.client.execute(page)),
            }
        }
    }
}

fn poll_nodes<'a, T: FromReply>(
    nodes: &'a Arc<Nodes>,
    scan: &mut ClusterScan<T>,
    asked: &mut Asked<'a, T>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<T>>> {
    loop {
        let handled = match asked {
            Asked::Nothing => Ok(()),
            Asked::Page(page) => {
                let page = ready!(Pin::new(page).poll(cx));
                nodes.with_machine(|cluster| scan.handle_page(Instant::now(), cluster, page))
            }
            Asked::Check(check) => {
                let check = ready!(Pin::new(check).poll(cx));
                nodes.with_machine(|cluster| scan.handle_check(Instant::now(), cluster, check))
            }
            Asked::Map(since, timer, until) => {
                let changed = nodes.poll_change(cx, *since);
                let late = until.is_some_and(|until| timer.poll_at(cx, until).is_ready());
                match (changed, late) {
                    (Poll::Ready(Err(error)), _) => Err(error),
                    (Poll::Ready(Ok(())), _) => Ok(()),
                    (_, true) => Err(nodes.with_machine(|cluster| scan.handle_late(cluster))),
                    (Poll::Pending, false) => return Poll::Pending,
                }
            }
        };
        let before = std::mem::replace(asked, Asked::Nothing);
        if let Err(error) = handled {
            return Poll::Ready(Some(Err(error)));
        }
        let since = nodes.changes();
        match nodes.with_machine(|cluster| scan.next_step(Instant::now(), cluster)) {
            ScanStep::Item(item) => return Poll::Ready(Some(Ok(item))),
            ScanStep::Done => return Poll::Ready(None),
            ScanStep::Page(node, page) => {
                *asked = Asked::Page(ReplyFuture::targeted(nodes, Target::Node(node), page))
            }
            ScanStep::Check(node, check) => {
                *asked = Asked::Check(ReplyFuture::targeted(nodes, Target::Node(node), check))
            }
            ScanStep::Wait => {
                *asked = match before {
                    // It is still the same wait.
                    Asked::Map(_, timer, until) => Asked::Map(since, timer, until),
                    _ => {
                        let timeout = nodes.config().command_timeout;
                        let until = timeout.map(|timeout| Instant::now() + timeout);
                        Asked::Map(since, nodes.runtime().timer(), until)
                    }
                };
            }
        }
    }
}

// Nothing in it is pinned in place: items are moved out of a page.
impl<T> Unpin for ScanStream<'_, T> {}

impl<T: FromReply> Stream for ScanStream<'_, T> {
    type Item = Result<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        self.get_mut().poll_item(cx)
    }
}

impl<T> fmt::Debug for ScanStream<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScanStream").finish_non_exhaustive()
    }
}
