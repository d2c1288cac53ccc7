//! Lists.

use std::time::Duration;

use redis_core::cmd::{Place, Side};
use redis_core::{Commands, Execute, Result, cmd};

use crate::client::Client;
use crate::scenario::{Context, Outcome, Scenario, failed};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(elements_are_pushed_and_popped_at_both_ends),
        Scenario::new(elements_are_found_inserted_and_removed),
        Scenario::new(elements_move_from_list_to_list),
        Scenario::new(elements_of_the_first_list_are_popped).needs_command("LMPOP"),
    ]
}

async fn all<S: Subject>(client: &Client<S>, key: &str) -> Result<Vec<String>> {
    client.lrange(key, 0, -1).await
}

async fn elements_are_pushed_and_popped_at_both_ends<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    assert_eq!(client.rpush("l", ["b", "c"]).await?, 2);
    assert_eq!(client.lpush("l", ["a", "z"]).await?, 4);
    assert_eq!((client.lpushx("l", "y").await?, client.rpushx("l", "d").await?), (5, 6));
    assert_eq!((client.lpushx("none", "y").await?, client.rpushx("none", "d").await?), (0, 0));
    assert_eq!(all(&client, "l").await?, ["y", "z", "a", "b", "c", "d"]);
    assert_eq!(client.lpop::<String>("l").await?.as_deref(), Some("y"));
    assert_eq!(client.rpop::<String>("l").await?.as_deref(), Some("d"));
    let two = client.execute(cmd::lpop::<String>("l").count(2)).await?;
    assert_eq!(two, Some(vec!["z".to_owned(), "a".to_owned()]));
    let rest = client.execute(cmd::rpop::<String>("l").count(9)).await?;
    assert_eq!(rest, Some(vec!["c".to_owned(), "b".to_owned()]));
    assert_eq!(client.execute(cmd::rpop::<String>("l").count(9)).await?, None);
    cx.step("waiting");
    client.rpush("l", ["a", "b"]).await?;
    let popped = |value: &str| Some(("l".to_owned(), value.to_owned()));
    let second = Duration::from_secs(1);
    assert_eq!(client.blpop::<String, String>(["none", "l"], second).await?, popped("a"));
    assert_eq!(client.brpop::<String, String>(["none", "l"], None).await?, popped("b"));
    let soon = Duration::from_millis(1);
    assert_eq!(client.brpop::<String, String>(["none"], soon).await?, None);
    Ok(())
}

async fn elements_are_found_inserted_and_removed<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.rpush("l", ["a", "b", "a", "c", "a"]).await?;
    assert_eq!(client.lpos("l", "a").await?, Some(0));
    assert_eq!(client.lpos("l", "none").await?, None);
    assert_eq!(client.execute(cmd::lpos("l", "a").rank(-2)).await?, Some(2));
    assert_eq!(client.execute(cmd::lpos("l", "a").count(0)).await?, [0, 2, 4]);
    assert_eq!(client.execute(cmd::lpos("l", "a").rank(2).count(5).maxlen(4)).await?, [2]);
    assert_eq!(client.execute(cmd::lpos("l", "none").count(2)).await?, [0; 0]);
    assert_eq!(client.linsert("l", Place::Before, "b", "x").await?, 6);
    assert_eq!(client.linsert("l", Place::After, "b", "y").await?, 7);
    assert_eq!(client.linsert("l", Place::After, "none", "y").await?, -1);
    assert_eq!(client.linsert("none", Place::After, "b", "y").await?, 0);
    assert_eq!(all(&client, "l").await?, ["a", "x", "b", "y", "a", "c", "a"]);
    assert_eq!(client.lrem("l", -1, "a").await?, 1);
    assert_eq!(client.lrem("l", 0, "a").await?, 2);
    client.lset("l", -1, "C").await?;
    assert_eq!(client.lindex::<String>("l", -1).await?.as_deref(), Some("C"));
    client.ltrim("l", 1, 2).await?;
    assert_eq!(
        (all(&client, "l").await?, client.llen("l").await?),
        (vec!["b".into(), "y".into()], 2)
    );
    cx.saw("out of range", failed(client.lset("l", 9, "x").await)?);
    Ok(())
}

async fn elements_move_from_list_to_list<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.rpush("l", ["a", "b", "c", "d", "e", "f"]).await?;
    let second = Duration::from_secs(1);
    let mut moved: Vec<Option<String>> = Vec::new();
    moved.push(client.lmove("l", "m", Side::Left, Side::Right).await?);
    moved.push(client.lmove("l", "m", Side::Right, Side::Left).await?);
    moved.push(client.blmove("l", "m", Side::Left, Side::Left, second).await?);
    moved.push(client.blmove("l", "m", Side::Right, Side::Right, None).await?);
    moved.push(client.rpoplpush("l", "m").await?);
    moved.push(client.brpoplpush("l", "m", second).await?);
    let moved: Vec<_> = moved.into_iter().flatten().collect();
    assert_eq!(moved, ["a", "f", "b", "e", "d", "c"]);
    assert_eq!(all(&client, "m").await?, ["c", "d", "b", "f", "a", "e"]);
    cx.step("nothing to move");
    let soon = Duration::from_millis(1);
    assert_eq!(client.lmove::<String>("l", "m", Side::Left, Side::Left).await?, None);
    assert_eq!(client.blmove::<String>("l", "m", Side::Left, Side::Left, soon).await?, None);
    assert_eq!(client.rpoplpush::<String>("l", "m").await?, None);
    assert_eq!(client.brpoplpush::<String>("l", "m", soon).await?, None);
    Ok(())
}

async fn elements_of_the_first_list_are_popped<S: Subject>(cx: Context<S>) -> Outcome {
    type Popped = Option<(String, Vec<String>)>;
    let client = cx.client()?;
    client.rpush("l", ["a", "b", "c", "d", "e"]).await?;
    let popped = |values: &[&str]| {
        Some(("l".to_owned(), values.iter().map(|value| (*value).to_owned()).collect()))
    };
    let one: Popped = client.lmpop(["none", "l"], Side::Left).await?;
    assert_eq!(one, popped(&["a"]));
    let two: Popped = client.execute(cmd::lmpop(["l"], Side::Right).count(2)).await?;
    assert_eq!(two, popped(&["e", "d"]));
    let one: Popped = client.blmpop(Duration::from_secs(1), ["none", "l"], Side::Right).await?;
    assert_eq!(one, popped(&["c"]));
    let rest: Popped = client.execute(cmd::blmpop(None, ["l"], Side::Left).count(9)).await?;
    assert_eq!(rest, popped(&["b"]));
    assert_eq!(client.lmpop::<String, String>(["l"], Side::Left).await?, None);
    let soon = Duration::from_millis(1);
    assert_eq!(client.blmpop::<String, String>(soon, ["l"], Side::Left).await?, None);
    Ok(())
}
