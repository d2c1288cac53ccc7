//! Walking through pages as a stream.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use redis_core::scan::{Next, Scan};
use redis_core::types::ScanPage;
use redis_core::{Execute, FromReply, Result};

use crate::client::Client;
use crate::request::ReplyFuture;

/// The items of all pages, made by [`Client::scan_iter`]. An error is its last item.
#[must_use = "streams do nothing unless polled"]
pub struct ScanStream<'a, T> {
    client: &'a Client,
    scan: Scan<T>,
    page: Option<ReplyFuture<'a, ScanPage<T>>>,
}

impl<'a, T: FromReply> ScanStream<'a, T> {
    pub(crate) fn new(client: &'a Client, scan: Scan<T>) -> Self {
        Self { client, scan, page: None }
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
        loop {
            if let Some(page) = &mut self.page {
                let page = ready!(Pin::new(page).poll(cx));
                self.page = None;
                if let Err(error) = self.scan.handle_page(page) {
                    return Poll::Ready(Some(Err(error)));
                }
            }
            match self.scan.next_step() {
                Next::Item(item) => return Poll::Ready(Some(Ok(item))),
                Next::Done => return Poll::Ready(None),
                Next::Ask(page) => self.page = Some(self.client.execute(page)),
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
