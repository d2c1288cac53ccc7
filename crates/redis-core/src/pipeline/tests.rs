use bytes::Bytes;

use super::describe::describe;
use super::*;
use crate::command::Cmd;
use crate::error::ErrorKind;
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
        assert!(sent.open(runs(frames.as_bytes())).unwrap_err().is_watch());
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
    assert_eq!(describe(&sent.parts, 1), format!("A {}...", "x".repeat(98)));
    assert_eq!(describe(&sent.parts, 2), format!("B {}...", "é".repeat(98)));
    assert_eq!(describe(&sent.parts, 3), "EXEC");
    assert_eq!(describe(&sent.parts, 4), "");
}

#[test]
fn an_empty_pipeline_gives_what_holds_no_replies() {
    assert_eq!(Vec::<Value>::from_nothing().unwrap(), []);
    <()>::from_nothing().unwrap();
    assert_eq!(<[i64; 1]>::from_nothing().unwrap_err().kind(), ErrorKind::Decode);
}
