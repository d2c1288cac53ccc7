use super::overlay::{As, Entry, entry};
use super::*;

/// Types that the overlay of these tests names.
const TYPES: [&str; 2] = ["Bound", "Shape"];

/// A table of one command with the given arguments.
fn table(name: &str, arguments: &str) -> Table {
    let text = format!(
        r#"{{"{name}": {{"group": "string", "since": "1.0.0", "flags": ["write"], "tips": [],
        "servers": ["redis-7.0.15", "valkey-9.1.2"], "arguments": [{arguments}], "key_specs": [
        {{"begin_search": {{"type": "index", "spec": {{"index": 1}}}}, "flags": ["RW"],
        "find_keys": {{"type": "range", "spec": {{"lastkey": -1, "keystep": 2, "limit": 0}}}}}}]}}}}"#
    );
    Table::parse(&text).unwrap()
}

const KEY: &str = r#"{"name": "key", "type": "key"}"#;

/// The formatted builder of a command with a key and these arguments.
fn builder(entry: Entry, arguments: &str) -> String {
    let table = table(entry.command, &format!("{KEY}, {arguments}"));
    let builder = Builder::derive(&table.commands[0], &entry).unwrap();
    let files = builders::write(&[builder], &TYPES.map(str::to_owned)).unwrap();
    format(&crate::workspace(), &files["string.rs"]).unwrap()
}

/// Why a command with a key and these arguments has no builder.
fn refusal(entry: Entry, arguments: &str) -> String {
    let table = table(entry.command, &format!("{KEY}, {arguments}"));
    Builder::derive(&table.commands[0], &entry).err().unwrap()
}

#[test]
fn command_without_options_is_a_function() {
    let text = builder(
        entry("PUT", "Option<V>", "Puts it.").rename("seconds", "ttl"),
        r#"{"name": "seconds", "type": "integer"}, {"name": "value", "type": "string"}"#,
    );
    assert_eq!(
        text,
        "\
//! Builders of the group `string`.

use std::time::Duration;

use crate::command::{Cmd, ToArg, seconds};
use crate::generated::info;
use crate::reply::FromReply;

/// Puts it.
///
/// `PUT key seconds value`, since 1.0.0. Redis 7.0, Valkey 9.1.
pub fn put<V: FromReply>(key: impl ToArg, ttl: Duration, value: impl ToArg) -> Cmd<Option<V>> {
    Cmd::new(&info::PUT).key(key).arg(seconds(ttl)).arg(value)
}
"
    );
}

const CONDITION: &str = r#"{"name": "condition", "type": "oneof", "flags": ["optional"], "arguments": [
    {"name": "nx", "type": "pure-token", "token": "NX"},
    {"name": "xx", "type": "pure-token", "token": "XX"}]}"#;

#[test]
fn options_that_exclude_each_other_are_one_field() {
    let text = builder(entry("PUT", "bool", "Puts it."), CONDITION);
    assert_eq!(text.matches("condition: Option<&'static str>,").count(), 1);
    assert!(text.contains("pub fn nx(mut self) -> Self {\n        self.condition = Some(\"NX\");"));
    assert!(text.contains("pub fn xx(mut self) -> Self {\n        self.condition = Some(\"XX\");"));
    assert!(text.contains("self.cmd.optional(self.condition)"));
}

#[test]
fn option_that_changes_the_reply_changes_the_type() {
    let entry = entry("PUT", "()", "Puts it.").turns("NX", "()", "Option<()>");
    let text = builder(entry, CONDITION);
    assert!(text.contains("pub struct Put<R = ()> {"));
    assert!(text.contains("impl Put<()> {\n    /// Only if it does not exist.\n    pub fn nx(mut self) -> Put<Option<()>> {"));
    assert!(text.contains("pub fn xx(mut self) -> Self {"));
}

#[test]
fn arguments_behind_options_are_kept_until_the_end() {
    let arguments =
        format!(r#"{CONDITION}, {{"name": "member", "type": "string", "flags": ["multiple"]}}"#);
    let text = builder(entry("PUT", "u64", "Puts it."), &arguments);
    assert!(text.contains("pub fn put<M>(key: impl ToArg, members: impl ToArgs<M>) -> Put {"));
    assert!(
        text.contains(
            "rest: Cmd::new(&info::PUT).some_args(members, \"needs at least one member\"),"
        )
    );
    assert!(text.contains("self.cmd.optional(self.condition).rest(self.rest)"));
}

#[test]
fn optional_members_of_a_block_need_the_block() {
    let text = builder(
        entry("PUT", "u64", "Puts it."),
        r#"{"name": "trim", "type": "block", "flags": ["optional"], "arguments": [
        {"name": "strategy", "type": "oneof", "arguments": [
            {"name": "maxlen", "type": "pure-token", "token": "MAXLEN"},
            {"name": "minid", "type": "pure-token", "token": "MINID"}]},
        {"name": "about", "type": "pure-token", "token": "ABOUT", "flags": ["optional"]},
        {"name": "threshold", "type": "string"}]}"#,
    );
    // Where rustfmt breaks lines is no matter here.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("pub fn maxlen(mut self, threshold: impl ToArg) -> Self { self.trim = Some(\"MAXLEN\"); self.threshold = Some(Choice::plain().arg(threshold));"));
    assert!(
        text.contains("self.trim.is_some() || !self.about, \"`about` needs `maxlen` or `minid`\"")
    );
    assert!(text.contains(".optional(self.trim)"));
    assert!(text.contains(".flag(\"ABOUT\", self.about)"));
    assert!(text.contains(".choice(self.threshold)"));
}

#[test]
fn counts_are_derived_from_their_lists() {
    let text = builder(
        entry("PUT", "u64", "Puts it."),
        r#"{"name": "numkeys", "type": "integer"},
        {"name": "other", "type": "key", "flags": ["multiple"]}"#,
    );
    assert!(text.contains("pub fn put<M>(key: impl ToArg, others: impl ToArgs<M>) -> Cmd<u64> {"));
    assert!(text.contains(".some_counted_keys(others, \"needs at least one other\")"));
}

#[test]
fn choice_of_words_becomes_an_enum() {
    let side = r#"{"name": "side", "type": "oneof", "arguments": [
        {"name": "left", "type": "pure-token", "token": "LEFT"},
        {"name": "right", "type": "pure-token", "token": "RIGHT"}]}"#;
    let text = builder(entry("PUT", "()", "Puts it.").ty("side", As::Enum("Side")), side);
    assert!(text.contains("use super::words::Side;"));
    assert!(text.contains("pub fn put(key: impl ToArg, side: Side) -> Cmd<()> {"));
    let refused = refusal(entry("PUT", "()", "Puts it."), side);
    assert_eq!(refused, "`side` is a choice: pick a branch or give it a type");
}

#[test]
fn what_converts_to_several_arguments_is_converted() {
    let range = r#"{"name": "range", "type": "block", "flags": ["multiple"], "arguments": [
        {"name": "start", "type": "integer"}, {"name": "end", "type": "integer"}]},
        {"name": "to", "type": "string"}"#;
    let put = entry("PUT", "()", "Puts it.")
        .ty("range", As::IntoWords("Range"))
        .rename("range", "ranges")
        .ty("to", As::IntoWords("Range"));
    let text = builder(put, range);
    // Where rustfmt breaks lines is no matter here.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("ranges: impl IntoIterator<Item = impl Into<Range>>,"));
    assert!(text.contains("ranges.into_iter().map(|value| Into::<Range>::into(value))"));
    assert!(text.contains(".any_args(Into::<Range>::into(to))"));
}

#[test]
fn a_count_inside_an_option_is_that_of_its_list() {
    let slots = r#"{"name": "slots", "type": "block", "token": "SLOTS", "flags": ["optional"], "arguments": [
        {"name": "count", "type": "integer"},
        {"name": "slot", "type": "integer", "flags": ["multiple"]}]}"#;
    let text = builder(entry("PUT", "()", "Puts it.").ty("slot", As::Type("u16")), slots);
    assert!(text.contains("pub fn slots(mut self, slots: impl IntoIterator<Item = u16>) -> Self"));
    assert!(text.contains(r#"Some(Choice::word("SLOTS").counted_list(slots))"#));
}

#[test]
fn a_list_behind_a_word_may_not_be_empty() {
    let keys =
        r#"{"name": "keys", "type": "key", "token": "KEYS", "flags": ["optional", "multiple"]}"#;
    let text = builder(entry("PUT", "()", "Puts it.").promote("keys").rename("keys", "keys"), keys);
    assert!(text.contains(r#".arg("KEYS").some_keys(keys, "needs at least one key")"#), "{text}");
}

#[test]
fn each_pair_of_an_option_is_behind_its_word() {
    let configs = r#"{"name": "configs", "type": "block", "token": "CONFIG",
        "flags": ["optional", "multiple", "multiple_token"], "arguments": [
        {"name": "name", "type": "string"}, {"name": "value", "type": "string"}]}"#;
    let text = builder(entry("PUT", "()", "Puts it.").rename("configs", "settings"), configs);
    assert!(text.contains("pub fn config(mut self, settings: impl ToPairs) -> Self"));
    assert!(text.contains(r#"Some(Choice::plain().each_pair("CONFIG", settings))"#));
}

#[test]
fn an_option_that_valkey_repeats_takes_a_list() {
    let table = Table::parse(
        r#"{"PUT": {"group": "string", "since": "1.0.0", "arguments": [
            {"name": "id", "type": "integer", "token": "ID", "flags": ["optional"]}],
        "valkey_arguments": [
            {"name": "id", "type": "integer", "token": "ID", "flags": ["optional", "multiple"]}]}}"#,
    );
    let table = table.unwrap();
    let put = entry("PUT", "()", "Puts it.").with_valkey();
    let builder = Builder::derive(&table.commands[0], &put).unwrap();
    let text = &builders::write(&[builder], &[]).unwrap()["string.rs"];
    assert!(text.contains(r#"Some(Choice::word("ID").list(ids))"#));
}

#[test]
fn arguments_of_valkey_can_be_taken_instead() {
    let table = Table::parse(
        r#"{"PUT": {"group": "string", "since": "1.0.0", "arguments": [{"name": "id", "type": "string"}],
        "valkey_arguments": [{"name": "what", "type": "oneof", "arguments": [
            {"name": "id", "type": "string"},
            {"name": "no-one", "type": "block", "arguments": [
                {"name": "no", "type": "pure-token", "token": "NO"},
                {"name": "one", "type": "pure-token", "token": "ONE"}]}]}]}}"#,
    );
    let table = table.unwrap();
    let put = entry("PUT", "()", "Puts it.").of_valkey().pick("what", "no-one");
    let builder = Builder::derive(&table.commands[0], &put).unwrap();
    let text = &builders::write(&[builder], &[]).unwrap()["string.rs"];
    assert!(text.contains(r#".arg("NO").arg("ONE")"#));
}

#[test]
fn overlay_that_contradicts_the_table_is_refused() {
    let refused = refusal(entry("PUT", "()", "Puts it.").rename("nosuch", "x"), CONDITION);
    assert_eq!(refused, "the overlay names `nosuch`, the table does not have it");
    let error = derive(&table("PUT", KEY), &[entry("GONE", "()", "Is gone.")], &[]).err().unwrap();
    assert_eq!(error, "GONE: the table does not have it");
    let twice = [entry("PUT", "()", "Puts it."), entry("PUT", "()", "Puts it.")];
    let error = derive(&table("PUT", KEY), &twice, &[]).err().unwrap();
    assert_eq!(error, "two builders are called `put`: name one");
}

#[test]
fn valkey_only_options_are_added_and_marked() {
    let table = Table::parse(
        r#"{"PUT": {"group": "string", "since": "1.0.0", "arguments": [
        {"name": "a", "type": "pure-token", "token": "A", "flags": ["optional"]}],
        "valkey_arguments": [
        {"name": "a", "type": "pure-token", "token": "A", "flags": ["optional"]},
        {"name": "b", "type": "pure-token", "token": "B", "flags": ["optional"], "since": "9.0.0"}]}}"#,
    );
    let table = table.unwrap();
    let put = entry("PUT", "()", "Puts it.").with_valkey();
    let builder = Builder::derive(&table.commands[0], &put).unwrap();
    let text = &builders::write(&[builder], &TYPES.map(str::to_owned)).unwrap()["string.rs"];
    assert!(text.contains("/// `PUT [A] [B]`, since 1.0.0."));
    assert!(text.contains("/// Adds `B`. Since Valkey 9.0.0."));
}

/// A table of a command and its subcommand, both of these servers.
fn since(since: &str, servers: &str, complexity: &str) -> Table {
    let of = |name: &str, servers: &str| {
        format!(
            r#""{name}": {{"group": "string", "since": "{since}", "servers": [{servers}],
            "complexity": [{complexity}]}}"#
        )
    };
    let later = servers.replace(r#""redis-6.2.5", "#, "");
    Table::parse(&format!("{{{}, {}}}", of("PUT", servers), of("PUT OFF", &later))).unwrap()
}

#[test]
fn documentation_tells_servers_and_classes() {
    let told = |since: &Table| {
        let entry = entry("PUT OFF", "()", "Puts it off.");
        let builder = Builder::derive(&since.commands[1], &entry).unwrap();
        let doc = builders::function_doc(&builder);
        doc.lines().last().unwrap().trim_start_matches("/// ").to_owned()
    };
    let all = r#""redis-6.2.5", "redis-7.0.15", "redis-8.0.2", "redis-8.6.2", "valkey-9.1.2""#;
    assert_eq!(
        told(&since("6.2.0", all, r#""O(1)", "O(N)""#)),
        "`PUT OFF`, since 6.2.0, `O(1)` or `O(N)`. Redis 6.2 to 8.6, Valkey 9.1."
    );
    // The subcommand is newer than Redis 6.2, which tells of none.
    assert_eq!(
        told(&since("7.0.0", all, r#""O(1)", "O(N)", "O(M)""#)),
        "`PUT OFF`, since 7.0.0. Redis 7.0 to 8.6, Valkey 9.1."
    );
    let one = told(&since("8.4.0", r#""redis-8.6.2""#, r#""O(N*M)""#));
    assert_eq!(one, "`PUT OFF`, since 8.4.0, `O(N*M)`. Redis 8.6, not Valkey.");
    let other = told(&since("9.0.0", r#""valkey-9.1.2""#, ""));
    assert_eq!(other, "`PUT OFF`, since 9.0.0. Valkey 9.1, not Redis.");
}

#[test]
fn builder_of_a_newer_branch_tells_who_has_that() {
    let text = |argument: &str| {
        let arguments = format!(
            r#"{{"name": "what", "type": "oneof", "arguments": [
            {{"name": "host", "type": "string"}}, {argument}]}}"#
        );
        let table = Table::parse(&format!(
            r#"{{"PUT": {{"group": "string", "since": "1.0.0", "arguments": [],
            "servers": ["redis-6.2.5", "redis-8.6.2", "valkey-9.1.2"],
            "valkey_arguments": [{arguments}]}}}}"#
        ));
        let (table, put) = (table.unwrap(), entry("PUT", "()", "Puts it."));
        let put = put.of_valkey().pick("what", "off");
        builders::function_doc(&Builder::derive(&table.commands[0], &put).unwrap())
    };
    let off = r#"{"name": "off", "type": "pure-token", "token": "OFF", "since": "8.1.0"}"#;
    let told = text(off);
    assert!(told.ends_with("`PUT OFF`, since Valkey 8.1.0. Valkey 9.1, not Redis.\n"), "{told}");
}

#[test]
fn examples_are_doc_tests_that_check_what_is_sent() {
    let text = builder(
        entry("PUT", "()", "Puts it.").example("cmd::put(\"a\", 1)", "PUT a 1"),
        r#"{"name": "value", "type": "string"}"#,
    );
    let shown = "/// // PUT a 1\n/// let command = cmd::put(\"a\", 1);\n";
    assert!(text.contains(&format!("{shown}/// # sends(command, \"PUT a 1\");\n/// ```\npub fn")));
}

#[test]
fn page_has_every_command_with_its_functions_or_the_reason_for_none() {
    let table = since("6.2.0", r#""redis-6.2.5", "redis-7.0.15", "valkey-9.1.2""#, "");
    let entries = [entry("PUT", "()", "Puts it."), entry("PUT", "()", "Puts it.").name("put_all")];
    let builders = derive(&table, &entries, &[]).unwrap();
    let page = page::write(&table, &builders, &[("PUT OFF", "nobody needs it")]);
    assert!(page.contains("2 commands: 1 have 2 functions, 1 are left to `Cmd::raw`."), "{page}");
    assert!(page.contains("| [string](#string) | 2 | 1 |"), "{page}");
    assert!(page.contains("| Redis 8.6 | Valkey 9.1 |"), "{page}");
    assert!(page.contains("| `PUT` | `put`, `put_all` | 6.2.0 | x | x |   |   | x |"), "{page}");
    assert!(page.contains("| `PUT OFF` | none: nobody needs it | 6.2.0 | x |"), "{page}");
}

#[test]
fn builder_that_no_test_calls_is_named() {
    let entries = [entry("PUT", "()", "Puts it."), entry("PUT", "()", "Puts it.").name("put_all")];
    let table = table("PUT", KEY);
    let builders = derive(&table, &entries, &[]).unwrap();
    assert_eq!(untested(&builders, "sends(cmd::put_all(\"k\"), \"PUT k\");"), ["put"]);
    assert_eq!(untested(&builders, "cmd::put_all(1) cmd::put::<String>(2)"), [""; 0]);
    assert_eq!(untested(&builders, "put(1)"), ["put", "put_all"]);
}

#[test]
fn facts_come_from_the_table() {
    let command = &table("PUT OFF", KEY).commands[0];
    let text = info::entry(command).unwrap();
    assert!(text.contains("pub(crate) static PUT_OFF: CommandInfo"));
    assert!(text.contains(r#"head: b"$3\r\nPUT\r\n$3\r\nOFF\r\n","#));
    assert!(text.contains("words: 2,"));
    assert!(text.contains("keys: &[range(1, -1, 2, 0, KeyFlags::RW)],"));
    assert!(text.contains("servers(&[Servers::REDIS_7_0, Servers::VALKEY_9_1])"));
    assert!(text.contains("instead: None,"));
}

#[test]
fn check_names_the_file_and_line_that_differ() {
    let folder = std::env::temp_dir().join(format!("codegen-check-{}", std::process::id()));
    let files = BTreeMap::from([("builders/a.rs".to_owned(), "one\ntwo\n".to_owned())]);
    write(&folder, &files).unwrap();
    let same = check(&folder, &files);
    fs::write(folder.join("builders/a.rs"), "one\n2\n").unwrap();
    let differs = check(&folder, &files).unwrap_err();
    fs::write(folder.join("builders/b.rs"), "").unwrap();
    let stale = check(&folder, &files).unwrap_err();
    write(&folder, &files).unwrap();
    let mended = check(&folder, &files);
    fs::remove_file(folder.join("builders/a.rs")).unwrap();
    let missing = check(&folder, &files).unwrap_err();
    fs::remove_dir_all(&folder).unwrap();

    assert_eq!(same, Ok(()));
    assert!(differs.contains("builders/a.rs differs at line 2"), "{differs}");
    assert!(differs.contains("committed: 2\n  generated: two"), "{differs}");
    assert!(stale.contains("builders/b.rs is no longer generated"), "{stale}");
    assert_eq!(mended, Ok(()));
    assert!(missing.contains("builders/a.rs is missing"), "{missing}");
}

#[test]
fn parameter_converts_to_a_type_or_writes_several_arguments() {
    let text = builder(
        entry("PUT", "()", "Puts it.")
            .ty("min", As::Into("Bound"))
            .ty("max", As::Into("Bound"))
            .ty("by", As::Words("Shape")),
        r#"{"name": "min", "type": "string"},
        {"name": "by", "type": "oneof", "arguments": [
            {"name": "radius", "type": "double", "token": "RADIUS"},
            {"name": "box", "type": "double", "token": "BOX"}]},
        {"name": "max", "type": "string", "token": "MAX", "flags": ["optional"]}"#,
    );
    assert!(text.contains("use crate::types::{Bound, Shape};"));
    assert!(text.contains("min: impl Into<Bound>, by: Shape)"), "{text}");
    assert!(text.contains(".arg(Into::<Bound>::into(min)).any_args(by)"), "{text}");
    assert!(text.contains("max: Option<Bound>,"), "{text}");
    assert!(text.contains("self.max = Some(Into::<Bound>::into(max));"), "{text}");
}

#[test]
fn argument_that_is_left_out_is_neither_parameter_nor_option() {
    let arguments = r#"{"name": "kind", "type": "string"}, {"name": "value", "type": "string"}"#;
    let text = builder(entry("PUT", "()", "Puts it.").without("kind"), arguments);
    assert!(text.contains("pub fn put(key: impl ToArg, value: impl ToArg)"), "{text}");
    let unknown = refusal(entry("PUT", "()", "Puts it.").without("size"), arguments);
    assert_eq!(unknown, "the overlay leaves `size` out, the table does not have it");
}

#[test]
fn word_that_repeats_stands_before_each_value() {
    let text = builder(
        entry("PUT", "()", "Puts it."),
        r#"{"name": "pattern", "token": "GET", "type": "pattern",
            "flags": ["optional", "multiple", "multiple_token"]}"#,
    );
    assert!(text.contains("Choice::plain().each(\"GET\", patterns)"), "{text}");
}

#[test]
fn time_to_wait_can_be_an_option() {
    let text = builder(
        entry("PUT", "()", "Puts it.").ty("milliseconds", As::TimeoutMillis),
        r#"{"name": "milliseconds", "token": "BLOCK", "type": "integer", "flags": ["optional"]}"#,
    );
    assert!(text.contains("pub fn block(mut self, milliseconds: impl Into<Option<Duration>>)"));
    assert!(text.contains("self.cmd.timeout_millis_option(\"BLOCK\", self.block)"), "{text}");
}

#[test]
fn word_before_a_choice_goes_before_each_branch() {
    let text = builder(
        entry("PUT", "()", "Puts it."),
        r#"{"name": "filter", "token": "FILTERBY", "type": "oneof", "flags": ["optional"], "arguments": [
            {"name": "module", "type": "string", "token": "MODULE"},
            {"name": "category", "type": "string", "token": "ACLCAT"}]}"#,
    );
    assert!(text.contains("Choice::word(\"FILTERBY\").arg(\"MODULE\").arg(module)"), "{text}");
    assert!(text.contains("Choice::word(\"FILTERBY\").arg(\"ACLCAT\").arg(category)"), "{text}");
}

#[test]
fn block_that_begins_with_an_option_becomes_parameters_when_it_is_promoted() {
    let text = builder(
        entry("PUT", "()", "Puts it.").promote("filters").ty("idle", As::Type("u64")),
        r#"{"name": "filters", "type": "block", "flags": ["optional"], "arguments": [
            {"name": "idle", "type": "integer", "token": "IDLE", "flags": ["optional"]},
            {"name": "start", "type": "string"},
            {"name": "consumer", "type": "string", "flags": ["optional"]}]}"#,
    );
    assert!(text.contains("`PUT key [IDLE idle] start [consumer]`"), "{text}");
    assert!(text.contains("pub fn put(key: impl ToArg, start: impl ToArg) -> Put"), "{text}");
    assert!(
        text.contains("self.cmd.option(\"IDLE\", self.idle).rest(self.rest).choice(self.consumer)"),
        "{text}"
    );
}

#[test]
fn groups_of_three_are_tuples() {
    let text = builder(
        entry("PUT", "()", "Puts it."),
        r#"{"name": "data", "type": "block", "flags": ["multiple"], "arguments": [
            {"name": "longitude", "type": "double"}, {"name": "latitude", "type": "double"},
            {"name": "member", "type": "string"}]}"#,
    );
    assert!(text.contains("Item = (f64, f64, impl ToArg)>"), "{text}");
    assert!(text.contains(".some_triples("), "{text}");
}

#[test]
fn command_with_neither_builder_nor_reason_is_named() {
    let table = table("PUT", KEY);
    let put = [entry("PUT", "()", "Puts it.")];
    let raw = [("PUT", "nobody needs it")];
    assert_eq!(
        check_complete(&table, &[], &[]).unwrap_err(),
        "neither an entry in the overlay nor a reason for none (1): PUT"
    );
    assert!(check_complete(&table, &put, &[]).is_ok());
    assert!(check_complete(&table, &[], &raw).is_ok());
    assert!(check_complete(&table, &put, &raw).is_err());
    assert!(check_complete(&table, &put, &[("GONE", "it is gone")]).is_err());
}

#[test]
fn keys_with_a_value_each_are_pairs_sent_as_columns() {
    let text = builder(
        entry("PUT", "()", "Puts it.").ty("id", As::Into("Bound")).rename("streams", "streams"),
        r#"{"name": "streams", "type": "block", "token": "STREAMS", "arguments": [
            {"name": "stream", "type": "key", "flags": ["multiple"]},
            {"name": "id", "type": "string", "flags": ["multiple"]}]}"#,
    );
    assert!(text.contains("streams: impl IntoIterator<Item = (impl ToArg, impl Into<Bound>)>"));
    assert!(text.contains(".arg(\"STREAMS\").some_key_columns("), "{text}");
    assert!(text.contains("|(key, second)| (key, Into::<Bound>::into(second))"), "{text}");
}

#[test]
fn argument_that_another_type_writes_stays_in_the_syntax() {
    let text = builder(
        entry("PUT", "()", "Puts it.").ty("radius", As::Words("Shape")).within("BOX"),
        r#"{"name": "radius", "type": "double"},
        {"name": "box", "type": "double", "token": "BOX", "flags": ["optional"]}"#,
    );
    assert!(text.contains("/// `PUT key radius [BOX box]`"), "{text}");
    assert!(text.contains("pub fn put(key: impl ToArg, radius: Shape) -> Cmd<()>"), "{text}");
}

#[test]
fn word_can_have_a_type_that_writes_it() {
    let text = builder(
        entry("PUT", "()", "Puts it.").ty("withcoord", As::Words("Shape")),
        r#"{"name": "withcoord", "type": "pure-token", "token": "WITHCOORD", "flags": ["optional"]}"#,
    );
    assert!(text.contains("pub fn withcoord(mut self, withcoord: Shape) -> Self"), "{text}");
    assert!(text.contains("Some(Choice::plain().list(withcoord))"), "{text}");
}

#[test]
fn picked_word_that_is_promoted_is_sent_always() {
    let text = builder(
        entry("PUT", "()", "Puts it.").pick("by", "byscore").promote("byscore"),
        r#"{"name": "by", "type": "oneof", "flags": ["optional"], "arguments": [
            {"name": "byscore", "type": "pure-token", "token": "BYSCORE"},
            {"name": "bylex", "type": "pure-token", "token": "BYLEX"}]}"#,
    );
    assert!(text.contains("/// `PUT key BYSCORE`"), "{text}");
    assert!(text.contains(".key(key).arg(\"BYSCORE\")"), "{text}");
}

#[test]
fn choices_of_the_same_words_are_one_whatever_their_names() {
    let choice = |name: &str, word: &str| {
        let text = format!(
            r#"{{"name": "{name}", "type": "oneof", "flags": ["optional"], "arguments": [
                {{"name": "a", "type": "pure-token", "token": "{word}"}}]}}"#
        );
        table("PUT", &text).commands.remove(0).arguments
    };
    assert_eq!(table::merged(&choice("condition", "FNX"), &choice("fields", "FNX")).len(), 1);
    assert_eq!(table::merged(&choice("condition", "FNX"), &choice("key", "NX")).len(), 2);
}
