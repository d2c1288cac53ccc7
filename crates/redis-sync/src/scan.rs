//! Walking through pages as an iterator.

use std::time::Instant;

use redis_cluster::{ClusterScan, ScanStep};
use redis_core::scan::{Next, Scan};
use redis_core::types::ScanPage;
use redis_core::{Cmd, Execute, FromReply, Result};

use crate::client::{Client, Servers};
use crate::cluster::Nodes;

/// The items of all pages, made by [`Client::scan_iter`]. An error is its last item.
#[derive(Debug)]
#[must_use = "an iterator fetches nothing until it is asked for items"]
pub struct ScanIter<'a, T> {
    client: &'a Client,
    walk: Walk<'a, T>,
}

#[derive(Debug)]
enum Walk<'a, T> {
    /// Of one server, or one key.
    Pages(Scan<T>),
    Cluster(&'a Nodes, Box<ClusterScan<T>>),
    Over,
}

impl<'a, T: FromReply> ScanIter<'a, T> {
    pub(crate) fn new(client: &'a Client, first: Cmd<ScanPage<T>>) -> Self {
        let walk = match &client.servers {
            Servers::Cluster(nodes) if ClusterScan::takes(&first) => {
                Walk::Cluster(nodes, Box::new(ClusterScan::new(first)))
            }
            _ => Walk::Pages(Scan::new(first)),
        };
        Self { client, walk }
    }

    fn next_item(&mut self) -> Result<Option<T>> {
        match &mut self.walk {
            Walk::Over => Ok(None),
            Walk::Pages(scan) => loop {
                match scan.next_step() {
                    Next::Item(item) => return Ok(Some(item)),
                    Next::Done => return Ok(None),
                    Next::Ask(page) => scan.handle_page(self.client.execute(page))?,
                }
            },
            Walk::Cluster(nodes, scan) => next_of_all(nodes, scan),
        }
    }
}

fn next_of_all<T: FromReply>(nodes: &Nodes, scan: &mut ClusterScan<T>) -> Result<Option<T>> {
    let began = Instant::now();
    loop {
        let (step, seen) = nodes
            .change(|state| (scan.next_step(Instant::now(), &mut state.cluster), state.changes));
        match step {
            ScanStep::Item(item) => return Ok(Some(item)),
            ScanStep::Done => return Ok(None),
            ScanStep::Page(node, cmd) => {
                let page = nodes.execute_on_node(node, &cmd);
                let now = Instant::now();
                nodes.change(|state| scan.handle_page(now, &mut state.cluster, page))?;
            }
            ScanStep::Check(node, cmd) => {
                let said = nodes.execute_on_node(node, &cmd);
                let now = Instant::now();
                nodes.change(|state| scan.handle_check(now, &mut state.cluster, said))?;
            }
            ScanStep::Wait if nodes.wait_for_map(seen, began)? => {}
            ScanStep::Wait => return Err(nodes.change(|state| scan.handle_late(&state.cluster))),
        }
    }
}

impl<T: FromReply> Iterator for ScanIter<'_, T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        let item = self.next_item().transpose();
        if matches!(item, Some(Err(_))) {
            self.walk = Walk::Over;
        }
        item
    }
}
