//! One client, many tasks.

use bytes::Bytes;
use redis_core::{Commands, Error, QueueCommands};

use crate::client::Client;
use crate::scenario::{Context, Outcome, Scenario, failed};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(fifty_tasks_each_get_their_own_replies),
        Scenario::new(clones_share_what_the_client_is),
        Scenario::new(failures_of_one_task_are_its_own),
        Scenario::new(large_and_small_replies_mix),
        Scenario::new(commands_watches_and_pipelines_mix),
    ]
}

async fn fifty_tasks_each_get_their_own_replies<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let tasks: Vec<_> = (0..50_i64)
        .map(|task| {
            let client = client.clone();
            cx.spawn(async move {
                for n in 0..100 {
                    let own = task * 1_000 + n;
                    assert_eq!(client.echo::<i64>(own).await?, own);
                    client.set(task, own).await?;
                    assert_eq!(client.get::<i64>(task).await?, Some(own));
                    client.incr("all").await?;
                }
                Ok::<_, Error>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    assert_eq!(client.get::<i64>("all").await?, Some(5_000));
    Ok(())
}

async fn clones_share_what_the_client_is<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client_with(|config| config.client_name = Some("shared".into()))?;
    client.ping().await?;
    for _ in 0..20 {
        let clone = client.clone();
        assert_eq!(clone.client_getname().await?.as_deref(), Some("shared"));
    }
    let connections = async |client: &Client<S>| -> redis_core::Result<usize> {
        let clients = client.client_list().await?;
        Ok(clients.iter().filter(|client| client.name.as_deref() == Some("shared")).count())
    };
    let open = connections(&client).await?;
    assert_eq!(open, 1, "commands one after the other need one connection");
    drop(client);
    let other = cx.client()?;
    cx.until("the last clone has closed it", async || Ok(connections(&other).await? == 0)).await?;
    Ok(())
}

async fn failures_of_one_task_are_its_own<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.set("text", "x").await?;
    let tasks: Vec<_> = (0..20_i64)
        .map(|task| {
            let client = client.clone();
            cx.spawn(async move {
                for n in 0..50 {
                    match task % 4 {
                        0 => drop(client.incr("text").await.expect_err("text is no number")),
                        1 => drop(client.get::<i64>("text").await.expect_err("nor for us")),
                        2 => drop(client.del([""; 0]).await.expect_err("there is no key")),
                        _ => assert_eq!(client.echo::<i64>(n).await?, n),
                    }
                }
                Ok::<_, Error>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    failed(client.incr("text").await)?;
    Ok(())
}

async fn large_and_small_replies_mix<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let tasks: Vec<_> = (0..12_u8)
        .map(|task| {
            let client = client.clone();
            let value = vec![task; if task % 2 == 0 { 600_000 } else { 3 }];
            cx.spawn(async move {
                for _ in 0..5 {
                    client.set([task], &value).await?;
                    let read = client.get::<Bytes>([task]).await?;
                    assert!(read.as_deref() == Some(&value[..]), "value {task}");
                }
                Ok::<_, Error>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}

async fn commands_watches_and_pipelines_mix<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let tasks: Vec<_> = (0..9_i64)
        .map(|task| {
            let client = client.clone();
            cx.spawn(async move {
                let key = format!("own:{task}");
                for n in 0..20 {
                    let now = match task % 3 {
                        0 => client.incr(&key).await?,
                        1 => client.pipeline().incr(&key).execute::<(i64,)>().await?.0,
                        _ => {
                            let watched = client.watch(&[&key]).await?;
                            watched.multi().incr(&key).execute::<(i64,)>().await?.0
                        }
                    };
                    assert_eq!(now, n + 1);
                }
                Ok::<_, Error>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}
