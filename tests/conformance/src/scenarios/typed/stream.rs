//! Streams, their consumer groups, and what the server knows of both.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use redis_core::types::{
    AddId, AutoClaimed, ConsumerInfo, DeliveredEntries, EntryDeletion, GroupInfo, GroupReadFrom,
    GroupStart, ReadFrom, StreamBound, StreamEntries, StreamEntry, StreamId, StreamInfo,
    StreamInfoFull, StreamTrim,
};
use redis_core::{Commands, Execute, Result, cmd};

use crate::client::Client;
use crate::scenario::{Context, Outcome, Scenario, failed};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(entries_are_added_with_every_kind_of_id),
        Scenario::new(entries_are_read_by_ranges),
        Scenario::new(streams_are_trimmed_to_a_length_and_an_id),
        Scenario::new(messages_with_an_id_of_their_own_are_added_once).needs_command("XCFGSET"),
        Scenario::new(references_of_groups_stay_or_go_with_entries).needs_command("XDELEX"),
        Scenario::new(several_streams_are_read_together),
        Scenario::new(group_is_created_moved_and_destroyed),
        Scenario::new(group_gives_each_entry_to_one_consumer),
        Scenario::new(pending_entries_are_shown_and_acknowledged),
        Scenario::new(pending_entries_are_claimed_by_another_consumer),
        Scenario::new(deleted_entries_are_claimed_by_nobody),
        Scenario::new(stream_and_groups_tell_of_themselves),
        Scenario::new(highest_id_of_a_stream_is_set),
    ]
}

type Fields = BTreeMap<String, String>;

fn id(ms: u64, seq: u64) -> StreamId {
    StreamId::new(ms, seq)
}

fn fields<const N: usize>(pairs: [(&str, &str); N]) -> Fields {
    pairs.map(|(field, value)| (field.to_owned(), value.to_owned())).into()
}

fn ids<T>(entries: &[StreamEntry<T>]) -> Vec<StreamId> {
    entries.iter().map(|entry| entry.id).collect()
}

/// Each stream and the ids of its entries.
fn read<T>(entries: Option<StreamEntries<String, T>>) -> Vec<(String, Vec<StreamId>)> {
    let entries = entries.into_iter().flatten();
    entries.map(|(key, entries)| (key, ids(&entries))).collect()
}

/// Whether the server has what came with Redis 7.0.
fn is_since_7<S: Subject>(cx: &Context<S>) -> bool {
    cx.redis_since(7, 0) || cx.valkey_since(7, 2)
}

/// Adds entries `1-1`, `1-2`, ..
async fn add<S: Subject>(client: &Client<S>, key: &str, count: u64) -> Result<()> {
    for seq in 1..=count {
        client.xadd(key, (1, seq), [("n", seq)]).await?;
    }
    Ok(())
}

async fn entries_are_added_with_every_kind_of_id<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    assert_eq!(client.xadd("s", (5, 1), [("a", "1"), ("b", "2")]).await?, id(5, 1));
    if is_since_7(&cx) {
        assert_eq!(client.xadd("s", AddId::AutoSequence(5), [("a", "2")]).await?, id(5, 2));
    }
    let auto = client.xadd("s", AddId::Auto, [("a", "3")]).await?;
    assert!(auto.ms > 1_600_000_000_000, "{auto}");
    cx.saw("id that is too low", failed(client.xadd("s", id(1, 1), [("a", "4")]).await)?);
    assert_eq!(client.xlen("s").await?, if is_since_7(&cx) { 3 } else { 2 });
    let missing = cmd::xadd("none", AddId::Auto, [("a", "1")]).no_mkstream();
    assert_eq!(client.execute(missing).await?, None);
    let there = cmd::xadd("s", id(u64::MAX, 7), [("a", "1")]).no_mkstream();
    assert_eq!(client.execute(there).await?, Some(id(u64::MAX, 7)));
    cx.saw("ids", ids(&client.xrange::<Fields>("s", id(5, 1), (5, 2)).await?));
    Ok(())
}

async fn entries_are_read_by_ranges<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    add(&client, "s", 4).await?;
    client.xadd("s", (2, 0), [("a", "x"), ("b", "y")]).await?;
    let (min, max) = (StreamBound::Min, StreamBound::Max);
    let all = client.xrange::<Fields>("s", min, max).await?;
    assert_eq!(ids(&all), [id(1, 1), id(1, 2), id(1, 3), id(1, 4), id(2, 0)]);
    assert_eq!(all[4].fields, fields([("a", "x"), ("b", "y")]));
    cx.saw("XRANGE", &all);
    let part = cmd::xrange::<Fields>("s", StreamBound::Excluded(id(1, 1)), max).count(2);
    assert_eq!(ids(&client.execute(part).await?), [id(1, 2), id(1, 3)]);
    let (two, one) = (StreamBound::Millis(2), StreamBound::Millis(1));
    assert_eq!(ids(&client.xrange::<Fields>("s", two, two).await?), [id(2, 0)]);
    assert_eq!(client.xrange::<Fields>("s", one, one).await?.len(), 4);
    let part = cmd::xrevrange::<Fields>("s", max, id(1, 1)).count(2);
    assert_eq!(ids(&client.execute(part).await?), [id(2, 0), id(1, 4)]);
    let pairs = client.xrevrange::<Vec<(String, String)>>("s", max, two).await?;
    assert_eq!(pairs[0].fields, [("a", "x"), ("b", "y")].map(|(f, v)| (f.into(), v.into())));
    assert!(client.xrange::<Fields>("none", min, max).await?.is_empty());
    assert_eq!(client.xdel("s", [id(1, 1), id(9, 9)]).await?, 1);
    assert_eq!(client.xdel("s", id(1, 2)).await?, 1);
    Ok(())
}

async fn streams_are_trimmed_to_a_length_and_an_id<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    add(&client, "s", 20).await?;
    assert_eq!(client.xtrim("s", StreamTrim::max_len(18)).await?, 2);
    assert_eq!(client.xtrim("s", StreamTrim::max_len(16).exactly()).await?, 2);
    assert_eq!(client.xtrim("s", StreamTrim::min_id((1, 8))).await?, 3);
    assert_eq!(client.xtrim("s", StreamTrim::min_id((1, 8)).approximately()).await?, 0);
    assert_eq!(client.xtrim("s", StreamTrim::max_len(1).limit(5)).await?, 0, "a whole node");
    assert_eq!(client.xlen("s").await?, 13);
    let add = |seq, trim| cmd::xadd("s", (1, seq), [("n", "n")]).trim(trim);
    client.execute(add(21, StreamTrim::max_len(10))).await?;
    assert_eq!(client.xlen("s").await?, 10);
    client.execute(add(22, StreamTrim::min_id((1, 20)).exactly())).await?;
    client.execute(add(23, StreamTrim::max_len(1).approximately())).await?;
    client.execute(add(24, StreamTrim::min_id((1, 1)).limit(0))).await?;
    let left = client.xrange::<Fields>("s", StreamBound::Min, StreamBound::Max).await?;
    assert_eq!(ids(&left), [20, 21, 22, 23, 24].map(|seq| id(1, seq)));
    Ok(())
}

async fn messages_with_an_id_of_their_own_are_added_once<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.xadd("s", (1, 1), [("a", "1")]).await?;
    let set = cmd::xcfgset("s").idmp_duration(Duration::from_secs(50)).idmp_maxsize(70);
    client.execute(set).await?;
    let add = |field: &str| cmd::xadd("s", AddId::Auto, [(field, "v")]);
    let first = client.execute(add("a").idempotent("p", "i")).await?;
    assert_eq!(client.execute(add("b").idempotent("p", "i")).await?, first);
    let other = client.execute(add("b").idempotent("p", "j")).await?;
    assert!(other > first);
    let first = client.execute(add("c").idempotent_auto("p")).await?;
    assert_eq!(client.execute(add("c").idempotent_auto("p")).await?, first);
    client.xidmprecord("s", "q", "i", (1, 1)).await?;
    assert_eq!(client.execute(add("d").idempotent("q", "i")).await?, id(1, 1));
    let info = client.xinfo_stream::<Fields>("s").await?;
    assert_eq!((info.length, info.idmp_duration), (4, Some(Duration::from_secs(50))));
    assert_eq!((info.idmp_maxsize, info.pids_tracked), (Some(70), Some(2)));
    cx.saw("remembered", (info.iids_tracked, info.iids_added, info.iids_duplicates));
    Ok(())
}

async fn references_of_groups_stay_or_go_with_entries<S: Subject>(cx: Context<S>) -> Outcome {
    use EntryDeletion::{Deleted, Kept, NotFound};
    let client = cx.client()?;
    add(&client, "s", 9).await?;
    client.xgroup_create("s", "g", StreamId::MIN).await?;
    let read = cmd::xreadgroup::<String, Fields>("g", "c", [("s", GroupReadFrom::New)]);
    client.execute(read).await?;
    let delete = |seqs: [u64; 2]| cmd::xdelex("s", seqs.map(|seq| id(1, seq)));
    assert_eq!(client.execute(delete([1, 99])).await?, [Deleted, NotFound]);
    assert_eq!(client.execute(delete([2, 99]).keep_ref()).await?, [Deleted, NotFound]);
    assert_eq!(client.execute(delete([3, 99]).del_ref()).await?, [Deleted, NotFound]);
    assert_eq!(client.execute(delete([4, 0]).acked()).await?, [Kept, NotFound]);
    assert_eq!(client.xpending("s", "g").await?.count, 8);
    let acknowledge = |seqs: [u64; 2]| cmd::xackdel("s", "g", seqs.map(|seq| id(1, seq)));
    assert_eq!(client.execute(acknowledge([4, 99])).await?, [Deleted, NotFound]);
    assert_eq!(client.execute(acknowledge([5, 99]).keep_ref()).await?, [Deleted, NotFound]);
    assert_eq!(client.execute(acknowledge([6, 99]).del_ref()).await?, [Deleted, NotFound]);
    client.xgroup_create("s", "h", StreamId::MIN).await?;
    assert_eq!(client.execute(acknowledge([7, 99]).acked()).await?, [Kept, NotFound]);
    let trim = |len| cmd::xtrim("s", StreamTrim::max_len(len));
    assert_eq!(client.execute(trim(2).acked()).await?, 0);
    assert_eq!(client.execute(trim(2).keep_ref()).await?, 1);
    assert_eq!(client.execute(trim(1).del_ref()).await?, 1);
    let add = |seq| cmd::xadd("s", (2, seq), [("n", "n")]).trim(StreamTrim::max_len(1));
    client.execute(add(1).keep_ref()).await?;
    assert_eq!(client.xlen("s").await?, 1);
    client.execute(add(2).del_ref()).await?;
    assert_eq!(client.xlen("s").await?, 1);
    client.execute(add(3).acked()).await?;
    assert_eq!(client.xlen("s").await?, 2, "nobody has acknowledged the other");
    cx.saw("pending", client.xpending("s", "g").await?);
    Ok(())
}

async fn several_streams_are_read_together<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    add(&client, "s", 3).await?;
    add(&client, "t", 1).await?;
    let both = [("s", id(1, 1)), ("t", StreamId::MIN)];
    let found = client.xread::<String, Fields>(both).await?;
    let (s, t) = ("s".to_owned(), "t".to_owned());
    assert_eq!(read(found), [(s.clone(), vec![id(1, 2), id(1, 3)]), (t, vec![id(1, 1)])]);
    let found = client.execute(cmd::xread::<String, Fields>(both).count(1)).await?;
    cx.saw("XREAD", &found);
    assert_eq!(read(found)[0].1, [id(1, 2)]);
    assert_eq!(client.xread::<String, Fields>([("none", StreamId::MIN)]).await?, None);
    cx.step("waiting for what does not come");
    let new = cmd::xread::<String, Fields>([("s", ReadFrom::New)]);
    assert_eq!(client.execute(new.block(Duration::from_millis(1))).await?, None);
    cx.step("waiting for what is there");
    let old = cmd::xread::<String, Fields>([("s", id(1, 2))]).block(None);
    assert_eq!(read(client.execute(old).await?), [(s.clone(), vec![id(1, 3)])]);
    if cx.redis_since(7, 4) || cx.valkey_since(8, 1) {
        let last = client.xread::<String, Fields>([("s", ReadFrom::Last)]).await?;
        assert_eq!(read(last), [(s, vec![id(1, 3)])]);
    }
    Ok(())
}

async fn group_is_created_moved_and_destroyed<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let error = failed(client.xgroup_create("s", "g", GroupStart::End).await)?;
    cx.saw("no stream", error);
    client.execute(cmd::xgroup_create("s", "g", GroupStart::End).mkstream()).await?;
    let error = failed(client.xgroup_create("s", "g", id(1, 1)).await)?;
    assert_eq!(error.code(), Some("BUSYGROUP"));
    add(&client, "s", 3).await?;
    client.xgroup_setid("s", "g", id(1, 2)).await?;
    let found = client.xreadgroup::<String, Fields>("g", "c", [("s", GroupReadFrom::New)]).await?;
    assert_eq!(read(found), [("s".to_owned(), vec![id(1, 3)])]);
    assert!(client.xgroup_createconsumer("s", "g", "d").await?);
    assert!(!client.xgroup_createconsumer("s", "g", "d").await?);
    assert_eq!(client.xgroup_delconsumer("s", "g", "c").await?, 1);
    assert_eq!(client.xgroup_delconsumer("s", "g", "c").await?, 0);
    if is_since_7(&cx) {
        client.execute(cmd::xgroup_setid("s", "g", GroupStart::End).entries_read(2)).await?;
        client.execute(cmd::xgroup_create("s", "h", id(1, 1)).entries_read(1)).await?;
        let groups = client.xinfo_groups("s").await?;
        let read: Vec<_> = groups.iter().map(|group| group.entries_read).collect();
        assert_eq!(read, [Some(2), Some(1)]);
        cx.saw("XINFO GROUPS", groups);
    }
    assert!(client.xgroup_destroy("s", "g").await?);
    assert!(!client.xgroup_destroy("s", "g").await?);
    let lines = client.xgroup_help().await?;
    assert!(lines.iter().any(|line| line.starts_with("DESTROY")), "{lines:?}");
    Ok(())
}

async fn group_gives_each_entry_to_one_consumer<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    add(&client, "s", 5).await?;
    client.xgroup_create("s", "g", StreamId::MIN).await?;
    let new =
        |consumer| cmd::xreadgroup::<String, Fields>("g", consumer, [("s", GroupReadFrom::New)]);
    let of = |seqs: &[u64]| vec![("s".to_owned(), seqs.iter().map(|seq| id(1, *seq)).collect())];
    let found = client.execute(new("a").count(2)).await?;
    cx.saw("XREADGROUP", &found);
    assert_eq!(read(found), of(&[1, 2]));
    assert_eq!(read(client.execute(new("b").count(1)).await?), of(&[3]));
    assert_eq!(read(client.execute(new("b").no_ack().count(1)).await?), of(&[4]));
    cx.step("what is pending");
    let after = |after| [("s", GroupReadFrom::from(after))];
    let found = client.xreadgroup::<String, Fields>("g", "a", after(id(1, 1))).await?;
    assert_eq!(read(found), of(&[2]));
    client.xdel("s", id(1, 2)).await?;
    let found = client.xreadgroup::<String, Option<Fields>>("g", "a", after(id(0, 0))).await?;
    let deleted: Vec<_> = found.iter().flatten().flat_map(|(_, entries)| entries).collect();
    assert_eq!((deleted[0].fields.is_some(), deleted[1].fields.is_some()), (true, false));
    cx.step("waiting for an entry");
    assert_eq!(read(client.execute(new("a").block(Duration::from_secs(9))).await?), of(&[5]));
    assert_eq!(client.execute(new("a").block(Duration::from_millis(1))).await?, None);
    if cx.redis_since(8, 4) {
        cx.step("claiming");
        client.xadd("s", (1, 6), [("n", 6)]).await?;
        let claim = cmd::xreadgroup("g", "c", [("s", GroupReadFrom::New)]).claim(Duration::ZERO);
        let found: Option<DeliveredEntries<String, Option<Fields>>> = client.execute(claim).await?;
        let entries = found.into_iter().flatten().flat_map(|(_, entries)| entries);
        let counts: Vec<_> = entries.map(|entry| (entry.id, entry.deliveries)).collect();
        assert_eq!(counts.last(), Some(&(id(1, 6), 0)), "the new one");
        cx.saw("claimed", counts);
    }
    Ok(())
}

async fn pending_entries_are_shown_and_acknowledged<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    add(&client, "s", 4).await?;
    client.xgroup_create("s", "g", StreamId::MIN).await?;
    cx.saw("nothing is pending", client.xpending("s", "g").await?);
    for (consumer, count) in [("a", 1), ("b", 3)] {
        let new = [("s", GroupReadFrom::New)];
        client.execute(cmd::xreadgroup::<String, Fields>("g", consumer, new).count(count)).await?;
    }
    let summary = client.xpending("s", "g").await?;
    assert_eq!((summary.count, summary.first, summary.last), (4, Some(id(1, 1)), Some(id(1, 4))));
    assert_eq!(summary.consumers, [("a".to_owned(), 1), ("b".to_owned(), 3)]);
    cx.saw("XPENDING", summary);
    let (min, max) = (StreamBound::Min, StreamBound::Max);
    let all = client.xpending_range("s", "g", min, max, 9).await?;
    let seen: Vec<_> =
        all.iter().map(|entry| (entry.id, &*entry.consumer, entry.deliveries)).collect();
    cx.saw("each", &seen);
    assert_eq!(seen[1], (id(1, 2), "b", 1));
    assert!(all.iter().all(|entry| entry.idle < Duration::from_secs(60)));
    let range = || cmd::xpending_range("s", "g", StreamBound::Excluded(id(1, 1)), (1, 4), 2);
    assert_eq!(client.execute(range()).await?.len(), 2);
    assert_eq!(client.execute(range().idle(Duration::from_secs(60))).await?, []);
    assert_eq!(client.execute(range().consumer("a")).await?, []);
    assert_eq!(client.execute(range().idle(Duration::ZERO).consumer("b")).await?.len(), 2);
    assert_eq!(client.xack("s", "g", [id(1, 1), id(1, 2), id(9, 9)]).await?, 2);
    assert_eq!(client.xack("s", "g", id(1, 3)).await?, 1);
    assert_eq!(client.xpending("s", "g").await?.count, 1);
    Ok(())
}

async fn pending_entries_are_claimed_by_another_consumer<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    add(&client, "s", 4).await?;
    client.xgroup_create("s", "g", StreamId::MIN).await?;
    client.xreadgroup::<String, Fields>("g", "a", [("s", GroupReadFrom::New)]).await?;
    let (none, minute) = (Duration::ZERO, Duration::from_secs(60));
    let of = |seqs: &[u64]| seqs.iter().map(|seq| id(1, *seq)).collect::<Vec<_>>();
    cx.step("XCLAIM");
    let claimed = client.xclaim::<Fields>("s", "g", "b", none, of(&[1, 2])).await?;
    cx.saw("XCLAIM", &claimed);
    assert_eq!(ids(&claimed), of(&[1, 2]));
    assert_eq!(client.xclaim::<Fields>("s", "g", "b", minute, of(&[1])).await?, []);
    let claim = || cmd::xclaim_just_id("s", "g", "b", none, id(1, 1));
    let all = claim().idle(minute).retry_count(7).force().last_id(id(1, 4));
    assert_eq!(client.execute(all).await?, of(&[1]));
    let pending = client.xpending_range("s", "g", id(1, 1), (1, 1), 1).await?;
    assert_eq!((pending[0].deliveries, pending[0].idle >= minute), (7, true));
    let long_ago = SystemTime::now() - 2 * minute;
    assert_eq!(client.execute(claim().time(long_ago)).await?, of(&[1]));
    let claim = || cmd::xclaim::<Fields>("s", "g", "b", none, of(&[3]));
    let all = claim().idle(minute).retry_count(2).force().last_id(id(1, 4));
    assert_eq!(ids(&client.execute(all).await?), of(&[3]));
    assert_eq!(ids(&client.execute(claim().time(long_ago)).await?), of(&[3]));
    cx.step("XAUTOCLAIM");
    let start = StreamBound::Min;
    let auto = cmd::xautoclaim::<Fields>("s", "g", "c", none, start).count(1);
    let AutoClaimed { next, claimed, deleted, .. } = client.execute(auto).await?;
    assert_eq!((ids(&claimed), deleted), (of(&[1]), of(&[])));
    assert_eq!(next, Some(id(1, 2)));
    let auto = client.xautoclaim::<Fields>("s", "g", "c", minute, id(1, 2)).await?;
    assert_eq!((auto.next, ids(&auto.claimed)), (None, of(&[3])));
    let auto = cmd::xautoclaim_just_id("s", "g", "c", none, StreamBound::Excluded(id(1, 1)));
    let auto = client.execute(auto.count(9)).await?;
    cx.saw("XAUTOCLAIM", &auto);
    assert_eq!((auto.next, auto.claimed), (None, of(&[2, 3, 4])));
    Ok(())
}

async fn deleted_entries_are_claimed_by_nobody<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    add(&client, "s", 3).await?;
    client.xgroup_create("s", "g", StreamId::MIN).await?;
    client.xreadgroup::<String, Fields>("g", "a", [("s", GroupReadFrom::New)]).await?;
    client.xdel("s", [id(1, 1), id(1, 2)]).await?;
    let both = [id(1, 1), id(1, 3)];
    let claimed = client.xclaim::<Fields>("s", "g", "b", Duration::ZERO, both).await?;
    assert_eq!(ids(&claimed), [id(1, 3)]);
    let auto = client.xautoclaim::<Fields>("s", "g", "c", Duration::ZERO, StreamBound::Min).await?;
    assert_eq!(ids(&auto.claimed), [id(1, 3)]);
    let deleted = if is_since_7(&cx) { vec![id(1, 2)] } else { vec![] };
    assert_eq!(auto.deleted, deleted);
    Ok(())
}

async fn stream_and_groups_tell_of_themselves<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    add(&client, "s", 3).await?;
    client.xgroup_create("s", "g", StreamId::MIN).await?;
    client.xgroup_createconsumer("s", "g", "idle").await?;
    let new = [("s", GroupReadFrom::New)];
    client.execute(cmd::xreadgroup::<String, Fields>("g", "busy", new).count(2)).await?;
    let minute = Duration::from_secs(60);

    cx.step("XINFO STREAM");
    let info: StreamInfo<Fields> = client.xinfo_stream("s").await?;
    assert_eq!((info.length, info.groups, info.last_generated_id), (3, 1, id(1, 3)));
    assert_eq!(info.first_entry.as_ref().map(|entry| &entry.fields), Some(&fields([("n", "1")])));
    assert_eq!(info.last_entry.as_ref().map(|entry| entry.id), Some(id(1, 3)));
    let since_7 = is_since_7(&cx);
    assert_eq!(info.entries_added, since_7.then_some(3));
    assert_eq!(info.idmp_maxsize.is_some(), cx.redis_since(8, 6));
    assert!(info.other.is_empty(), "{:?}", info.other);
    cx.saw("XINFO STREAM", info);

    cx.step("XINFO STREAM FULL");
    let full: StreamInfoFull<Fields> = client.execute(cmd::xinfo_stream("s").full()).await?;
    assert_eq!((full.length, full.entries.len()), (3, 3));
    assert!(full.other.is_empty(), "{:?}", full.other);
    let group = &full.groups[0];
    assert_eq!((&*group.name, group.pel_count), ("g", 2));
    assert_eq!((group.pending[0].id, &*group.pending[0].consumer), (id(1, 1), "busy"));
    assert!(group.pending[0].delivery_time.elapsed()? < minute);
    let [busy, idle] = group.consumers.as_slice() else { panic!("{group:?}") };
    assert_eq!((&*busy.name, busy.pel_count, busy.pending.len()), ("busy", 2, 2));
    assert_eq!((&*idle.name, idle.pel_count, idle.active_time), ("idle", 0, None));
    assert!(busy.seen_time.elapsed()? < minute);
    assert!(group.other.is_empty() && busy.other.is_empty(), "{group:?}");
    let knows_activity = cx.redis_since(7, 2) || cx.valkey_since(7, 2);
    assert_eq!(busy.active_time.is_some(), knows_activity);
    let one = client.execute(cmd::xinfo_stream::<Fields>("s").full().count(1)).await?;
    assert_eq!((one.entries.len(), one.groups[0].pending.len()), (1, 1));

    cx.step("XINFO GROUPS and CONSUMERS");
    let groups: Vec<GroupInfo> = client.xinfo_groups("s").await?;
    assert_eq!((groups[0].consumers, groups[0].pending), (2, 2));
    assert_eq!(
        (groups[0].entries_read, groups[0].lag),
        (since_7.then_some(2), since_7.then_some(1))
    );
    cx.saw("XINFO GROUPS", groups);
    let consumers: Vec<ConsumerInfo> = client.xinfo_consumers("s", "g").await?;
    let [busy, idle] = consumers.as_slice() else { panic!("{consumers:?}") };
    assert_eq!((busy.pending, idle.pending, idle.inactive), (2, 0, None));
    assert!(busy.idle < minute && busy.inactive.is_none_or(|inactive| inactive < minute));
    assert_eq!(busy.inactive.is_some(), knows_activity);
    assert!(busy.other.is_empty(), "{busy:?}");
    let lines = client.xinfo_help().await?;
    assert!(lines.iter().any(|line| line.starts_with("GROUPS")), "{lines:?}");
    cx.saw("no stream", failed(client.xinfo_stream::<Fields>("none").await)?);
    Ok(())
}

async fn highest_id_of_a_stream_is_set<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    add(&client, "s", 2).await?;
    client.xsetid("s", (5, 5)).await?;
    assert_eq!(client.xinfo_stream::<Fields>("s").await?.last_generated_id, id(5, 5));
    if is_since_7(&cx) {
        let set = cmd::xsetid("s", id(6, 0)).entries_added(9).max_deleted_id((1, 0));
        client.execute(set).await?;
        let info = client.xinfo_stream::<Fields>("s").await?;
        assert_eq!((info.entries_added, info.max_deleted_entry_id), (Some(9), Some(id(1, 0))));
    }
    cx.saw("too low", failed(client.xsetid("s", (1, 0)).await)?);
    Ok(())
}
