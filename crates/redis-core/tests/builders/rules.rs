//! What holds for all of them.

use crate::*;

#[test]
fn empty_lists_are_refused_before_sending() {
    assert_eq!(refusal(cmd::del(NONE)), "DEL: needs at least one key");
    assert_eq!(refusal(cmd::mget::<String>(NONE)), "MGET: needs at least one key");
    assert_eq!(refusal(cmd::sadd("k", NONE)), "SADD: needs at least one member");
    assert_eq!(refusal(cmd::mset([("", ""); 0])), "MSET: needs at least one key");
    assert_eq!(refusal(cmd::hset("k", [("", ""); 0])), "HSET: needs at least one field");
    assert_eq!(refusal(cmd::zadd("k", [(0.0, ""); 0])), "ZADD: needs at least one member");
    assert_eq!(
        refusal(cmd::xadd("k", AddId::Auto, [("", ""); 0])),
        "XADD: needs at least one field"
    );
    assert_eq!(refusal(cmd::sintercard(NONE)), "SINTERCARD: needs at least one key");
    assert_eq!(refusal(cmd::hsetex("k", [("", ""); 0])), "HSETEX: needs at least one field");
    assert_eq!(refusal(cmd::httl("k", NONE)), "HTTL: needs at least one field");
}

#[test]
fn times_that_mean_something_else_are_refused() {
    let zero = "SET: a time to live of zero: delete the key instead";
    assert_eq!(refusal(cmd::set("k", "v").ex(Duration::ZERO)), zero);
    let past = "SET: an expiry that is not after 1970";
    assert_eq!(refusal(cmd::set("k", "v").ex_at(UNIX_EPOCH)), past);
    let zero = "BLPOP: a timeout of zero means none to the server: use `None` for that";
    assert_eq!(refusal(cmd::blpop::<Value, Value>(["k"], Duration::ZERO)), zero);
}

#[test]
fn blocking_commands_say_for_how_long() {
    sends(cmd::blpop::<String, String>(["a"], ms(2)), "BLPOP a 0.002");
    assert_eq!(cmd::blpop::<Value, Value>(["k"], secs(2)).block(), Block::For(secs(2)));
    assert_eq!(cmd::blpop::<Value, Value>(["k"], None).block(), Block::Forever);
    assert_eq!(cmd::lpop::<Value>("k").into_cmd().block(), Block::Never);
    // Older servers would take a millisecond and less for none.
    let short = cmd::blpop::<Value, Value>(["k"], Duration::from_micros(100));
    sends(short, "BLPOP k 0.0011");
}

#[test]
fn the_first_key_decides_the_slot() {
    let slot = |key: &str| cmd::get::<Value>(key).slot();
    assert_eq!(cmd::mset([("a", "1"), ("b", "2")]).slot(), slot("a"));
    assert_eq!(cmd::eval::<Value>("s", ["a", "b"], ["c"]).slot(), slot("a"));
    assert_eq!(cmd::eval::<Value>("s", NONE, ["c"]).slot(), None);
    assert_eq!(cmd::sintercard(["a"]).into_cmd().slot(), slot("a"));
    assert_eq!(cmd::zadd("a", [(1.0, "b")]).into_cmd().slot(), slot("a"));
}

#[test]
fn debug_shows_no_argument() {
    let secret = "hunter2";
    let shown = [
        format!("{:?}", cmd::set("k", secret).if_eq(secret)),
        format!("{:?}", cmd::zadd("k", [(1.0, secret)])),
        format!("{:?}", cmd::ping().message::<String>(secret)),
    ];
    for shown in shown {
        assert!(!shown.contains(secret), "{shown}");
    }
}

struct Recorder;

impl Execute for Recorder {
    type Output<R: FromReply> = String;

    fn execute<C: Command>(self, command: C) -> String {
        words(command)
    }
}

#[derive(Default)]
struct Recorded(Vec<String>);

impl Queue for Recorded {
    fn queue<C: Command>(mut self, command: C) -> Self {
        self.0.push(words(command));
        self
    }
}

#[test]
fn commands_are_methods_of_what_executes() {
    assert_eq!(Recorder.get::<String>("k"), "GET k");
    assert_eq!(Recorder.set("k", "v"), "SET k v");
    assert_eq!(Recorder.sadd("k", ["a", "b"]), "SADD k a b");
    assert_eq!(Recorder.blpop::<String, i64>(["k"], secs(1)), "BLPOP k 1");
    assert_eq!(Recorder.eval::<()>("s", ["k"], [1]), "EVAL s 1 k 1");
    assert_eq!(Recorder.ping(), "PING");
}

#[test]
fn commands_chain_on_what_queues() {
    let queued = Recorded::default()
        .set("foo", "bar")
        .sadd("faz", "baz")
        .incr("auto_number")
        .hgetall("h")
        .queue(cmd::set("k", "v").nx());
    let expected = ["SET foo bar", "SADD faz baz", "INCR auto_number", "HGETALL h", "SET k v NX"];
    assert_eq!(queued.0, expected);
}

#[test]
fn batches_have_the_tuple_of_their_replies() {
    use redis_core::pipeline::{Batched, FromReplies};

    fn queued<B: Batched<Output = O>, O: FromReplies>(batch: B) -> Vec<String> {
        batch.queue_all(Recorded::default()).0
    }
    let batch = (cmd::get::<i64>("k"), cmd::incr("j"), cmd::set("k", 1).nx());
    let queued = queued::<_, (Option<i64>, i64, Option<()>)>(batch);
    assert_eq!(queued, ["GET k", "INCR j", "SET k 1 NX"]);
}

#[test]
fn lookup_finds_every_command_of_the_table() {
    let table = include_str!("../../commands/commands.json");
    let mut found = 0;
    for line in table.lines().filter(|line| line.starts_with('"')) {
        let name = line.split('"').nth(1).expect("a name in quotes");
        let lower = name.to_ascii_lowercase();
        let words: Vec<&[u8]> = lower.split(' ').map(str::as_bytes).collect();
        let info = lookup(&words).unwrap_or_else(|| panic!("{name} is not found"));
        assert_eq!(info.name, name);
        assert_eq!(usize::from(info.words), words.len());
        let mut head = Vec::new();
        for word in name.split(' ') {
            head.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
        }
        assert_eq!(info.head, head);
        found += 1;
    }
    assert_eq!(found, 426);
    assert!(lookup(&[b"NO", b"SUCH"]).is_none());
}

#[test]
fn stateful_commands_are_refused_and_name_the_right_call() {
    for (name, hint) in [
        ("SELECT 1", "set the database in the configuration"),
        ("multi", "use `client.pipeline()` or `client.transaction(keys, ..)`"),
        ("CLIENT SETNAME me", "set the client name in the configuration"),
        ("SUBSCRIBE c", "use `client.pubsub()`"),
        ("WATCH k", "use `client.watch(keys)`"),
        ("MONITOR", "use `client.monitor()`, which has its own connection"),
    ] {
        let reason = refusal(Cmd::<Value>::raw(name));
        assert!(reason.ends_with(hint), "{reason}");
    }
    assert!(Cmd::<Value>::raw("CLIENT LIST").check().is_ok());
}

#[test]
fn user_types_are_arguments_everywhere() -> Result<()> {
    struct UserId(u64);
    impl ToArg for UserId {
        fn to_arg(&self, arg: redis_core::Arg<'_>) -> redis_core::Written {
            arg.unsigned(self.0)
        }
    }
    let users = [UserId(1), UserId(2)];
    sends(cmd::del(&users[0]), "DEL 1");
    sends(cmd::del(&users), "DEL 1 2");
    sends(cmd::del(users.iter().rev()), "DEL 2 1");
    cmd::del(users).check()
}
