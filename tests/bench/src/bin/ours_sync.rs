//! Ours, blocking.

use std::{process::ExitCode, time::Duration};

use bench::{
    job::{self, Job, Result, Workload},
    meter::Sample,
    publisher::Publisher,
    wire,
};
use bytes::Bytes;
use redis_sync::{Client, Commands, Message, PubSub, QueueCommands};

/// For a message that somebody is about to publish.
const WAIT: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    job::subject(measure)
}

fn measure(job: &Job) -> Result<Sample> {
    let client = Client::open(&job.url())?;
    match job.workload {
        Workload::Get => job.measure(|turns| {
            let key = wire::key(0);
            for _ in 0..turns {
                let value: Option<Bytes> = client.get(key)?;
                job::expect_value(&value.unwrap_or_default())?;
            }
            Ok(())
        }),
        Workload::PipelineSet => job.measure(|turns| {
            for _ in 0..turns {
                let mut pipeline = client.pipeline();
                pipeline.transaction(false);
                for number in 0..wire::KEYS {
                    pipeline.set(wire::key(number), wire::VALUE);
                }
                pipeline.execute::<()>()?;
            }
            Ok(())
        }),
        Workload::PipelineGet => job.measure(|turns| {
            for _ in 0..turns {
                let mut pipeline = client.pipeline();
                pipeline.transaction(false);
                for number in 0..wire::KEYS {
                    pipeline.get(wire::key(number));
                }
                for value in pipeline.execute::<Vec<Bytes>>()? {
                    job::expect_value(&value)?;
                }
            }
            Ok(())
        }),
        Workload::GetMessage => {
            let (mut pubsub, mut publisher) = subscribe(job, &client)?;
            job.measure(|turns| {
                for window in publisher.windows(turns) {
                    window?;
                    for _ in 0..wire::WINDOW {
                        expect_message(pubsub.get_message(WAIT)?)?;
                    }
                }
                Ok(())
            })
        }
        Workload::Listen => {
            let (mut pubsub, mut publisher) = subscribe(job, &client)?;
            let mut messages = pubsub.listen();
            job.measure(|turns| {
                for window in publisher.windows(turns) {
                    window?;
                    for _ in 0..wire::WINDOW {
                        expect_message(messages.next().transpose()?)?;
                    }
                }
                Ok(())
            })
        }
    }
}

/// Subscribed, so that nothing is missed of what is asked for.
fn subscribe(job: &Job, client: &Client) -> Result<(PubSub, Publisher)> {
    let mut pubsub = client.pubsub();
    pubsub.subscribe(wire::CHANNEL)?;
    pubsub.get_message(WAIT)?.ok_or("the subscription was not confirmed")?;
    Ok((pubsub, Publisher::start(job)?))
}

fn expect_message(message: Option<Message>) -> Result<()> {
    let message = message.ok_or("a message is missing")?;
    job::expect_value(message.payload().unwrap_or_default())
}
