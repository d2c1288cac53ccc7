use bytes::Bytes;
use proptest::prelude::*;

use super::describe::{Names, SHOWN};
use super::*;
use crate::command::Cmd;
use crate::error::{Delivery, ErrorKind};
use crate::reply::Value;

fn sent(transaction: bool, commands: &[&str]) -> Sent {
    let mut pipeline = Pipeline::atomic();
    pipeline.set_transaction(transaction);
    for command in commands {
        pipeline.push(Cmd::<()>::raw(command));
    }
    pipeline.take().unwrap().unwrap()
}

fn runs(frames: &[u8]) -> [Run<'_>; 1] {
    [Run { frames, memory: None }]
}

#[test]
fn a_pipeline_is_empty_after_it_was_taken() {
    let mut pipeline = Pipeline::atomic();
    pipeline.set_transaction(false);
    assert!(pipeline.take().unwrap().is_none());
    pipeline.push(Cmd::<()>::raw("PING"));
    assert_eq!(pipeline.len(), 1);
    let sent = pipeline.take().unwrap().unwrap();
    assert_eq!(sent.parts().concat(), b"*1\r\n$4\r\nPING\r\n");
    assert_eq!(sent.replies(), 1);
    assert!(pipeline.is_empty() && pipeline.plain);
}

#[test]
fn a_transaction_is_wrapped_in_multi_and_exec() {
    let sent = sent(true, &["A", "B"]);
    assert_eq!(
        sent.parts().concat(),
        [MULTI, b"*1\r\n$1\r\nA\r\n*1\r\n$1\r\nB\r\n", EXEC].concat()
    );
    assert_eq!(sent.replies(), 4);
    let frames = b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n$1\r\nx\r\n";
    let list: Vec<Value> = Vec::from_replies(&mut sent.open(runs(frames)).unwrap()).unwrap();
    assert_eq!(list, [Value::Integer(1), Value::String("x".into())]);
}

#[test]
fn the_first_failed_command_is_the_error_with_its_position_and_text() {
    let sent = sent(false, &["A", "LPUSH key", "C"]);
    let frames = b":1\r\n-WRONGTYPE no\r\n-ERR later\r\n";
    let error = <()>::from_replies(&mut sent.open(runs(frames)).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "command 2 of 3 (`LPUSH key`): WRONGTYPE no");
    assert_eq!(error.code(), Some("WRONGTYPE"));
    let all = sent.open(runs(frames)).unwrap().all();
    assert_eq!(all[0].as_ref().unwrap(), &Value::Integer(1));
    assert_eq!(all[2].as_ref().unwrap_err().code(), Some("ERR"));
}

#[test]
fn a_command_refused_while_queueing_is_the_error_of_the_transaction() {
    let sent = sent(true, &["A", "B"]);
    let frames = b"+OK\r\n+QUEUED\r\n-ERR unknown command 'B'\r\n-EXECABORT discarded\r\n";
    let error = sent.open(runs(frames)).unwrap_err();
    assert_eq!(error.to_string(), "command 2 of 2 (`B`): ERR unknown command 'B'");
}

#[test]
fn null_from_exec_is_a_watch_error() {
    for null in ["*-1\r\n", "_\r\n"] {
        let sent = sent(true, &["A"]);
        let frames = format!("+OK\r\n+QUEUED\r\n{null}");
        let error = sent.open(runs(frames.as_bytes())).unwrap_err();
        assert!(error.is_watch() && error.delivery() == Delivery::Replied);
    }
}

#[test]
fn exec_with_the_wrong_number_of_replies_is_out_of_step() {
    let sent = sent(true, &["A", "B"]);
    let frames = b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*1\r\n:1\r\n";
    assert_eq!(sent.open(runs(frames)).unwrap_err().kind(), ErrorKind::Protocol);
}

#[test]
fn a_reply_that_does_not_convert_fails_alone() {
    let sent = sent(false, &["A", "B"]);
    let mut replies = sent.open(runs(b"*2\r\n$1\r\nx\r\n:1\r\n:7\r\n")).unwrap();
    assert_eq!(replies.next_as::<i64>().unwrap_err().kind(), ErrorKind::Decode);
    assert_eq!(replies.next_as::<i64>().unwrap(), 7);
}

#[test]
fn replies_may_come_in_several_runs() {
    let sent = sent(false, &["A", "B", "C"]);
    let runs = [b":1\r\n:2\r\n".as_slice(), b":3\r\n"].map(|frames| Run { frames, memory: None });
    assert_eq!(<[i64; 3]>::from_replies(&mut sent.open(runs).unwrap()).unwrap(), [1, 2, 3]);
}

#[test]
fn a_refused_command_stops_the_pipeline_before_it_is_sent() {
    let mut pipeline = Pipeline::atomic();
    pipeline.push(Cmd::<()>::raw("PING"));
    pipeline.push(Cmd::<()>::raw("SELECT").arg(1));
    let error = pipeline.take().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().starts_with("command 2: SELECT"), "{error}");
    assert!(pipeline.is_empty());
}

#[test]
fn long_commands_are_shortened_in_errors() {
    let mut pipeline = Pipeline::atomic();
    pipeline.push(Cmd::<()>::raw("A").arg(Bytes::from(vec![b'x'; 100_000])));
    pipeline.push(Cmd::<()>::raw("B").arg("é".repeat(200)));
    let sent = pipeline.take().unwrap().unwrap();
    let mut names = Names::new(&sent.parts);
    assert_eq!(names.describe(1), format!("A {}...", "x".repeat(98)));
    assert_eq!(names.describe(2), format!("B {}...", "é".repeat(98)));
    assert_eq!(names.describe(3), "EXEC");
    assert_eq!(names.describe(4), "");
}

#[test]
fn an_empty_pipeline_gives_what_holds_no_replies() {
    assert_eq!(Vec::<Value>::from_nothing().unwrap(), []);
    <()>::from_nothing().unwrap();
    assert_eq!(<[i64; 1]>::from_nothing().unwrap_err().kind(), ErrorKind::Decode);
}

#[test]
fn a_command_of_many_words_is_cut_where_its_text_is_long_enough() {
    let mut pipeline = Pipeline::atomic();
    let words = (0..10_000).map(|n| n.to_string()).collect::<Vec<_>>();
    pipeline.push(crate::cmd::del(&words));
    pipeline.push(Cmd::<()>::raw("NEXT"));
    let sent = pipeline.take().unwrap().unwrap();
    let mut names = Names::new(&sent.parts);
    let shown = names.describe(1);
    assert!(shown.starts_with("DEL 0 1 2 ") && shown.chars().count() == SHOWN + 3, "{shown}");
    assert_eq!(names.describe(2), "NEXT");
}

#[test]
fn naming_every_failed_command_walks_through_the_commands_once() {
    for transaction in [true, false] {
        let commands: Vec<_> = (0..1000).map(|n| format!("INCR k{n}")).collect();
        let commands: Vec<_> = commands.iter().map(String::as_str).collect();
        let sent = sent(transaction, &commands);
        let mut frames = "-ERR no\r\n".repeat(1000);
        if transaction {
            frames = format!("+OK\r\n{}*1000\r\n{frames}", "+QUEUED\r\n".repeat(1000));
        }
        let mut left = sent.parts().concat().len() - if transaction { MULTI.len() } else { 0 };
        let mut replies = sent.open(runs(frames.as_bytes())).unwrap();
        for (n, command) in commands.iter().enumerate() {
            let error = replies.next_as::<i64>().unwrap_err();
            let expected = format!("command {} of 1000 (`{command}`): ERR no", n + 1);
            assert_eq!(error.to_string(), expected);
            // What was shown is behind: no error begins anew.
            left -= Cmd::<()>::raw(command).to_vec().len();
            assert_eq!(replies.decoder.names.left(), left);
        }
    }
}

/// The same commands with some ignored, and what they reply.
fn with_ignored(transaction: bool, commands: &[(&str, bool)]) -> Sent {
    let mut pipeline = Pipeline::atomic();
    pipeline.set_transaction(transaction);
    for (command, ignored) in commands {
        pipeline.push(Cmd::<()>::raw(command));
        if *ignored {
            pipeline.ignore();
            // Once more is no more.
            pipeline.ignore();
        }
    }
    pipeline.take().unwrap().unwrap()
}

#[test]
fn ignored_replies_are_not_among_the_results() {
    let commands = [("A", true), ("B", false), ("C", true), ("D", true), ("E", false), ("F", true)];
    let plain = b":1\r\n:2\r\n*1\r\n:3\r\n$1\r\nx\r\n:5\r\n_\r\n".to_vec();
    let queued = "+QUEUED\r\n".repeat(6);
    let atomic = [b"+OK\r\n", queued.as_bytes(), b"*6\r\n", &plain].concat();
    for (sent, frames) in
        [(with_ignored(false, &commands), plain), (with_ignored(true, &commands), atomic)]
    {
        assert_eq!(sent.results(), 2);
        let open = || sent.open(runs(&frames)).unwrap();
        assert_eq!(open().decode::<(i64, i64)>().unwrap(), (2, 5));
        assert_eq!(open().decode::<[i64; 2]>().unwrap(), [2, 5]);
        assert_eq!(open().decode::<Vec<i64>>().unwrap(), [2, 5]);
        open().decode::<()>().unwrap();
        let all: Vec<_> = open().all().into_iter().map(Result::unwrap).collect();
        assert_eq!(all, [Value::Integer(2), Value::Integer(5)]);
        let map: Vec<(&str, i64)> = open().zip(vec!["b", "e"]).unwrap();
        assert_eq!(map, [("b", 2), ("e", 5)]);
        let mut replies = open();
        assert_eq!((replies.len(), replies.next_as::<i64>().unwrap()), (2, 2));
        assert_eq!((replies.len(), replies.next_as::<i64>().unwrap()), (1, 5));
        assert_eq!(replies.next_as::<i64>().unwrap_err().kind(), ErrorKind::Decode);
        let mut each = Each::new(&sent);
        let mut seen = Vec::new();
        let mut take = |index, reply: Result<i64>| seen.push((index, reply.unwrap()));
        each.handle_replies(runs(&frames)[0], &mut take).unwrap();
        assert_eq!(seen, [(0, 2), (1, 5)]);
    }
}

#[test]
fn an_ignored_command_that_fails_is_the_error_of_the_whole_and_shows_nowhere_else() {
    for (commands, frames, says) in [
        ([("A", true), ("B", false)], b"-ERR no\r\n:2\r\n", "command 1 of 2 (`A`): ERR no"),
        ([("A", false), ("B", true)], b":2\r\n-ERR no\r\n", "command 2 of 2 (`B`): ERR no"),
    ] {
        let sent = with_ignored(false, &commands);
        let open = || sent.open(runs(frames)).unwrap();
        assert_eq!(open().decode::<(i64,)>().unwrap_err().to_string(), says);
        assert_eq!(open().decode::<Vec<i64>>().unwrap_err().to_string(), says);
        assert_eq!(open().zip::<_, i64, Vec<_>>(vec!["k"]).unwrap_err().to_string(), says);
        let all: Vec<_> = open().all().into_iter().map(Result::unwrap).collect();
        assert_eq!(all, [Value::Integer(2)]);
        let mut seen = Vec::new();
        let mut take = |index, reply: Result<i64>| seen.push((index, reply.unwrap()));
        Each::new(&sent).handle_replies(runs(frames)[0], &mut take).unwrap();
        assert_eq!(seen, [(0, 2)]);
    }
}

#[test]
fn nothing_to_ignore_is_an_error_before_anything_is_sent() {
    let mut pipeline = Pipeline::atomic();
    for _ in 0..2 {
        pipeline.ignore();
        pipeline.push(Cmd::<()>::raw("A"));
        let error = pipeline.take().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.to_string().starts_with("nothing is queued"), "{error}");
    }
    pipeline.ignore();
    assert!(pipeline.take().is_err(), "also when nothing is queued behind it");
    pipeline.ignore();
    pipeline.clear();
    assert!(pipeline.take().unwrap().is_none());
}

#[test]
fn keys_must_be_as_many_as_the_results() {
    let mut pipeline = Pipeline::atomic();
    for (keys, fits) in [(1, false), (2, true), (3, false)] {
        for command in ["A", "B", "C"] {
            pipeline.push(Cmd::<()>::raw(command));
        }
        pipeline.ignore();
        let taken = pipeline.take_zipped(keys);
        assert_eq!(taken.is_ok(), fits, "{taken:?}");
        assert!(pipeline.is_empty());
    }
    let error = pipeline.take_zipped(1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().starts_with("1 keys do not fit 0 results"), "{error}");
    assert!(pipeline.take_zipped(0).unwrap().is_none());
}

#[test]
fn results_are_handed_on_as_they_come_however_the_replies_are_cut() {
    let sent = sent(false, &["A", "B", "C", "D"]);
    let frames = [":1\r\n", "-ERR no\r\n", "$1\r\nx\r\n", ":4\r\n"];
    // Every way to cut the four frames into runs.
    for cuts in 0..8_u32 {
        let mut each = Each::new(&sent);
        let mut seen = Vec::new();
        let mut run = String::new();
        for (n, frame) in frames.iter().enumerate() {
            run.push_str(frame);
            if n == 3 || cuts & (1 << n) != 0 {
                let mut take = |index, reply: Result<i64>| seen.push((index, reply));
                each.handle_replies(runs(run.as_bytes())[0], &mut take).unwrap();
                assert_eq!(seen.len(), n + 1, "all that came was handed on");
                run.clear();
            }
        }
        assert!(seen.iter().enumerate().all(|(n, (index, _))| n == *index));
        assert_eq!((seen[0].1.as_ref(), seen[3].1.as_ref()), (Ok(&1), Ok(&4)));
        let says = |n: usize| seen[n].1.as_ref().unwrap_err().to_string();
        assert_eq!(says(1), "command 2 of 4 (`B`): ERR no");
        assert!(says(2).starts_with("command 3 of 4 (`C`): "), "{}", says(2));
    }
}

#[test]
fn results_of_a_transaction_are_handed_on_with_the_reply_of_exec() {
    let sent = sent(true, &["A", "B"]);
    let mut each = Each::new(&sent);
    let mut seen = Vec::new();
    let mut take = |index, reply: Result<i64>| seen.push((index, reply.map_err(|e| e.to_string())));
    for run in ["+OK\r\n+QUEUED\r\n", "+QUEUED\r\n", "*2\r\n:1\r\n-ERR no\r\n"] {
        each.handle_replies(runs(run.as_bytes())[0], &mut take).unwrap();
    }
    assert_eq!(seen, [(0, Ok(1)), (1, Err("command 2 of 2 (`B`): ERR no".to_owned()))]);
}

#[test]
fn what_fails_a_transaction_as_a_whole_hands_nothing_on() {
    let refused = "+OK\r\n+QUEUED\r\n-ERR unknown command\r\n-EXECABORT discarded\r\n";
    for (frames, says) in [
        (refused, "command 2 of 2 (`B`): ERR unknown command"),
        (
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n*-1\r\n",
            "a watched key changed, so that nothing was applied: start over",
        ),
        ("+OK\r\n+QUEUED\r\n+QUEUED\r\n-ERR no\r\n", "EXEC: ERR no"),
        (
            "-ERR no\r\n-ERR a\r\n-ERR b\r\n-ERR c\r\n",
            "MULTI was refused, so that the commands ran one by one, if at all: ERR no",
        ),
    ] {
        let sent = sent(true, &["A", "B"]);
        let mut each = Each::new(&sent);
        let mut take = |_, reply: Result<Value>| panic!("{reply:?} was handed on");
        // Each frame in a run of its own: the failure is known with the last one.
        let ends = frames.match_indices("\r\n").map(|(at, _)| at + 2).collect::<Vec<_>>();
        let mut start = 0;
        for (n, end) in ends.into_iter().enumerate() {
            let handled = each.handle_replies(runs(&frames.as_bytes()[start..end])[0], &mut take);
            match n {
                3 => assert_eq!(handled.unwrap_err().to_string(), says),
                _ => handled.unwrap(),
            }
            start = end;
        }
    }
    let sent = sent(true, &["A", "B"]);
    let frames = b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*1\r\n:1\r\n";
    let mut take = |_, reply: Result<Value>| panic!("{reply:?} was handed on");
    let handled = Each::new(&sent).handle_replies(runs(frames)[0], &mut take);
    assert_eq!(handled.unwrap_err().kind(), ErrorKind::Protocol);
}

/// A command's reply, whether it is ignored, and whether the frames are cut behind it.
fn reply() -> impl Strategy<Value = (&'static str, bool, bool)> {
    let replies = [":1\r\n", "-ERR no\r\n", "$1\r\nx\r\n", "*2\r\n:1\r\n_\r\n", "_\r\n", "*0\r\n"];
    (prop::sample::select(replies.to_vec()), any::<bool>(), any::<bool>())
}

proptest! {
    #[test]
    fn results_handed_on_are_those_that_all_at_once_would_give(
        transaction in any::<bool>(),
        replies in prop::collection::vec(reply(), 1..12),
        refused in prop::option::of(0..12_usize),
        conflict in any::<bool>(),
    ) {
        let mut pipeline = Pipeline::atomic();
        pipeline.set_transaction(transaction);
        for (n, (_, ignored, _)) in replies.iter().enumerate() {
            pipeline.push(Cmd::<()>::raw("ECHO").arg(n));
            if *ignored {
                pipeline.ignore();
            }
        }
        let sent = pipeline.take().unwrap().unwrap();
        let mut frames = Vec::new();
        if transaction {
            frames.push(("+OK\r\n".to_owned(), true));
            for (n, (_, _, cut)) in replies.iter().enumerate() {
                let queued = if refused == Some(n) { "-ERR refused\r\n" } else { "+QUEUED\r\n" };
                frames.push((queued.to_owned(), *cut));
            }
            let all: String = replies.iter().map(|(frame, ..)| *frame).collect();
            let exec = match conflict {
                true => "*-1\r\n".to_owned(),
                false => format!("*{}\r\n{all}", replies.len()),
            };
            frames.push((exec, true));
        } else {
            frames.extend(replies.iter().map(|(frame, _, cut)| ((*frame).to_owned(), *cut)));
        }
        let whole: String = frames.iter().map(|(frame, _)| &**frame).collect();
        let at_once = sent.open(runs(whole.as_bytes())).map(|mut replies| replies.all());

        let mut each = Each::new(&sent);
        let mut handed_on: Vec<Result<Value>> = Vec::new();
        let mut take = |index, reply| {
            assert_eq!(index, handed_on.len());
            handed_on.push(reply);
        };
        let mut run = String::new();
        let mut outcome = Ok(());
        for (n, (frame, cut)) in frames.iter().enumerate() {
            run.push_str(frame);
            if *cut || n + 1 == frames.len() {
                prop_assert_eq!(&outcome, &Ok(()), "only the last run may fail");
                outcome = each.handle_replies(runs(run.as_bytes())[0], &mut take);
                run.clear();
            }
        }
        prop_assert_eq!(at_once, outcome.map(|()| handed_on));
    }
}

#[derive(Debug)]
struct List(Vec<Result<&'static [u8]>>);

impl Gathered for List {
    fn reply_to(&self, command: usize) -> Result<Run<'_>> {
        self.0[command].clone().map(|frames| Run { frames, memory: None })
    }
}

#[test]
fn replies_that_were_gathered_have_errors_in_their_places() {
    let sent = sent(false, &["A", "B k", "C"]);
    let lost = Error::new(ErrorKind::Io, "lost");
    let replies = List(vec![Ok(b":1\r\n"), Err(lost), Ok(b":3\r\n")]);
    let all = sent.gather(&replies).all();
    assert_eq!(all[0], Ok(Value::Integer(1)));
    assert_eq!(all[1].as_ref().unwrap_err().to_string(), "command 2 of 3 (`B k`): lost");
    assert_eq!(all[2], Ok(Value::Integer(3)));
    let error = sent.gather(&replies).decode::<Vec<i64>>().unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Io, Delivery::NotSent));
}
