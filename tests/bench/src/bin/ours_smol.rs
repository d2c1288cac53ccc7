//! Ours, on smol: tasks and driver on one executor, which this thread runs.

use std::{process::ExitCode, sync::Arc, time::Duration};

use bench::{
    job::{self, Job, Result, Workload},
    meter::Sample,
    publisher::Publisher,
    wire,
};
use bytes::Bytes;
use redis_smol::{Client, Commands, Message, PubSub, QueueCommands, Smol};
use smol::{Executor, Task};

/// For a message that somebody is about to publish.
const WAIT: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    job::subject(measure)
}

fn measure(job: &Job) -> Result<Sample> {
    let executor = Arc::new(Executor::new());
    let config = job.url().parse()?;
    let client = Client::with(config, Smol::on(executor.clone()))?;
    match job.workload {
        Workload::Get => job.measure(|turns| gets(&executor, &client, job.tasks, turns)),
        Workload::PipelineSet => job.measure(|turns| {
            smol::block_on(executor.run(async {
                for _ in 0..turns {
                    let mut pipeline = client.pipeline();
                    pipeline.transaction(false);
                    for number in 0..wire::KEYS {
                        pipeline.set(wire::key(number), wire::VALUE);
                    }
                    pipeline.execute::<()>().await?;
                }
                Ok(())
            }))
        }),
        Workload::PipelineGet => job.measure(|turns| {
            smol::block_on(executor.run(async {
                for _ in 0..turns {
                    let mut pipeline = client.pipeline();
                    pipeline.transaction(false);
                    for number in 0..wire::KEYS {
                        pipeline.get(wire::key(number));
                    }
                    for value in pipeline.execute::<Vec<Bytes>>().await? {
                        job::expect_value(&value)?;
                    }
                }
                Ok(())
            }))
        }),
        Workload::GetMessage => {
            let (mut pubsub, mut publisher) =
                smol::block_on(executor.run(subscribe(job, &client)))?;
            job.measure(|turns| {
                smol::block_on(executor.run(async {
                    for window in publisher.windows(turns) {
                        window?;
                        for _ in 0..wire::WINDOW {
                            expect_message(pubsub.get_message(WAIT).await?)?;
                        }
                    }
                    Ok(())
                }))
            })
        }
        Workload::Listen => {
            let (mut pubsub, mut publisher) =
                smol::block_on(executor.run(subscribe(job, &client)))?;
            let mut messages = pubsub.listen();
            job.measure(|turns| {
                smol::block_on(executor.run(async {
                    for window in publisher.windows(turns) {
                        window?;
                        for _ in 0..wire::WINDOW {
                            expect_message(messages.next().await.transpose()?)?;
                        }
                    }
                    Ok(())
                }))
            })
        }
    }
}

/// Subscribed, so that nothing is missed of what is asked for.
async fn subscribe(job: &Job, client: &Client) -> Result<(PubSub, Publisher)> {
    let mut pubsub = client.pubsub();
    pubsub.subscribe(wire::CHANNEL).await?;
    pubsub.get_message(WAIT).await?.ok_or("the subscription was not confirmed")?;
    Ok((pubsub, Publisher::start(job)?))
}

fn expect_message(message: Option<Message>) -> Result<()> {
    let message = message.ok_or("a message is missing")?;
    job::expect_value(message.payload().unwrap_or_default())
}

fn gets(executor: &Executor<'static>, client: &Client, tasks: usize, turns: u64) -> Result<()> {
    smol::block_on(executor.run(async {
        let mut all = Vec::<Task<Result<()>>>::with_capacity(tasks);
        for number in 0..tasks {
            let client = client.clone();
            all.push(executor.spawn(async move {
                let key = wire::key(number);
                for _ in 0..turns {
                    let value: Option<Bytes> = client.get(key).await?;
                    job::expect_value(&value.unwrap_or_default())?;
                }
                Ok(())
            }));
        }
        for task in all {
            task.await?;
        }
        Ok(())
    }))
}
