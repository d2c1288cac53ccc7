//! Results that are handed on as they come, none of them kept.

use super::replies::Decoder;
use super::sent::{Frames, Queueing, Run, Sent, out_of_step};
use crate::error::Result;
use crate::reply::FromReply;

/// Takes the replies of one pipeline in runs, as they come, and hands its results on.
#[derive(Debug)]
pub struct Each<'a> {
    sent: &'a Sent,
    /// Of a transaction, before the reply of EXEC is there.
    queueing: Option<Queueing>,
    decoder: Decoder<'a>,
    handed_on: usize,
}

impl<'a> Each<'a> {
    /// For these commands, before the first of their replies.
    pub fn new(sent: &'a Sent) -> Self {
        let queueing = sent.atomic.then(Queueing::default);
        Self { sent, queueing, decoder: Decoder::new(sent), handed_on: 0 }
    }

    /// Takes the frames that come next, and hands on the results that are among them: with their places,
    /// from 0, which count results alone. A transaction has all of its results in its last frame.
    ///
    /// # Errors
    ///
    /// As [`Sent::open`]; of a transaction no result was handed on then.
    pub fn handle_replies<T: FromReply>(
        &mut self,
        run: Run<'_>,
        each: &mut impl FnMut(usize, Result<T>),
    ) -> Result<()> {
        let mut frames = Frames::of(run);
        while let Some(queueing) = &mut self.queueing {
            if frames.is_run_over() {
                return Ok(());
            }
            if let Some(results) = queueing.handle_frame(self.sent, frames.next_frame()?)? {
                frames = Frames::of(results);
                self.queueing = None;
            }
        }
        while !frames.is_run_over() {
            if self.decoder.is_over() {
                return Err(out_of_step());
            }
            if self.decoder.pass_ignored(&mut frames).is_none() {
                let result = self.decoder.next_as(&mut frames);
                each(self.handed_on, result);
                self.handed_on += 1;
            }
        }
        Ok(())
    }
}
