use redis_core::pipeline::{Pipeline, Sent};
use redis_core::{Cmd, Command as _, Script, Value, cmd};

use super::*;
use crate::cluster::three;
use crate::{Action, ClusterConfig, ReadFrom};

// Slots: a 15495 and foo 12182 on 3, b 3300 and hello 866 on 1, c 7365 on 2.

struct Rig {
    cluster: Cluster,
    now: Instant,
}

fn rig(change: impl FnOnce(&mut ClusterConfig)) -> Rig {
    let (cluster, now) = three(change);
    Rig { cluster, now }
}

/// Frames from words: `+OK`, `:1`, `-ERR x`, `$text`, one a list item.
fn frames(of: &[&str]) -> Bytes {
    let frame = |frame: &&str| match frame.strip_prefix('$') {
        Some(text) => format!("${}\r\n{text}\r\n", text.len()),
        None => format!("{frame}\r\n"),
    };
    of.iter().map(frame).collect::<String>().into()
}

impl Rig {
    fn start<S: Source>(&self, source: &S) -> Exchange {
        Exchange::new(&self.cluster, source, Options::default()).unwrap()
    }

    /// What is sent: a line for each, with the node's port, `r` for its link for reads, and the commands.
    fn sends<S: Source>(&mut self, exchange: &mut Exchange, source: &S) -> Vec<(Send, String)> {
        let mut sends = Vec::new();
        while let Some(send) = exchange.poll_send(self.now, &mut self.cluster) {
            let mut out = SendBuffer::default();
            exchange.write(&send, source, &mut out);
            let text = String::from_utf8(out.to_vec()).unwrap();
            let words = text.split("\r\n").filter(|word| !word.starts_with('$'));
            let words: Vec<&str> = words.collect();
            let mut line = format!("{}", self.port(send.node));
            if send.link == Link::Replica {
                line.push('r');
            }
            let mut count = 0;
            for word in words.iter().filter(|word| !word.is_empty()) {
                if word.strip_prefix('*').is_some_and(|digits| digits.parse::<u32>().is_ok()) {
                    count += 1;
                    line.push_str(if count == 1 { ":" } else { " |" });
                } else {
                    line.push(' ');
                    line.push_str(word);
                }
            }
            assert_eq!(send.replies, count, "{line}");
            sends.push((send, line));
        }
        sends
    }

    fn port(&self, node: NodeId) -> u16 {
        match self.cluster.endpoint(node) {
            Some(redis_core::Endpoint::Tcp { port, .. }) => *port,
            _ => 0,
        }
    }

    fn reply(&mut self, exchange: &mut Exchange, send: &Send, of: &[&str]) {
        exchange.handle_replies(self.now, &mut self.cluster, send.id, frames(of)).unwrap();
    }

    /// Sends, checks what, and answers each.
    fn step<S: Source>(&mut self, exchange: &mut Exchange, source: &S, script: &[(&str, &[&str])]) {
        let sends = self.sends(exchange, source);
        let lines: Vec<&str> = sends.iter().map(|(_, line)| &line[..]).collect();
        let expected: Vec<&str> = script.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, expected);
        for ((send, _), (_, answer)) in sends.iter().zip(script) {
            self.reply(exchange, send, answer);
        }
    }

    /// Lets the time come that the exchange waits for.
    fn sleep(&mut self, exchange: &mut Exchange) {
        self.now = exchange.poll_timeout().expect("it waits").max(self.now);
        exchange.handle_timeout(self.now);
    }

    fn lost(&mut self, exchange: &mut Exchange, send: &Send, delivery: Delivery) {
        let error = Error::new(ErrorKind::Io, "lost").with_delivery(delivery);
        exchange.handle_failed(self.now, &mut self.cluster, send.id, error);
    }
}

fn raw(text: &str) -> Cmd<()> {
    Cmd::raw(text)
}

fn pipeline(atomic: bool, commands: &[&str]) -> Sent {
    let mut pipeline = Pipeline::atomic();
    pipeline.set_transaction(atomic);
    pipeline.mark();
    commands.iter().for_each(|command| pipeline.push(raw(command)));
    pipeline.take().unwrap().unwrap()
}

fn all(exchange: &Exchange, sent: &Sent) -> Vec<String> {
    let all = exchange.replies(sent).unwrap().all();
    all.into_iter()
        .map(|reply| reply.map_or_else(|e| e.to_string(), |v| format!("{v:?}")))
        .collect()
}

#[test]
fn a_command_goes_to_the_node_of_its_slot() {
    let mut rig = rig(|_| {});
    for (command, line) in [
        ("GET a", "3: GET a"),
        ("GET b", "1: GET b"),
        ("SET c 1", "2: SET c 1"),
        ("MGET {c}1 {c}2", "2: MGET {c}1 {c}2"),
        ("EVAL x 1 b", "1: EVAL x 1 b"),
        ("OBJECT FREQ a", "3: OBJECT FREQ a"),
        ("XREAD STREAMS c 0", "2: XREAD STREAMS c 0"),
    ] {
        let cmd = raw(command);
        let mut exchange = rig.start(&cmd);
        assert!(!exchange.is_over());
        rig.step(&mut exchange, &cmd, &[(line, &["$x"])]);
        assert!(exchange.is_over());
        assert_eq!(exchange.take_reply().unwrap(), "$1\r\nx\r\n");
        assert_eq!(exchange.poll_timeout(), None);
    }
    let get = cmd::get::<String>("a").into_cmd();
    let mut exchange = rig.start(&get);
    rig.step(&mut exchange, &get, &[("3: GET a", &["$x"])]);
}

#[test]
fn refusals_are_followed_or_waited_for_and_other_errors_are_replies() {
    // What a node says, and what is sent then; a dot waits.
    for (answers, expected) in [
        (&["-MOVED 3300 h:2", "$x"][..], &["2: GET b"][..]),
        (&["-MOVED 3300 :2", "$x"], &["2: GET b"]),
        (&["-ASK 3300 h:2", "$x"], &["2: ASKING | GET b"]),
        (&["-ASK 3300 h:77", "$x"], &["77: ASKING | GET b"]),
        (&["-MOVED 3300 h:2", "-ASK 3300 h:3", "$x"], &["2: GET b", "3: ASKING | GET b"]),
        (&["-ASK 3300 h:2", "-TRYAGAIN x", "$x"], &["2: ASKING | GET b", ".", "1: GET b"]),
        (&["-TRYAGAIN x", "$x"], &[".", "1: GET b"]),
        (&["-CLUSTERDOWN x", "$x"], &[".", "1: GET b"]),
        (&["-LOADING x", "$x"], &[".", "1: GET b"]),
        (&["-READONLY x", "$x"], &[".", "1: GET b"]),
        (&["-MASTERDOWN x", "$x"], &[".", "1: GET b"]),
        (&["-MOVED 3300 h:1", "$x"], &[".", "1: GET b"]),
        (&["-MOVED 3300 ?:1", "$x"], &[".", "1: GET b"]),
        (&["-ERR no"], &[]),
        (&["-WRONGTYPE no"], &[]),
        (&["-CROSSSLOT no"], &[]),
        (&["-MOVED nonsense"], &[]),
    ] {
        let mut rig = rig(|_| {});
        let cmd = raw("GET b");
        let mut exchange = rig.start(&cmd);
        let mut lines = vec!["1: GET b"];
        lines.extend(expected);
        let mut answers = answers.iter();
        let mut last = "";
        for line in lines {
            if line == "." {
                assert_eq!(rig.sends(&mut exchange, &cmd), []);
                rig.sleep(&mut exchange);
                continue;
            }
            last = answers.next().unwrap();
            let asking: &[&str] = if line.contains("ASKING") { &["+OK", last] } else { &[last] };
            rig.step(&mut exchange, &cmd, &[(line, asking)]);
        }
        assert!(exchange.is_over(), "{expected:?}");
        assert_eq!(exchange.take_reply().unwrap(), frames(&[last]));
    }
}

#[test]
fn a_command_that_was_sent_without_an_exchange_goes_on_with_one() {
    let mut rig = rig(|_| {});
    let get = cmd::get::<String>("b").into_cmd();
    let (node, link) = rig.cluster.route(rig.now, &get).unwrap();
    assert_eq!((rig.port(node), link), (1, Link::Primary));
    let (options, route) = (Options::default(), (node, link));
    let (mut exchange, send) =
        Exchange::resume(rig.now, &mut rig.cluster, &get, options, route).unwrap();
    assert_eq!(rig.sends(&mut exchange, &get), []);
    rig.reply(&mut exchange, &send, &["-ASK 3300 h:2"]);
    rig.step(&mut exchange, &get, &[("2: ASKING | GET b", &["+OK", "$x"])]);
    assert_eq!(exchange.take_reply().unwrap(), "$1\r\nx\r\n");
    for command in ["PING", "MGET a b", "BLPOP b 0"] {
        assert_eq!(rig.cluster.route(rig.now, &raw(command)), None, "{command}");
    }
}

#[test]
fn moved_changes_the_map_for_all_and_ask_for_nobody() {
    let mut rig = rig(|_| {});
    let cmd = raw("GET b");
    for (answer, next) in [("-ASK 3300 h:2", "1: GET b"), ("-MOVED 3300 h:2", "2: GET b")] {
        let mut exchange = rig.start(&cmd);
        rig.step(&mut exchange, &cmd, &[("1: GET b", &[answer])]);
        let mut other = rig.start(&cmd);
        assert_eq!(rig.sends(&mut other, &cmd)[0].1, next);
        assert_eq!(rig.sends(&mut exchange, &cmd).len(), 1);
    }
}

#[test]
fn redirects_end_at_their_limit_and_at_the_deadline() {
    let mut rig = rig(|settings| settings.max_redirects = 5);
    let cmd = raw("GET b");
    let mut exchange = rig.start(&cmd);
    let mut count = 0;
    while !exchange.is_over() {
        if let Some((send, line)) = rig.sends(&mut exchange, &cmd).pop() {
            count += 1;
            let other = if line.starts_with('1') { "-MOVED 3300 h:2" } else { "-MOVED 3300 h:1" };
            rig.reply(&mut exchange, &send, &[other]);
        } else {
            rig.sleep(&mut exchange);
        }
    }
    assert_eq!(count, 6);
    assert!(exchange.take_reply().unwrap().starts_with(b"-MOVED"));

    let deadline = Some(rig.now);
    let options = Options { deadline, ..Options::default() };
    let mut exchange = Exchange::new(&rig.cluster, &cmd, options).unwrap();
    let send = rig.sends(&mut exchange, &cmd).pop().unwrap().0;
    rig.reply(&mut exchange, &send, &["-TRYAGAIN x"]);
    assert!(exchange.take_reply().unwrap().starts_with(b"-TRYAGAIN"));
}

#[test]
fn what_may_have_run_is_sent_again_only_if_that_does_no_harm() {
    for (command, delivery, again) in [
        ("GET b", Delivery::MaybeExecuted, true),
        ("INCR b", Delivery::MaybeExecuted, false),
        ("INCR b", Delivery::NotSent, true),
    ] {
        let mut rig = rig(|_| {});
        let cmd = raw(command);
        let mut exchange = rig.start(&cmd);
        let send = rig.sends(&mut exchange, &cmd).pop().unwrap().0;
        rig.lost(&mut exchange, &send, delivery);
        assert_eq!(exchange.is_over(), !again, "{command}");
        if again {
            rig.sleep(&mut exchange);
            rig.step(&mut exchange, &cmd, &[(&format!("1: {command}"), &[":1"])]);
            assert!(exchange.take_reply().is_ok());
        } else {
            assert_eq!(exchange.take_reply().unwrap_err().delivery(), delivery);
        }
        assert!(rig.cluster.poll_timeout().is_some(), "the map may be old");
    }
}

#[test]
fn a_late_answer_is_nobodys() {
    let mut rig = rig(|_| {});
    let cmd = raw("GET b");
    let mut exchange = rig.start(&cmd);
    let send = rig.sends(&mut exchange, &cmd).pop().unwrap().0;
    rig.lost(&mut exchange, &send, Delivery::NotSent);
    let late = exchange.handle_replies(rig.now, &mut rig.cluster, send.id, frames(&[":1"]));
    assert_eq!(late.unwrap_err().kind(), ErrorKind::Protocol);
    rig.lost(&mut exchange, &send, Delivery::MaybeExecuted);
    rig.sleep(&mut exchange);
    rig.step(&mut exchange, &cmd, &[("1: GET b", &[":2"])]);
    assert_eq!(exchange.take_reply().unwrap(), ":2\r\n");
}

#[test]
fn a_pipeline_goes_to_all_its_nodes_at_once_and_replies_are_in_order() {
    let mut rig = rig(|_| {});
    let sent = pipeline(false, &["GET a", "GET b", "GET c", "GET foo", "GET hello", "PING x y"]);
    let mut exchange = rig.start(&sent);
    let sends = rig.sends(&mut exchange, &sent);
    let lines: Vec<&str> = sends.iter().map(|(_, line)| &line[..]).collect();
    assert!(lines.contains(&"2: GET c | PING x y") || lines.contains(&"2: GET c"), "{lines:?}");
    for (send, line) in &sends {
        let answers: Vec<String> =
            line.split(&[':', '|'][1..]).map(|c| format!("${}", c.trim())).collect();
        // One frame at a time.
        for answer in &answers {
            let answer = answer.trim_start_matches(|c| "$0123456789: ".contains(c));
            rig.reply(&mut exchange, send, &[&format!("${answer}")]);
        }
    }
    assert!(exchange.is_over());
    let list: Vec<String> = exchange.replies(&sent).unwrap().decode().unwrap();
    assert_eq!(list[..5], ["GET a", "GET b", "GET c", "GET foo", "GET hello"]);
}

#[test]
fn a_redirected_command_of_a_pipeline_disturbs_no_other() {
    let mut rig = rig(|_| {});
    let sent = pipeline(false, &["INCR b", "INCR hello", "GET b", "SET b 1", "INCR c"]);
    let mut exchange = rig.start(&sent);
    rig.step(
        &mut exchange,
        &sent,
        &[
            (
                "1: INCR b | INCR hello | GET b | SET b 1",
                &["-ASK 3300 h:2", ":7", "-TRYAGAIN x", "-MOVED 3300 h:3"],
            ),
            ("2: INCR c", &["-WRONGTYPE no"]),
        ],
    );
    assert!(!exchange.is_over());
    rig.step(
        &mut exchange,
        &sent,
        &[("2: ASKING | INCR b", &["+OK", ":1"]), ("3: SET b 1", &["+OK"])],
    );
    rig.sleep(&mut exchange);
    rig.step(&mut exchange, &sent, &[("3: GET b", &["$1"])]);
    assert!(exchange.is_over());
    let expected = [
        "Integer(1)",
        "Integer(7)",
        "String(b\"1\")",
        "Status(\"OK\")",
        "command 5 of 5 (`INCR c`): WRONGTYPE no",
    ];
    let got = all(&exchange, &sent);
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected).filter(|(got, _)| !got.contains("OK")) {
        assert_eq!(got, expected);
    }
}

#[test]
fn a_node_that_is_down_fails_its_own_commands_only() {
    let mut rig = rig(|_| {});
    let sent = pipeline(false, &["INCR b", "INCR a", "INCR hello", "GET hello"]);
    let mut exchange = rig.start(&sent);
    let sends = rig.sends(&mut exchange, &sent);
    let (one, three) = (sends[0].0, sends[1].0);
    // The first reply came, the others did not.
    rig.reply(&mut exchange, &one, &[":1"]);
    rig.lost(&mut exchange, &one, Delivery::MaybeExecuted);
    rig.reply(&mut exchange, &three, &[":2"]);
    rig.sleep(&mut exchange);
    rig.step(&mut exchange, &sent, &[("1: GET hello", &["$5"])]);
    assert!(exchange.is_over());
    let got = all(&exchange, &sent);
    assert_eq!(got[..2], ["Integer(1)", "Integer(2)"]);
    assert_eq!(got[2], "command 3 of 4 (`INCR hello`): lost");
    assert_eq!(got[3], "String(b\"5\")");
    let error = exchange.replies(&sent).unwrap().decode::<Vec<Value>>().unwrap_err();
    assert_eq!(error.delivery(), Delivery::MaybeExecuted);
}

#[test]
fn a_transaction_is_in_one_slot_and_goes_as_a_whole() {
    let three_nodes = || rig(|_| {});
    let rig = three_nodes();
    let apart = pipeline(true, &["INCR b", "PING", "INCR a"]);
    let error = Exchange::new(&rig.cluster, &apart, Options::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().contains("key `a` hashes to slot 15495"), "{error}");
    assert!(error.to_string().contains("(key `b`)"), "{error}");

    let sent = pipeline(true, &["INCR b", "PING", "GET {b}2"]);
    let line = "MULTI | INCR b | PING | GET {b}2 | EXEC";
    let queued = ["+OK", "+QUEUED", "+QUEUED", "+QUEUED"];
    let done = [&queued[..], &["*3\r\n:1\r\n+PONG\r\n$-1"]].concat();
    let refused = |at: usize, with: &'static str| {
        let mut frames = [&queued[..], &["-EXECABORT no"]].concat();
        frames[at] = with;
        frames
    };
    for (first, next) in [
        (refused(1, "-MOVED 3300 h:2"), "2: "),
        (refused(3, "-ASK 3300 h:2"), "2: ASKING | "),
        (refused(3, "-TRYAGAIN x"), ". 1: "),
        (refused(1, "-LOADING x"), ". 1: "),
        (refused(4, "-MOVED 3300 h:2"), "2: "),
    ] {
        let mut rig = three_nodes();
        let mut exchange = rig.start(&sent);
        let send = rig.sends(&mut exchange, &sent).pop().unwrap();
        let from = send.1.clone();
        assert!(from.ends_with(line));
        // In two pieces.
        rig.reply(&mut exchange, &send.0, &first[..2]);
        rig.reply(&mut exchange, &send.0, &first[2..]);
        let next = match next.strip_prefix(". ") {
            Some(_) => {
                rig.sleep(&mut exchange);
                from
            }
            None => format!("{next}{line}"),
        };
        let answer =
            if next.contains("ASKING") { [&["+OK"], &done[..]].concat() } else { done.clone() };
        rig.step(&mut exchange, &sent, &[(&next, &answer)]);
        let got: (i64, String, Option<String>) = exchange.replies(&sent).unwrap().decode().unwrap();
        assert_eq!(got, (1, "PONG".into(), None));
    }
}

#[test]
fn a_transaction_that_is_refused_too_late_says_why() {
    let mut rig = rig(|_| {});
    let sent = pipeline(true, &["INCR b"]);
    let deadline = Some(rig.now);
    let options = Options { deadline, ..Options::default() };
    let mut exchange = Exchange::new(&rig.cluster, &sent, options).unwrap();
    let send = rig.sends(&mut exchange, &sent).pop().unwrap().0;
    rig.reply(&mut exchange, &send, &["+OK", "-LOADING x", "-EXECABORT no"]);
    assert_eq!(exchange.replies(&sent).unwrap_err().code(), Some("LOADING"));
}

#[test]
fn a_transaction_that_may_have_run_is_not_sent_again() {
    let sent = pipeline(true, &["INCR b", "GET b"]);
    for (answers, text) in [
        // Some of it ran: MULTI was refused, and the rest taken for plain commands.
        (&["-NOPERM no", "-MOVED 3300 h:2", ":1", "-ERR EXEC without MULTI"][..], "NOPERM"),
        (&["+OK", "-ERR no", "+QUEUED", "-EXECABORT x"], "ERR no"),
        (&["+OK", "+QUEUED", "+QUEUED", "*-1"], "a watched key changed"),
        (&["+OK", "+QUEUED", "+QUEUED", "*1\r\n:1"], "out of step"),
    ] {
        let mut rig = rig(|_| {});
        let mut exchange = rig.start(&sent);
        let send = rig.sends(&mut exchange, &sent).pop().unwrap().0;
        rig.reply(&mut exchange, &send, answers);
        assert!(exchange.is_over(), "{answers:?}");
        let error = exchange.replies(&sent).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
    }
    let mut rig = rig(|_| {});
    let mut exchange = rig.start(&sent);
    let send = rig.sends(&mut exchange, &sent).pop().unwrap().0;
    rig.reply(&mut exchange, &send, &["+OK", "+QUEUED"]);
    rig.lost(&mut exchange, &send, Delivery::MaybeExecuted);
    assert_eq!(exchange.replies(&sent).unwrap_err().delivery(), Delivery::MaybeExecuted);
}

#[test]
fn commands_over_several_slots_are_split_and_merged() {
    for (command, script, reply) in [
        (
            "MGET a b {a}1 c b",
            &[
                ("1: MGET b b", &["*2\r\n$1\r\nB\r\n$1\r\nB"][..]),
                ("2: MGET c", &["*1\r\n$-1"]),
                ("3: MGET a {a}1", &["*2\r\n$1\r\nA\r\n$2\r\nA1"]),
            ][..],
            "*5\r\n$1\r\nA\r\n$1\r\nB\r\n$2\r\nA1\r\n$-1\r\n$1\r\nB\r\n",
        ),
        (
            "DEL a b c",
            &[("1: DEL b", &[":1"]), ("2: DEL c", &[":0"]), ("3: DEL a", &[":1"])],
            ":2\r\n",
        ),
        ("EXISTS a b b", &[("1: EXISTS b b", &[":2"]), ("3: EXISTS a", &[":1"])], ":3\r\n"),
        ("MSET a 1 b 2", &[("1: MSET b 2", &["+OK"]), ("3: MSET a 1", &["+OK"])], "+OK\r\n"),
        ("TOUCH a b", &[("1: TOUCH b", &[":1"]), ("3: TOUCH a", &["-ERR no"])], "-ERR no\r\n"),
        // One part moves.
        ("UNLINK foo a", &[("3: UNLINK foo | UNLINK a", &[":1", ":1"])], ":2\r\n"),
    ] {
        let mut rig = rig(|settings| settings.split_mset = true);
        let cmd = raw(command);
        let mut exchange = Exchange::new(&rig.cluster, &cmd, Options::default()).unwrap();
        rig.step(&mut exchange, &cmd, script);
        assert!(exchange.is_over());
        assert_eq!(exchange.take_reply().unwrap(), reply, "{command}");
    }
    let rig = rig(|_| {});
    for (command, text) in [
        ("MSET a 1 b 2", "see `split_mset`"),
        ("RENAME a b", "key `b` hashes to slot 3300"),
        ("MSETEX 2 a 1 b 2", "MSETEX: key `b` hashes to slot 3300"),
    ] {
        let error = Exchange::new(&rig.cluster, &raw(command), Options::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[test]
fn parts_are_redirected_and_fail_by_themselves() {
    let mut rig = rig(|_| {});
    let sent = pipeline(false, &["INCR a", "DEL a b c", "INCR b"]);
    let mut exchange = rig.start(&sent);
    rig.step(
        &mut exchange,
        &sent,
        &[
            ("3: INCR a | DEL a", &[":1", ":1"]),
            ("1: DEL b | INCR b", &["-MOVED 3300 h:2", ":5"]),
            ("2: DEL c", &[":1"]),
        ],
    );
    rig.step(&mut exchange, &sent, &[("2: DEL b", &[":1"])]);
    assert_eq!(all(&exchange, &sent), ["Integer(1)", "Integer(3)", "Integer(5)"]);

    // A part that was not sent leaves doubt about the whole: the others ran.
    let cmd = raw("DEL a b");
    let mut exchange = rig.start(&cmd);
    let sends = rig.sends(&mut exchange, &cmd);
    rig.reply(&mut exchange, &sends[1].0, &[":1"]);
    let send = sends[0].0;
    let refused = Error::new(ErrorKind::Auth, "refused");
    exchange.handle_failed(rig.now, &mut rig.cluster, send.id, refused);
    let error = exchange.take_reply().unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Auth, Delivery::MaybeExecuted));
}

#[test]
fn commands_without_keys_go_where_the_table_says() {
    for (command, expected, answer, reply) in [
        ("DBSIZE", &["1: DBSIZE", "2: DBSIZE", "3: DBSIZE"][..], ":4", ":12\r\n"),
        ("FLUSHALL", &["1: FLUSHALL", "2: FLUSHALL", "3: FLUSHALL"], "+OK", "+OK\r\n"),
        ("SCRIPT FLUSH", &["1", "11r", "2", "12r", "3", "13r"], "+OK", "+OK\r\n"),
        ("KEYS *", &["1", "2", "3"], "*1\r\n$1\r\nk", "*3\r\n$1\r\nk\r\n$1\r\nk\r\n$1\r\nk\r\n"),
        ("SCRIPT EXISTS x", &["1", "2", "3"], "*1\r\n:1", "*1\r\n:1\r\n"),
        ("WAIT 1 5", &["1", "2", "3"], ":2", ":2\r\n"),
        ("RANDOMKEY", &["1", "2", "3"], "$k", "$1\r\nk\r\n"),
    ] {
        let mut rig = rig(|_| {});
        let cmd = raw(command);
        let mut exchange = rig.start(&cmd);
        let sends = rig.sends(&mut exchange, &cmd);
        assert_eq!(sends.len(), expected.len(), "{command}");
        for ((send, line), expected) in sends.iter().zip(expected) {
            assert!(line.starts_with(expected), "{line}");
            rig.reply(&mut exchange, send, &[answer]);
        }
        assert_eq!(exchange.take_reply().unwrap(), reply);
        assert_eq!(exchange.each_reply(0).count(), expected.len());
    }
    let mut rig = rig(|_| {});
    let mut nodes = std::collections::BTreeSet::new();
    for _ in 0..6 {
        for command in ["INFO", "EVAL x 0", "PUBLISH c m"] {
            let cmd = raw(command);
            let mut exchange = rig.start(&cmd);
            let sends = rig.sends(&mut exchange, &cmd);
            assert_eq!(sends.len(), 1, "{command}");
            nodes.insert(rig.port(sends[0].0.node));
        }
    }
    assert_eq!(nodes.len(), 3, "in turn");
    let error = Exchange::new(&rig.cluster, &raw("SCAN 0"), Options::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
}

#[test]
fn what_goes_to_every_node_keeps_its_place_among_the_others() {
    let mut rig = rig(|_| {});
    let sent = pipeline(false, &["SET b 1", "FLUSHALL", "SET b 2", "DEL a b", "DBSIZE", "GET c"]);
    let mut exchange = rig.start(&sent);
    let script: [(&str, &[&str]); 3] = [
        ("1: SET b 1 | FLUSHALL | SET b 2 | DEL b | DBSIZE", &["+OK", "+OK", "+OK", ":1", ":0"]),
        ("2: FLUSHALL | DBSIZE | GET c", &["+OK", ":0", "_"]),
        ("3: FLUSHALL | DEL a | DBSIZE", &["+OK", ":0", ":0"]),
    ];
    rig.step(&mut exchange, &sent, &script);
    assert!(exchange.is_over());
}

#[test]
fn a_target_is_where_it_goes() {
    let mut rig = rig(|_| {});
    let node = rig.cluster.primary_of(0).unwrap();
    let cmd = raw("GET a");
    let target = Target::Node(node);
    let mut exchange =
        Exchange::new(&rig.cluster, &cmd, Options { target, ..Options::default() }).unwrap();
    rig.step(&mut exchange, &cmd, &[("1: GET a", &["-MOVED 15495 h:3"])]);
    assert!(exchange.take_reply().unwrap().starts_with(b"-MOVED"), "it was named");
    let cmd = raw("INFO server");
    let target = Target::Every(Scope::Replicas);
    let mut exchange =
        Exchange::new(&rig.cluster, &cmd, Options { target, ..Options::default() }).unwrap();
    let script: [(&str, &[&str]); 3] = [
        ("11r: INFO server", &["$x"]),
        ("12r: INFO server", &["$y"]),
        ("13r: INFO server", &["$z"]),
    ];
    rig.step(&mut exchange, &cmd, &script);
    assert_eq!(exchange.take_reply().unwrap(), "*3\r\n$1\r\nx\r\n$1\r\ny\r\n$1\r\nz\r\n");
    let each: Vec<_> =
        exchange.each_reply(0).map(|(node, run)| (node, run.unwrap().frames)).collect();
    assert_eq!((rig.port(each[1].0), each[1].1), (12, &b"$1\r\ny\r\n"[..]));
}

#[test]
fn nodes_of_a_kind_that_there_is_none_of_are_not_waited_for() {
    let mut rig = rig(|_| {});
    let node = rig.cluster.primary_of(0).unwrap();
    rig.cluster.refresh(rig.now);
    rig.now = rig.cluster.poll_timeout().unwrap();
    rig.cluster.handle_timeout(rig.now);
    let view = redis_core::decode(b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$1\r\nh\r\n:1\r\n");
    while rig.cluster.nodes().count() > 1 {
        match rig.cluster.poll_action() {
            Some(Action::Ask(asked)) if asked == node => {
                rig.cluster.handle_view(rig.now, asked, view.clone());
            }
            Some(Action::Ask(asked)) => {
                let error = Error::new(ErrorKind::Connect, "refused");
                rig.cluster.handle_view(rig.now, asked, Err(error));
            }
            _ => {}
        }
    }
    let target = Target::Every(Scope::Replicas);
    let cmd = raw("INFO server");
    let options = Options { target, ..Options::default() };
    let mut exchange = Exchange::new(&rig.cluster, &cmd, options).unwrap();
    assert_eq!(rig.sends(&mut exchange, &cmd), []);
    let error = exchange.take_reply().unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Connect, Delivery::NotSent));
}

#[test]
fn a_refused_handshake_is_the_error_of_what_waits_for_the_map() {
    for (refusal, kind) in [
        ("WRONGPASS no", ErrorKind::Auth),
        ("ERR SELECT is not allowed in cluster mode", ErrorKind::Server),
    ] {
        let seed = redis_core::Endpoint::Tcp { host: "h".into(), port: 9 };
        let config = std::sync::Arc::new(redis_core::Config::default());
        let now = Instant::now();
        let mut rig = Rig { cluster: Cluster::new(config, ClusterConfig::new([seed]), 1), now };
        let cmd = raw("GET b");
        let mut exchange = rig.start(&cmd);
        assert_eq!(rig.sends(&mut exchange, &cmd), []);
        rig.cluster.handle_timeout(now);
        let Some(Action::Ask(node)) = rig.cluster.poll_action() else { panic!("nothing is known") };
        let refused = Error::server(refusal.as_bytes())
            .with_delivery(Delivery::NotSent)
            .with_context("while connecting to h:9");
        rig.cluster.handle_view(now, node, Err(refused.clone()));
        exchange.handle_map(now, &mut rig.cluster);
        let error = exchange.take_reply().unwrap_err();
        assert_eq!((error.kind(), error.delivery()), (kind, Delivery::NotSent));
        assert_eq!(error.to_string(), refused.to_string());
    }
}

#[test]
fn reads_go_to_replicas_and_back_when_those_fail() {
    let mut rig = rig(|settings| settings.read_from = ReadFrom::PreferReplica);
    let sent = pipeline(false, &["GET b", "SET b 1", "GET hello"]);
    let mut exchange = rig.start(&sent);
    rig.step(
        &mut exchange,
        &sent,
        &[("11r: GET b | GET hello", &["$x", "-MOVED 866 h:1"]), ("1: SET b 1", &["+OK"])],
    );
    rig.step(&mut exchange, &sent, &[("1: GET hello", &["$y"])]);
    assert!(exchange.is_over());
    let cmd = raw("GET b");
    let mut exchange = rig.start(&cmd);
    let send = rig.sends(&mut exchange, &cmd).pop().unwrap().0;
    rig.lost(&mut exchange, &send, Delivery::MaybeExecuted);
    rig.sleep(&mut exchange);
    rig.step(&mut exchange, &cmd, &[("1: GET b", &["$x"])]);
}

#[test]
fn blocking_commands_take_a_connection_of_their_own() {
    let mut rig = rig(|settings| settings.read_from = ReadFrom::PreferReplica);
    let sent = pipeline(false, &["BLPOP b 0", "LPUSH b x", "INCR c"]);
    let mut exchange = rig.start(&sent);
    let sends = rig.sends(&mut exchange, &sent);
    assert_eq!((sends[0].0.block, sends[1].0.block), (Block::Forever, Block::Never));
    let cmd = raw("XREAD BLOCK 0 STREAMS b 0");
    let mut exchange = rig.start(&cmd);
    let (send, line) = rig.sends(&mut exchange, &cmd).pop().unwrap();
    assert_eq!((send.block, &line[..2]), (Block::Forever, "1:"));
}

#[test]
fn keys_that_the_table_does_not_know_are_asked_for() {
    for (keys, next) in [
        ("*1\r\n$1\r\nb", "1: MY.CMD x b"),
        ("-ERR The command has no key arguments", ""),
        ("-ERR Invalid command specified", ""),
    ] {
        let mut rig = rig(|_| {});
        let cmd = raw("MY.CMD x b");
        let mut exchange = rig.start(&cmd);
        let (send, line) = rig.sends(&mut exchange, &cmd).pop().unwrap();
        assert!(line.ends_with("COMMAND GETKEYS MY.CMD x b"), "{line}");
        rig.reply(&mut exchange, &send, &[keys]);
        let (send, line) = rig.sends(&mut exchange, &cmd).pop().unwrap();
        assert!(line.starts_with(next) && line.ends_with(": MY.CMD x b"), "{line}");
        rig.reply(&mut exchange, &send, &[":1"]);
        assert_eq!(exchange.take_reply().unwrap(), ":1\r\n");
    }
    let mut rig = rig(|_| {});
    let cmd = raw("MY.CMD a b");
    let mut exchange = rig.start(&cmd);
    let send = rig.sends(&mut exchange, &cmd).pop().unwrap().0;
    rig.reply(&mut exchange, &send, &["*2\r\n$1\r\na\r\n$1\r\nb"]);
    let error = exchange.take_reply().unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::InvalidRequest, Delivery::NotSent));
}

#[test]
fn requests_wait_for_the_first_map_and_fail_when_there_is_none() {
    let seed = redis_core::Endpoint::Tcp { host: "h".into(), port: 9 };
    let config = std::sync::Arc::new(redis_core::Config::default());
    for there in [true, false] {
        let now = Instant::now();
        let cluster = Cluster::new(config.clone(), ClusterConfig::new([seed.clone()]), 1);
        let mut rig = Rig { cluster, now };
        let sent = pipeline(false, &["GET b", "DBSIZE"]);
        let mut exchange = rig.start(&sent);
        assert_eq!(rig.sends(&mut exchange, &sent), []);
        let mut rounds = 0;
        while !exchange.is_over() {
            rig.cluster.handle_timeout(rig.now);
            while let Some(action) = rig.cluster.poll_action() {
                match action {
                    Action::Ask(node) if there => {
                        let view = redis_core::decode(
                            b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$1\r\nh\r\n:1\r\n",
                        );
                        rig.cluster.handle_view(rig.now, node, view);
                    }
                    Action::Ask(node) => {
                        rounds += 1;
                        let error = Error::new(ErrorKind::Connect, "refused");
                        rig.cluster.handle_view(rig.now, node, Err(error));
                    }
                    Action::Changed => exchange.handle_map(rig.now, &mut rig.cluster),
                    _ => {}
                }
            }
            for (send, line) in rig.sends(&mut exchange, &sent) {
                let answer: Vec<&str> = line.split('|').map(|_| ":1").collect();
                rig.reply(&mut exchange, &send, &answer);
            }
            if !exchange.is_over() {
                let due = [exchange.poll_timeout(), rig.cluster.poll_timeout()];
                rig.now = due.into_iter().flatten().min().expect("something is to come");
                exchange.handle_timeout(rig.now);
            }
        }
        let got = all(&exchange, &sent);
        if there {
            assert_eq!(got, ["Integer(1)", "Integer(1)"]);
        } else {
            assert!(got[0].contains("refused"), "{got:?}");
            assert_eq!(rounds, 1 + config.max_retries);
        }
    }
}

#[test]
fn what_waits_ends_at_the_deadline_and_says_what_for() {
    let mut rig = rig(|_| {});
    let end = rig.now + std::time::Duration::from_secs(1);
    let deadline = Some(end);
    let cmd = raw("GET b");
    let mut exchange =
        Exchange::new(&rig.cluster, &cmd, Options { deadline, ..Options::default() }).unwrap();
    let send = rig.sends(&mut exchange, &cmd).pop().unwrap().0;
    rig.reply(&mut exchange, &send, &["-TRYAGAIN x"]);
    exchange.handle_timeout(end);
    let error = exchange.take_reply().unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Timeout, Delivery::NotSent));
    assert!(error.to_string().ends_with("could run the command: TRYAGAIN x"), "{error}");
    assert_eq!(exchange.poll_timeout(), None);
}

#[test]
fn scripts_of_a_pipeline_carry_their_source_to_every_node() {
    let script = Script::<i64>::new("return 1");
    let mut pipeline = Pipeline::atomic();
    pipeline.set_transaction(false);
    pipeline.mark();
    pipeline.push(script.key("a"));
    pipeline.push(script.key("b"));
    let sent = pipeline.take().unwrap().unwrap();
    let mut rig = rig(|_| {});
    let mut exchange = rig.start(&sent);
    let script: [(&str, &[&str]); 2] =
        [("3: EVAL return 1 1 a", &[":1"]), ("1: EVAL return 1 1 b", &[":1"])];
    rig.step(&mut exchange, &sent, &script);
}

/// `cargo test --release -p redis-cluster exchange_costs -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
#[allow(clippy::print_stdout, reason = "it measures")]
fn exchange_costs() {
    let mut rig = rig(|_| {});
    let get = cmd::get::<String>("greeting").into_cmd();
    let reply = frames(&["$x"]);
    let start = Instant::now();
    for _ in 0..1_000_000 {
        let mut exchange = rig.start(&get);
        let send = exchange.poll_send(rig.now, &mut rig.cluster).unwrap();
        exchange.handle_replies(rig.now, &mut rig.cluster, send.id, reply.clone()).unwrap();
        assert_eq!(exchange.take_reply().unwrap().len(), reply.len());
    }
    println!("a single command: {:?}", start.elapsed() / 1_000_000);
    let start = Instant::now();
    let routed = (0..1_000_000).filter(|_| rig.cluster.route(rig.now, &get).is_some()).count();
    println!("routing one: {:?}, {routed}", start.elapsed() / 1_000_000);
    let mut pipeline = Pipeline::atomic();
    pipeline.set_transaction(false);
    pipeline.mark();
    (0..1000).for_each(|n| pipeline.push(cmd::get::<String>(n)));
    let sent = pipeline.take().unwrap().unwrap();
    let replies: Bytes = "$1\r\nx\r\n".repeat(1000).into();
    let start = Instant::now();
    for _ in 0..1000 {
        let mut exchange = rig.start(&sent);
        while let Some(send) = exchange.poll_send(rig.now, &mut rig.cluster) {
            let mut out = SendBuffer::default();
            exchange.write(&send, &sent, &mut out);
            let frames = replies.slice(..7 * send.replies as usize);
            exchange.handle_replies(rig.now, &mut rig.cluster, send.id, frames).unwrap();
        }
        let list: Vec<String> = exchange.replies(&sent).unwrap().decode().unwrap();
        assert_eq!(list.len(), 1000);
    }
    println!("each of 1,000 commands over three nodes: {:?}", start.elapsed() / 1_000_000);
}
