//! The async driver against a server in memory: what is sent, what is not, and what becomes of callers.

mod support;

use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use redis_async::{
    Client, Cmd, Config, Delivery, Error, ErrorKind, Execute, Queue, QueueCommands, Result, Value,
    cmd,
};
use testkit::scripted::Scripted;

use self::support::{Lab, poll_once};

fn lab() -> (Lab, Client) {
    lab_with(|_| {})
}

fn lab_with(set: impl FnOnce(&mut Config)) -> (Lab, Client) {
    let lab = Lab::new(Scripted::default().script(|args, reply| {
        match &args[0].to_ascii_uppercase()[..] {
            b"WATCH" | b"UNWATCH" | b"MULTI" => drop(reply.simple_string(b"OK")),
            // One reply, whatever was queued.
            b"EXEC" => drop(reply.array(1).integer(7)),
            b"SET" => drop(reply.simple_string(b"QUEUED")),
            // Never answered: the server holds it.
            b"BLPOP" => {}
            _ => return false,
        }
        true
    }));
    let client = lab.client(config(|config| {
        config.backoff.base = Duration::ZERO;
        set(config);
    }));
    while lab.wait_for(&mut client.execute(echo("warm"))).is_err() {}
    (lab, client)
}

fn config(set: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    set(&mut config);
    config
}

fn echo(word: &str) -> Cmd<String> {
    Cmd::raw("ECHO").arg(word)
}

fn failure<T>(polled: Poll<Result<T>>) -> Error {
    match polled {
        Poll::Ready(Err(error)) => error,
        Poll::Ready(Ok(_)) => panic!("it succeeded"),
        Poll::Pending => panic!("it is not resolved"),
    }
}

#[test]
fn a_future_that_is_never_polled_sends_nothing() {
    let (lab, client) = lab();
    drop(client.execute(echo("never")));
    lab.run();
    assert_eq!(lab.ran(), ["ECHO warm"]);
}

#[test]
fn on_an_idle_link_the_first_poll_writes() {
    let (lab, client) = lab();
    let mut future = client.execute(echo("now"));
    assert!(poll_once(&mut future).is_pending());
    assert_eq!(lab.ran(), ["ECHO warm", "ECHO now"], "no task has run in between");
    assert_eq!(lab.block_on(future).unwrap(), "now");
}

#[test]
fn what_a_socket_holds_back_is_flushed() {
    let (lab, client) = lab();
    // At first the driver is called in any case, to set its timer.
    for round in 1..4 {
        lab.cork_sockets(true);
        let mut future = client.execute(echo("held"));
        assert!(poll_once(&mut future).is_pending());
        lab.run();
        assert_eq!(lab.ran().len(), round, "the socket has it");
        lab.cork_sockets(false);
        lab.run();
        assert_eq!(lab.ran().len(), round + 1, "nobody wrote anything more");
        assert_eq!(lab.block_on(future).unwrap(), "held");
    }
}

#[test]
fn futures_that_wait_together_share_a_write() {
    let (lab, client) = lab();
    let before = lab.writes();
    let mut futures: Vec<_> = (0..100).map(|n| client.execute(echo(&n.to_string()))).collect();
    for future in &mut futures {
        assert!(poll_once(future).is_pending());
    }
    lab.run();
    assert_eq!(lab.writes() - before, 2, "one of the first, one of all others");
    for (n, future) in futures.into_iter().enumerate() {
        assert_eq!(lab.block_on(future).unwrap(), n.to_string());
    }
}

#[test]
fn a_future_dropped_before_its_command_is_written_sends_nothing() {
    let (lab, client) = lab();
    let mut first = client.execute(echo("first"));
    let mut dropped = client.execute(echo("dropped"));
    let mut last = client.execute(echo("last"));
    assert!(poll_once(&mut first).is_pending());
    assert!(poll_once(&mut dropped).is_pending());
    assert!(poll_once(&mut last).is_pending());
    drop(dropped);
    assert_eq!(lab.block_on(last).unwrap(), "last");
    assert_eq!(lab.block_on(first).unwrap(), "first");
    assert_eq!(lab.ran(), ["ECHO warm", "ECHO first", "ECHO last"]);
}

#[test]
fn a_future_dropped_while_the_socket_is_full_takes_its_bytes_back() {
    let (lab, client) = lab();
    lab.fill_sockets(true);
    let mut kept = client.execute(echo("kept"));
    let mut dropped = client.execute(echo("dropped"));
    assert!(poll_once(&mut kept).is_pending());
    assert!(poll_once(&mut dropped).is_pending());
    lab.run();
    drop(dropped);
    lab.fill_sockets(false);
    assert_eq!(lab.block_on(kept).unwrap(), "kept");
    assert_eq!(lab.ran(), ["ECHO warm", "ECHO kept"]);
}

#[test]
fn a_future_dropped_after_its_command_is_written_shifts_no_reply() {
    let (lab, client) = lab();
    lab.hold_replies(true);
    let mut futures: Vec<_> = (0..9).map(|n| client.execute(echo(&n.to_string()))).collect();
    for future in &mut futures {
        assert!(poll_once(future).is_pending());
    }
    lab.run();
    let mut n = 0;
    futures.retain(|_| {
        n += 1;
        n % 3 == 0
    });
    lab.hold_replies(false);
    for (future, expected) in futures.into_iter().zip(["2", "5", "8"]) {
        assert_eq!(lab.block_on(future).unwrap(), expected);
    }
    assert_eq!(lab.block_on(client.execute(echo("after"))).unwrap(), "after");
    assert_eq!(lab.ran().len(), 11);
}

#[test]
fn a_lost_link_resolves_every_future_and_the_next_command_connects_again() {
    let (lab, client) = lab();
    lab.hold_replies(true);
    let mut written = client.execute(echo("written"));
    assert!(poll_once(&mut written).is_pending());
    lab.run();
    lab.reset();
    lab.run();
    let error = failure(poll_once(&mut written));
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Io, Delivery::MaybeExecuted));
    lab.hold_replies(false);
    assert_eq!(lab.block_on(client.execute(echo("next"))).unwrap(), "next");
    assert_eq!(lab.connections(), 2);
}

#[test]
fn a_reply_that_came_before_a_write_failed_is_not_lost() {
    let (lab, client) = lab();
    lab.block_on(client.execute(echo("first"))).unwrap();
    lab.hold_replies(true);
    let mut answered = client.execute(echo("answered"));
    assert!(poll_once(&mut answered).is_pending());
    lab.run();
    // The reply and the end of the connection are there when the next command is written.
    lab.hold_replies(false);
    lab.close();
    let mut next = client.execute(echo("next"));
    assert!(poll_once(&mut next).is_pending());
    lab.run();
    match poll_once(&mut answered) {
        Poll::Ready(reply) => assert_eq!(reply.unwrap(), "answered"),
        Poll::Pending => panic!("the reply is there"),
    }
    assert_eq!(lab.wait_for(&mut next).unwrap(), "next", "it was not written, and is sent again");
    assert_eq!(lab.connections(), 2);
}

#[test]
fn a_runtime_that_is_shut_down_fails_what_waits_and_another_takes_over() {
    let (lab, client) = lab();
    lab.hold_replies(true);
    let mut written = client.execute(echo("written"));
    let mut queued = client.execute(echo("queued"));
    assert!(poll_once(&mut written).is_pending());
    assert!(poll_once(&mut queued).is_pending());
    lab.shut_down();
    let error = failure(poll_once(&mut written));
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Closed, Delivery::MaybeExecuted));
    let error = failure(poll_once(&mut queued));
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Closed, Delivery::NotSent));
    lab.hold_replies(false);
    assert_eq!(lab.block_on(client.execute(echo("again"))).unwrap(), "again");
    assert_eq!(lab.connections(), 2);
}

#[test]
fn a_full_link_makes_callers_wait_their_turn() {
    let lab = Lab::new(Scripted::default());
    let client = lab.client(config(|config| config.max_in_flight = 2));
    lab.hold_replies(true);
    let mut futures: Vec<_> = (0..7).map(|n| client.execute(echo(&n.to_string()))).collect();
    for future in &mut futures {
        assert!(poll_once(future).is_pending());
    }
    lab.hold_replies(false);
    for (n, future) in futures.into_iter().enumerate() {
        assert_eq!(lab.block_on(future).unwrap(), n.to_string());
    }
    assert_eq!(lab.ran(), (0..7).map(|n| format!("ECHO {n}")).collect::<Vec<_>>());
}

#[test]
fn room_that_is_made_wakes_who_waits_for_it() {
    let lab = Lab::new(Scripted::default());
    let client = lab.client(config(|config| config.max_in_flight = 2));
    let mut futures: Vec<_> = (0..9).map(|n| Some(client.execute(echo(&n.to_string())))).collect();
    // Every future is polled whenever one is woken; the test fails when none is.
    let all = std::future::poll_fn(|cx| {
        for future in &mut futures {
            if let Some(waiting) = future
                && Pin::new(waiting).poll(cx).is_ready()
            {
                *future = None;
            }
        }
        if futures.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
    });
    lab.block_on(all);
    assert_eq!(lab.ran().len(), 9);
}

#[test]
fn a_caller_that_is_dropped_after_it_was_woken_passes_its_turn_on() {
    let lab = Lab::new(Scripted::default());
    let client = lab.client(config(|config| config.max_in_flight = 1));
    lab.hold_replies(true);
    let mut first = client.execute(echo("first"));
    let mut woken = client.execute(echo("woken"));
    let mut last = Box::pin(client.execute(echo("last")));
    assert!(poll_once(&mut first).is_pending());
    assert!(poll_once(&mut woken).is_pending());
    let mut woken = Some(woken);
    lab.block_on(std::future::poll_fn(|cx| {
        let polled = last.as_mut().poll(cx);
        if woken.is_some() {
            lab.hold_replies(false);
            lab.run();
            woken = None;
        }
        polled.map(|result| assert_eq!(result.unwrap(), "last"))
    }));
    assert_eq!(lab.ran(), ["ECHO first", "ECHO last"]);
}

#[test]
fn a_caller_that_stops_waiting_for_room_makes_way() {
    let lab = Lab::new(Scripted::default());
    let client = lab.client(config(|config| config.max_in_flight = 1));
    lab.hold_replies(true);
    let mut first = client.execute(echo("first"));
    let mut impatient = client.execute(echo("impatient"));
    let mut last = client.execute(echo("last"));
    assert!(poll_once(&mut first).is_pending());
    assert!(poll_once(&mut impatient).is_pending());
    assert!(poll_once(&mut last).is_pending());
    drop(impatient);
    lab.hold_replies(false);
    assert_eq!(lab.block_on(first).unwrap(), "first");
    assert_eq!(lab.block_on(last).unwrap(), "last");
    assert_eq!(lab.ran(), ["ECHO first", "ECHO last"]);
}

#[test]
fn deadlines_cover_the_wait_for_room() {
    let lab = Lab::new(Scripted::default());
    let client = lab.client(config(|config| {
        config.max_in_flight = 1;
        config.command_timeout = Some(Duration::ZERO);
    }));
    lab.hold_replies(true);
    let mut first = client.execute(echo("first"));
    assert!(poll_once(&mut first).is_pending());
    let error = failure(poll_once(&mut client.execute(echo("second"))));
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Timeout, Delivery::NotSent));
}

#[test]
fn the_connections_close_with_the_last_client() {
    let (lab, client) = lab();
    let clone = client.clone();
    drop(client);
    assert_eq!(lab.block_on(clone.execute(echo("still"))).unwrap(), "still");
    drop(clone);
    lab.run();
    assert_eq!((lab.open_connections(), lab.tasks()), (0, 0));
}

#[test]
fn a_blocking_command_has_a_connection_of_its_own() {
    let (lab, client) = lab();
    let mut pop = client.execute(cmd::blpop::<String, String>(["list"], None));
    assert!(poll_once(&mut pop).is_pending());
    lab.run();
    assert_eq!(lab.connections(), 2);
    assert_eq!(lab.block_on(client.execute(echo("meanwhile"))).unwrap(), "meanwhile");
    assert!(poll_once(&mut pop).is_pending());
}

/// Invariant 18.
#[test]
fn a_blocking_command_that_is_dropped_closes_its_connection() {
    let (lab, client) = lab();
    let mut pop = client.execute(cmd::blpop::<String, String>(["list"], None));
    assert!(poll_once(&mut pop).is_pending());
    lab.run();
    assert_eq!(lab.open_connections(), 2);
    drop(pop);
    lab.run();
    assert_eq!(lab.open_connections(), 1);
}

#[test]
fn a_watched_that_is_dropped_closes_its_connection_and_one_that_is_reset_keeps_it() {
    let (lab, client) = lab();
    let watched = lab.block_on(client.watch("key")).unwrap();
    lab.block_on(watched.reset()).unwrap();
    let watched = lab.block_on(client.watch("key")).unwrap();
    assert_eq!(lab.connections(), 2, "the connection was used again");
    drop(watched);
    lab.run();
    assert_eq!(lab.open_connections(), 1);
}

#[test]
fn a_link_lost_while_watching_is_a_watch_error_and_never_a_rerun() {
    let (lab, client) = lab();
    let watched = lab.block_on(client.watch("key")).unwrap();
    lab.reset();
    lab.run();
    let error = lab.block_on(watched.multi().set("key", 1).execute::<Vec<Value>>()).unwrap_err();
    assert!(error.is_watch(), "{error:?}");
    assert!(!lab.ran().iter().any(|command| command.starts_with("SET")));
}

#[test]
fn an_exec_with_the_wrong_number_of_replies_poisons_the_connection() {
    let (lab, client) = lab();
    let set = |n: i64| cmd::set("key", n);
    let (_,): (Value,) = lab.block_on(client.pipeline().queue(set(1)).execute()).unwrap();
    let error = lab.block_on(client.batch((set(1), set(2)))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert_eq!(lab.block_on(client.execute(echo("after"))).unwrap(), "after");
    assert_eq!(lab.connections(), 2);
}

#[test]
fn a_refused_command_leaves_nothing_behind() {
    let (lab, client) = lab();
    let error = lab.block_on(client.execute(Cmd::<()>::raw("SELECT").arg(1))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(lab.ran(), ["ECHO warm"]);
}

/// Invariant 6.
#[test]
fn socket_that_takes_nothing_and_says_nothing_is_given_up() {
    let (lab, client) = lab_with(|config| {
        config.command_timeout = None;
        config.health_interval = None;
        config.max_retries = 0;
    });
    lab.hold_replies(true);
    let mut asked = client.execute(echo("asked"));
    assert!(poll_once(&mut asked).is_pending());
    lab.fail_writes();
    let mut next = client.execute(echo("next"));
    let error = lab.wait_for(&mut next).unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Io, Delivery::NotSent));
    let error = lab.wait_for(&mut asked).unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Io, Delivery::MaybeExecuted));
}

/// Invariant 16.
#[test]
fn deadlines_hold_behind_requests_that_the_server_never_answers() {
    let lab = Lab::new(Scripted::default());
    let client = lab.client(config(|config| {
        config.max_in_flight = 2;
        config.command_timeout = Some(Duration::from_millis(1));
    }));
    while lab.wait_for(&mut client.execute(echo("warm"))).is_err() {}
    lab.hold_replies(true);
    // The server's silence fills the connection; each deadline passes all the same.
    for n in 0..6 {
        let mut future = client.execute(echo(&n.to_string()));
        let error = lab.wait_for(&mut future).unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
    }
}

/// Invariants 5 and 18.
#[test]
fn a_connection_that_owes_a_reply_is_not_used_again() {
    let (lab, client) =
        lab_with(|config| config.command_timeout = Some(Duration::from_millis(500)));
    let pop = || cmd::blpop::<String, String>(["list"], Some(Duration::from_millis(1)));
    for connections in 2..5 {
        let error = lab.wait_for(&mut client.execute(pop())).unwrap_err();
        assert_eq!((error.kind(), error.delivery()), (ErrorKind::Timeout, Delivery::MaybeExecuted));
        assert_eq!(lab.connections(), connections, "each has a connection of its own");
    }
    lab.run();
    assert_eq!(lab.open_connections(), 1);
}
