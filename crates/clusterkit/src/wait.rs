//! Waits for conditions, and says what was waited for and what was seen instead.

use std::{
    fmt, io, thread,
    time::{Duration, Instant},
};

/// Many times what anything takes, also on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(10);

/// What a look gives: what was waited for, or what is seen instead.
pub(crate) type Look<T> = Result<T, String>;

/// Looks until there is what is waited for.
///
/// # Errors
/// At once what `look` fails with; after 60 s what was seen last.
pub(crate) fn until<T>(
    what: impl fmt::Display,
    look: impl FnMut() -> io::Result<Look<T>>,
) -> io::Result<T> {
    within(LIMIT, what, look)
}

fn within<T>(
    limit: Duration,
    what: impl fmt::Display,
    mut look: impl FnMut() -> io::Result<Look<T>>,
) -> io::Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        match look()? {
            Ok(found) => return Ok(found),
            Err(seen) if Instant::now() >= deadline => {
                let text = format!("waited {limit:?} until {what}, and at last {seen}");
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_go_on_until_one_finds_it_and_end_at_an_error() {
        let mut looks = 0;
        let found = until("there are three", || {
            looks += 1;
            Ok(if looks == 3 { Ok(looks) } else { Err(format!("there are {looks}")) })
        });
        assert!(matches!(found, Ok(3)));
        let failed: io::Result<()> = until("never", || Err(io::Error::other("broken")));
        assert_eq!(failed.map_err(|error| error.to_string()), Err("broken".to_owned()));
    }

    #[test]
    fn what_was_waited_for_and_what_was_seen_is_told() {
        let never =
            within(Duration::ZERO, "it is up", || Ok(Err::<(), _>("it is down".to_owned())));
        let error = never.expect_err("it never is");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(error.to_string(), "waited 0ns until it is up, and at last it is down");
    }
}
