//! Short texts as arguments.

use std::fmt;
use std::io::Write;

use crate::command::{Arg, Written};

/// Writes a text without an allocation, unless it is long.
pub(super) fn short(arg: Arg<'_>, text: fmt::Arguments<'_>) -> Written {
    let mut buf = [0; 64];
    let mut rest = &mut buf[..];
    match rest.write_fmt(text) {
        Ok(()) => {
            let left = rest.len();
            arg.bytes(&buf[..buf.len() - left])
        }
        Err(_) => arg.bytes(text.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cmd;
    use crate::command::ToArg;

    struct Text(String);

    impl ToArg for Text {
        fn to_arg(&self, arg: Arg<'_>) -> Written {
            short(arg, format_args!("<{}>", self.0))
        }
    }

    #[test]
    fn texts_of_any_length_are_written_whole() {
        for len in 0..100 {
            let text = "x".repeat(len);
            let cmd = Cmd::<()>::raw("X").arg(Text(text.clone()));
            assert_eq!(cmd.words().last(), Some(format!("<{text}>").as_bytes()));
        }
    }
}
