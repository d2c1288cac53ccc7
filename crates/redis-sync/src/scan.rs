//! Walking through pages as an iterator.

use redis_core::scan::{Next, Scan};
use redis_core::{Execute, FromReply, Result};

use crate::client::Client;

/// The items of all pages, made by [`Client::scan_iter`]. An error is its last item.
#[derive(Debug)]
#[must_use = "an iterator fetches nothing until it is asked for items"]
pub struct ScanIter<'a, T> {
    pub(crate) client: &'a Client,
    pub(crate) scan: Scan<T>,
}

impl<T: FromReply> Iterator for ScanIter<'_, T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        loop {
            match self.scan.next_step() {
                Next::Item(item) => return Some(Ok(item)),
                Next::Done => return None,
                Next::Ask(page) => {
                    if let Err(error) = self.scan.handle_page(self.client.execute(page)) {
                        return Some(Err(error));
                    }
                }
            }
        }
    }
}
