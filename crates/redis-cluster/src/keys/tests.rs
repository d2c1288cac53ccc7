use proptest::prelude::*;
use redis_core::{
    KeyFlags, RequestPolicy, ResponsePolicy, Servers, lookup, {Cmd, cmd},
};

use super::*;

/// The table's facts for a command, looked up as a raw command's are.
fn info(words: &[&str]) -> &'static CommandInfo {
    let mut cmd = Cmd::<()>::raw(words[0]);
    for word in &words[1..] {
        cmd = cmd.arg(*word);
    }
    cmd.info()
}

fn keys(command: &str) -> Option<Vec<String>> {
    let words: Vec<&str> =
        command.split(' ').map(|word| if word == "''" { "" } else { word }).collect();
    let positions = key_positions(info(&words), &words)?;
    Some(positions.map(|at| words[at].to_owned()).collect())
}

#[test]
fn keys_are_found_by_index_keyword_and_number() {
    for (command, expected) in [
        ("GET k", "k"),
        ("get k", "k"),
        ("SET k v EX 10", "k"),
        ("DEL a b c", "a b c"),
        ("MSET a 1 b 2", "a b"),
        ("BLPOP a b 0", "a b"),
        ("LCS a b IDX", "a b"),
        ("BITOP AND d a b", "d a b"),
        ("OBJECT ENCODING k", "k"),
        ("XGROUP CREATE k g $", "k"),
        ("XREAD COUNT 2 STREAMS a b 0 0", "a b"),
        ("XREAD STREAMS streams 0", "streams"),
        ("XREADGROUP GROUP streams c streams a b > >", "a b"),
        ("EVAL s 2 a b arg", "a b"),
        ("ZUNIONSTORE d 2 a b WEIGHTS 1 2", "d a b"),
        ("ZDIFF 2 a b WITHSCORES", "a b"),
        ("MSETEX 2 a 1 b 2 EX 10", "a b"),
        ("BLMPOP 0 2 a b LEFT", "a b"),
        ("SSUBSCRIBE a b", "a b"),
        ("SPUBLISH a m", "a"),
        ("GEORADIUS k 0 0 1 m STORE d", "k d"),
        ("GEORADIUS k 0 0 1 m STOREDIST store ASC", "k store"),
        ("GEORADIUSBYMEMBER k m 1 m STOREDIST d", "k d"),
        ("SORT k", "k"),
        ("SORT k BY store GET store LIMIT 0 1 STORE d", "k d"),
        ("SORT k STORE d STORE e", "k e"),
        ("SORT_RO k BY w_* GET o_*", "k"),
        ("MIGRATE h 1 k 0 10", "k"),
        ("MIGRATE h 1 '' 0 10 COPY REPLACE KEYS a b", "a b"),
        ("MIGRATE h 1 '' 0 10 AUTH keys KEYS a", "a"),
        ("MIGRATE h 1 '' 0 10 AUTH2 keys keys KEYS keys", "keys"),
        ("MIGRATE h 1 k 0 10 AUTH keys", "k"),
    ] {
        assert_eq!(keys(command).unwrap().join(" "), expected, "{command}");
    }
}

#[test]
fn commands_without_keys_have_none() {
    for command in [
        "PING",
        "EVAL s 0 a",
        "FCALL f 0",
        "DBSIZE",
        "OBJECT HELP",
        "CONFIG GET k",
        "CLUSTER SLOTS",
        "SUBSCRIBE c",
        "COMMAND",
        "COMMAND COUNT",
    ] {
        assert_eq!(keys(command).unwrap(), Vec::<String>::new(), "{command}");
    }
}

#[test]
fn what_the_table_does_not_know_is_said_to_be_unknown() {
    for command in ["MY.COMMAND k", "XINFO FUTURE k", "OBJECT"] {
        let known = command == "OBJECT";
        assert_eq!(keys(command).is_some(), known, "{command}");
    }
    let words = ["OBJECT", "FREQ", "k"];
    let container = lookup(&[b"OBJECT"]).unwrap();
    assert_eq!(placement(container, &words), Placement::Unknown);
}

#[test]
fn words_that_do_not_fit_give_no_key() {
    for command in [
        "GET",
        "MSET",
        "BLPOP",
        "BLPOP 0",
        "EVAL",
        "EVAL s",
        "EVAL s x a",
        "EVAL s -1 a",
        "EVAL s 3 a b",
        "EVAL s 99999999999999999999 a",
        "EVAL s 9223372036854775807 a",
        "EVAL s 18446744073709551615 a",
        "MSETEX 18446744073709551615 a 1",
        "XREAD STREAMS",
        "XREAD COUNT 2",
        "SORT",
        "SORT_RO",
        "MIGRATE",
        "MIGRATE h 1",
        "MIGRATE h 1 k 0 10 KEYS a",
        "GEORADIUS",
    ] {
        assert_eq!(keys(command).unwrap(), Vec::<String>::new(), "{command}");
    }
    assert_eq!(keys("ZUNIONSTORE d 2 a").unwrap(), ["d"]);
    assert_eq!(keys("SORT k STORE").unwrap(), ["k"]);
    assert_eq!(keys("GEORADIUS k 0 0 1 m STORE").unwrap(), ["k"]);
}

fn with_specs(keys: &'static [KeySpec]) -> CommandInfo {
    CommandInfo {
        name: "TEST",
        head: b"$4\r\nTEST\r\n",
        words: 1,
        flags: Flags::WRITE,
        keys,
        request_policy: RequestPolicy::Default,
        response_policy: ResponsePolicy::Default,
        since: "",
        servers: Servers::NONE,
        instead: None,
    }
}

#[test]
fn keyword_is_looked_for_backwards_from_the_end() {
    const SPECS: &[KeySpec] = &[KeySpec {
        begin: BeginSearch::Keyword { word: "KEYS", from: -2 },
        find: FindKeys::Range { last: -1, step: 1, limit: 0 },
        flags: KeyFlags::RW,
    }];
    let info = with_specs(SPECS);
    let positions = |words: &[&str]| key_positions(&info, words).unwrap().collect::<Vec<_>>();
    assert_eq!(positions(&["TEST", "keys", "a", "keys", "b", "c"]), [4, 5]);
    assert_eq!(positions(&["TEST", "keys", "keys"]), [2]);
    assert_eq!(positions(&["KEYS", "a", "b"]), [0; 0]);
    assert_eq!(positions(&["KEYS"]), [0; 0]);
    assert_eq!(positions(&[]), [0; 0]);
}

#[test]
fn specs_that_make_no_sense_do_no_harm() {
    const SPECS: &[KeySpec] = &[
        KeySpec {
            begin: BeginSearch::Keyword { word: "K", from: i16::MIN },
            find: FindKeys::Range { last: i16::MIN, step: 0, limit: u16::MAX },
            flags: KeyFlags::RW,
        },
        KeySpec {
            begin: BeginSearch::Index(u16::MAX),
            find: FindKeys::Range { last: -1, step: u16::MAX, limit: 2 },
            flags: KeyFlags::RW,
        },
        KeySpec {
            begin: BeginSearch::Index(1),
            find: FindKeys::KeyNum { at: 0, first: u16::MAX, step: u16::MAX },
            flags: KeyFlags::RW,
        },
        KeySpec {
            begin: BeginSearch::Index(1),
            find: FindKeys::Range { last: 1, step: 0, limit: 0 },
            flags: KeyFlags::RW,
        },
    ];
    let words = ["TEST", "9223372036854775807", "K"];
    assert_eq!(key_positions(&with_specs(SPECS), &words).unwrap().collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn placement_follows_the_slots_of_the_keys() {
    let place = |command: &str| {
        let words: Vec<&str> = command.split(' ').collect();
        placement(info(&words), &words)
    };
    assert_eq!(place("SET foo v"), Placement::Slot(12182));
    assert_eq!(place("MSET {a}1 x {a}2 y"), Placement::Slot(15495));
    assert_eq!(place("DEL b a {b}2 c"), Placement::Slots(vec![3300, 7365, 15495]));
    assert_eq!(place("EVAL s 0"), Placement::Keyless);
    assert_eq!(place("FLUSHALL"), Placement::Keyless);
    assert_eq!(place("NO.SUCH k"), Placement::Unknown);
}

#[test]
fn words_of_a_typed_command_are_placed_as_raw_ones() {
    let mset = cmd::mset([("a", "1"), ("b", "2")]);
    let words: Vec<&[u8]> = mset.words().collect();
    assert_eq!(placement(mset.info(), &words), Placement::Slots(vec![3300, 15495]));
}

proptest! {
    #[test]
    fn positions_are_within_the_words(
        name in prop::sample::select(vec![
            "MIGRATE", "SORT", "GEORADIUS", "GEORADIUSBYMEMBER", "XREAD", "XREADGROUP", "EVAL",
            "ZUNIONSTORE", "MSET", "MSETEX", "BLPOP", "BZMPOP", "LMPOP", "DEL", "LCS", "COPY",
        ]),
        arguments in prop::collection::vec("KEYS|STORE|STREAMS|BY|LIMIT|AUTH|AUTH2|[0-9]{1,20}|-1||[a-c]", 0..12),
    ) {
        let mut words = vec![name.to_owned()];
        words.extend(arguments);
        let positions = key_positions(lookup(&[name.as_bytes()]).unwrap(), &words);
        for at in positions.unwrap() {
            prop_assert!(0 < at && at < words.len());
        }
    }
}
