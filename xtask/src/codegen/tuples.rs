//! Writes `tuples.rs`: values, replies and batches as tuples.

use std::fmt::Write;

const LARGEST: u8 = 16;

/// The file's text, before formatting.
pub(crate) fn write() -> String {
    let mut out = String::from(
        "//! Tuples of 1 to 16: of the values of one reply, of reply types, and of commands.

use crate::command::{Command, Queue};
use crate::error::Result;
use crate::pipeline::{Batched, FromReplies, Replies};
use crate::reply::{FromReply, ReplyReader};
",
    );
    for size in 1..=LARGEST {
        let names: Vec<_> = (0..size).map(|at| char::from(b'A' + at).to_string()).collect();
        let locals: Vec<_> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        let each = |text: &dyn Fn(&str) -> String| {
            names.iter().map(|name| text(name)).collect::<Vec<_>>().join(", ") + ","
        };
        // Lists of pairs have a second shape, which is written by hand.
        if size != 2 {
            let _ = writeln!(
                out,
                "
impl<{bounds}> FromReply for ({all}) {{
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {{
        reply.tuple({size})?;
        Ok(({decoded}))
    }}
}}",
                bounds = each(&|name| format!("{name}: FromReply")),
                all = each(&str::to_owned),
                decoded = each(&|name| format!("{name}::from_reply(reply)?")),
            );
        }
        let _ = writeln!(
            out,
            "
impl<{bounds}> FromReplies for ({all}) {{
    fn from_replies(replies: &mut Replies<'_>) -> Result<Self> {{
        replies.expect({size})?;
        Ok(({decoded}))
    }}
}}

impl<{commands}> Batched for ({all}) {{
    type Output = ({outputs});

    fn queue_all<QUEUE: Queue>(self, queue: QUEUE) -> QUEUE {{
        let ({locals},) = self;
        queue{queued}
    }}
}}",
            bounds = each(&|name| format!("{name}: FromReply")),
            all = each(&str::to_owned),
            decoded = each(&|name| format!("replies.next_as::<{name}>()?")),
            commands = each(&|name| format!("{name}: Command")),
            outputs = each(&|name| format!("{name}::Reply")),
            locals = locals.join(", "),
            queued = locals.iter().map(|local| format!(".queue({local})")).collect::<String>(),
        );
    }
    out
}
