//! Results that are handed on as they come, and commands whose replies are for nobody, against a server in
//! memory.

mod support;

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use redis_async::{
    Client, Cmd, Config, Delivery, ErrorKind, Execute, Pipeline, Queue, QueueCommands, Result,
    Script, Value, cmd,
};
use testkit::scripted::Scripted;

use self::support::{Lab, poll_once};

/// What a client may have read and not handed on: what is kept, and one read on top.
const MOST: usize = (256 + 64) * 1024;

/// A client whose shared connection is open.
fn lab() -> (Lab, Client) {
    lab_with(|_| {})
}

fn lab_with(set: impl FnOnce(&mut Config)) -> (Lab, Client) {
    let lab = Lab::new(Scripted::default().script(|args, reply| {
        match &args[0].to_ascii_uppercase()[..] {
            b"MULTI" => drop(reply.simple_string(b"OK")),
            // One reply, whatever was queued.
            b"EXEC" => drop(reply.array(1).integer(7)),
            b"SET" | b"EVAL" => drop(reply.simple_string(b"QUEUED")),
            _ => return false,
        }
        true
    }));
    let mut config = Config::default();
    config.backoff.base = Duration::ZERO;
    set(&mut config);
    let client = lab.client(config);
    while lab.wait_for(&mut client.execute(echo("warm"))).is_err() {}
    (lab, client)
}

fn echo(word: &str) -> Cmd<String> {
    Cmd::raw("ECHO").arg(word)
}

/// Its replies are `SIZE` bytes each.
fn many(client: &Client, count: usize) -> Pipeline {
    let mut pipeline = client.pipeline();
    pipeline.transaction(false);
    for n in 0..count {
        pipeline.echo(format!("{n:0>98}"));
    }
    pipeline
}

const SIZE: usize = "$98\r\n\r\n".len() + 98;

fn number(reply: Result<String>) -> usize {
    reply.expect("it is echoed").parse().expect("a number was sent")
}

#[test]
fn replies_are_read_no_faster_than_they_are_taken() {
    let (lab, client) = lab();
    let count = 30_000;
    let mut pipeline = many(&client, count);
    let before = lab.read();
    let seen = RefCell::new(0);
    let each = |index, reply| {
        assert_eq!((index, number(reply)), (*seen.borrow(), index));
        *seen.borrow_mut() += 1;
    };
    let mut future = pin!(pipeline.execute_each(each));
    let mut steps = 0;
    loop {
        let polled = poll_once(&mut future);
        lab.run();
        // The handshake's replies are among what was read.
        let kept = lab.read() - before - *seen.borrow() * SIZE;
        assert!(kept <= MOST + 200, "{kept} bytes");
        steps += 1;
        if let Poll::Ready(done) = polled {
            break done.unwrap();
        }
    }
    assert_eq!(*seen.borrow(), count);
    assert!(steps > count * SIZE / MOST, "{steps}");
}

#[test]
fn a_slow_taker_delays_nobody_on_the_shared_connection() {
    let (lab, client) = lab();
    let mut pipeline = many(&client, 30_000);
    let mut future = pin!(pipeline.execute_each(|_, _: Result<Value>| {}));
    assert!(poll_once(&mut future).is_pending());
    lab.run();
    assert_eq!(lab.connections(), 2);
    assert_eq!(lab.block_on(client.execute(echo("meanwhile"))).unwrap(), "meanwhile");
    lab.block_on(future).unwrap();
    lab.block_on(many(&client, 10).execute_each(|_, _: Result<Value>| {})).unwrap();
    assert_eq!(lab.connections(), 2, "the connection was used again");
}

#[test]
fn a_future_that_is_dropped_closes_its_connection() {
    let (lab, client) = lab_with(|config| config.pool_size = 1);
    for polls in 0..3 {
        let mut pipeline = many(&client, 30_000);
        let mut future = Box::pin(pipeline.execute_each(|_, _: Result<Value>| {}));
        for _ in 0..polls {
            assert!(poll_once(&mut future).is_pending());
            lab.run();
        }
        drop(future);
        lab.run();
        assert_eq!(lab.open_connections(), 1, "after {polls} polls");
    }
    let mut seen = 0;
    lab.block_on(many(&client, 10).execute_each(|_, _: Result<Value>| seen += 1)).unwrap();
    assert_eq!(seen, 10);
}

#[test]
fn a_closure_that_panics_closes_the_connection() {
    let (lab, client) = lab_with(|config| config.pool_size = 1);
    for panics_at in [0, 15_000] {
        let mut pipeline = many(&client, 30_000);
        let each = |index, reply| {
            if number(reply) == panics_at {
                assert_eq!(index, panics_at);
                panic::panic_any("on purpose");
            }
        };
        let running = AssertUnwindSafe(|| lab.block_on(pipeline.execute_each(each)));
        let panicked = panic::catch_unwind(running).unwrap_err();
        assert_eq!(*panicked.downcast_ref::<&str>().unwrap(), "on purpose");
        lab.run();
        assert_eq!(lab.open_connections(), 1);
    }
    let each = |index, reply| assert_eq!(number(reply), index);
    lab.block_on(many(&client, 10).execute_each(each)).unwrap();
}

#[test]
fn a_link_lost_in_the_middle_hands_on_what_had_come_and_asks_nothing_again() {
    let (lab, client) = lab();
    let mut pipeline = many(&client, 30_000);
    let mut seen = Vec::new();
    let mut future = Box::pin(pipeline.execute_each(|index, reply| {
        assert_eq!(number(reply), index);
        seen.push(index);
    }));
    for _ in 0..3 {
        assert!(poll_once(&mut future).is_pending());
        lab.run();
    }
    lab.reset();
    let error = lab.block_on(&mut future).unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Io, Delivery::MaybeExecuted));
    drop(future);
    assert!(!seen.is_empty() && seen.len() < 30_000, "{}", seen.len());
    assert!(seen.iter().copied().eq(0..seen.len()), "each once");
    assert_eq!(lab.connections(), 2);
}

#[test]
fn the_deadline_holds_while_results_wait_to_be_taken() {
    // Time enough to send them.
    let timeout = Duration::from_millis(500);
    let (lab, client) = lab_with(|config| config.command_timeout = Some(timeout));
    let mut pipeline = many(&client, 30_000);
    let mut seen = Vec::new();
    let mut future = Box::pin(pipeline.execute_each(|_, reply| seen.push(number(reply))));
    let began = Instant::now();
    assert!(poll_once(&mut future).is_pending());
    lab.run();
    while began.elapsed() <= timeout {
        std::thread::yield_now();
    }
    let error = lab.wait_for(&mut future).unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    drop(future);
    assert!(seen.len() < 30_000 && seen.iter().copied().eq(0..seen.len()));
    // Whatever came of that connection, late replies are for nobody.
    loop {
        let mut others = Vec::new();
        let mut pipeline = many(&client, 10);
        let mut future = Box::pin(pipeline.execute_each(|_, reply| others.push(number(reply))));
        let in_time = lab.wait_for(&mut future).is_ok();
        drop(future);
        assert!(others.iter().copied().eq(0..others.len()));
        if in_time {
            return assert_eq!(others.len(), 10);
        }
    }
}

#[test]
fn an_empty_pipeline_hands_nothing_on_and_takes_no_connection() {
    let (lab, client) = lab();
    let each = |_, reply: Result<Value>| panic!("{reply:?} was handed on");
    lab.block_on(client.pipeline().execute_each(each)).unwrap();
    let none: Vec<((), Value)> = lab.block_on(client.pipeline().execute_zip([])).unwrap();
    assert!(none.is_empty());
    assert_eq!(lab.connections(), 1);
}

#[test]
fn results_of_a_transaction_come_with_exec() {
    let (lab, client) = lab();
    let mut seen = Vec::new();
    let mut pipeline = client.pipeline();
    let each = |index, reply: Result<i64>| seen.push((index, reply.unwrap()));
    lab.block_on(pipeline.set("k", 1).execute_each(each)).unwrap();
    assert_eq!(seen, [(0, 7)]);
    let each = |_, reply: Result<Value>| panic!("{reply:?} was handed on");
    let error = lab.block_on(pipeline.set("k", 1).set("l", 1).execute_each(each)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    lab.run();
    assert_eq!(lab.open_connections(), 1, "whose replies are whose is not known on the other");
}

#[test]
fn a_command_for_nobody_goes_out_in_order_and_its_reply_is_thrown_away() {
    let (lab, client) = lab();
    client.fire_and_forget(echo("a")).unwrap();
    let mut reply = client.execute(echo("b"));
    assert!(poll_once(&mut reply).is_pending());
    client.fire_and_forget(Cmd::<()>::raw("UNKNOWN")).unwrap();
    let mut last = client.execute(echo("c"));
    assert!(poll_once(&mut last).is_pending());
    assert_eq!(client.stats().in_flight, 4);
    assert_eq!(lab.block_on(last).unwrap(), "c");
    assert_eq!(lab.block_on(reply).unwrap(), "b");
    assert_eq!(lab.ran(), ["ECHO warm", "ECHO a", "ECHO b", "UNKNOWN", "ECHO c"]);
    assert_eq!(client.stats().in_flight, 0);
}

#[test]
fn a_script_for_nobody_goes_with_its_source() {
    let (lab, client) = lab();
    client.fire_and_forget(Script::<i64>::new("return 1").key("k")).unwrap();
    lab.run();
    assert_eq!(lab.ran(), ["ECHO warm", "EVAL return 1 1 k"]);
}

#[test]
fn a_command_for_nobody_that_cannot_be_sent_is_an_error_at_once() {
    let (lab, client) = lab_with(|config| config.max_in_flight = 2);
    for refused in [Cmd::<()>::raw("SELECT").arg(1), Cmd::raw("BLPOP").arg("l").arg(0)] {
        let error = client.fire_and_forget(refused).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    }
    lab.hold_replies(true);
    client.fire_and_forget(echo("a")).unwrap();
    client.fire_and_forget(echo("b")).unwrap();
    let error = client.fire_and_forget(echo("c")).unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Limit, Delivery::NotSent));
    lab.hold_replies(false);
    lab.run();
    client.fire_and_forget(echo("d")).unwrap();
    lab.run();
    assert_eq!(lab.ran(), ["ECHO warm", "ECHO a", "ECHO b", "ECHO d"]);
}

#[test]
fn a_command_for_nobody_is_lost_with_its_connection_and_not_sent_again() {
    let (lab, client) = lab();
    lab.hold_replies(true);
    client.fire_and_forget(cmd::echo::<String>("lost").idempotent()).unwrap();
    lab.run();
    lab.reset();
    lab.run();
    assert_eq!(client.stats().in_flight, 0);
    lab.hold_replies(false);
    assert_eq!(lab.block_on(client.execute(echo("next"))).unwrap(), "next");
    assert_eq!(lab.ran(), ["ECHO warm", "ECHO lost", "ECHO next"]);
}

#[test]
fn commands_for_nobody_are_still_sent_when_the_client_is_dropped() {
    for warm in [true, false] {
        let lab = Lab::new(Scripted::default());
        let client = lab.client(Config::default());
        if warm {
            lab.block_on(client.execute(echo("warm"))).unwrap();
        }
        for n in 0..100 {
            client.fire_and_forget(echo(&n.to_string())).unwrap();
        }
        drop(client);
        lab.run();
        let ran = lab.ran();
        assert_eq!(ran.len(), 100 + usize::from(warm));
        assert_eq!(ran.last().unwrap(), "ECHO 99");
        assert_eq!((lab.open_connections(), lab.tasks()), (0, 0));
    }
}

#[test]
fn a_client_dropped_while_no_connection_can_be_had_leaves_no_task() {
    let lab = Lab::new(Scripted::default());
    lab.refuse_connections();
    let client = lab.client(Config::default());
    client.fire_and_forget(echo("lost")).unwrap();
    drop(client);
    lab.run();
    assert_eq!((lab.connections(), lab.open_connections(), lab.tasks()), (0, 0, 0));
}

#[test]
fn what_is_ignored_is_not_among_the_results() {
    let (lab, client) = lab();
    let mut pipeline = client.pipeline();
    let queued = pipeline.transaction(false).echo("a").ignore().echo("b").echo("c").ignore();
    assert_eq!(lab.block_on(queued.execute::<(String,)>()).unwrap(), ("b".to_owned(),));
    Queue::queue(&mut pipeline, Cmd::<()>::raw("UNKNOWN"));
    let queued = pipeline.ignore().echo("a");
    let error = lab.block_on(queued.execute::<(String,)>()).unwrap_err();
    assert!(error.to_string().starts_with("command 1 of 2 (`UNKNOWN`)"), "{error}");
    let error = lab.block_on(pipeline.ignore().execute::<()>()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
}
