//! A peer: the `redis` crate's multiplexed connection on tokio.

use std::{future::poll_fn, pin::pin, process::ExitCode};

use bench::{
    job::{self, Job, Result, Workload},
    meter::Sample,
    publisher::Publisher,
    wire,
};
use futures_core::Stream;
use redis::{AsyncCommands, Client, Pipeline, aio::MultiplexedConnection};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
};

fn main() -> ExitCode {
    job::subject(measure)
}

fn measure(job: &Job) -> Result<Sample> {
    let runtime = match job.threads {
        1 => Builder::new_current_thread().enable_all().build()?,
        threads => Builder::new_multi_thread().worker_threads(threads).enable_all().build()?,
    };
    let client = Client::open(job.url())?;
    let connection = runtime.block_on(client.get_multiplexed_async_connection())?;
    match job.workload {
        Workload::Get => job.measure(|turns| gets(&runtime, &connection, job.tasks, turns)),
        Workload::PipelineSet => job.measure(|turns| {
            runtime.block_on(async {
                for _ in 0..turns {
                    let mut pipeline = Pipeline::with_capacity(wire::KEYS);
                    for number in 0..wire::KEYS {
                        pipeline.set(&wire::key(number), &wire::VALUE).ignore();
                    }
                    pipeline.query_async::<()>(&mut connection.clone()).await?;
                }
                Ok(())
            })
        }),
        Workload::PipelineGet => job.measure(|turns| {
            runtime.block_on(async {
                for _ in 0..turns {
                    let mut pipeline = Pipeline::with_capacity(wire::KEYS);
                    for number in 0..wire::KEYS {
                        pipeline.get(&wire::key(number));
                    }
                    let values: Vec<Vec<u8>> =
                        pipeline.query_async(&mut connection.clone()).await?;
                    for value in values {
                        job::expect_value(&value)?;
                    }
                }
                Result::Ok(())
            })
        }),
        // It has nothing but a stream.
        Workload::GetMessage | Workload::Listen => {
            let mut pubsub = runtime.block_on(client.get_async_pubsub())?;
            runtime.block_on(pubsub.subscribe(wire::CHANNEL))?;
            let mut publisher = Publisher::start(job)?;
            let mut messages = pin!(pubsub.on_message());
            job.measure(|turns| {
                runtime.block_on(async {
                    for window in publisher.windows(turns) {
                        window?;
                        for _ in 0..wire::WINDOW {
                            let message = poll_fn(|cx| messages.as_mut().poll_next(cx)).await;
                            let message = message.ok_or("a message is missing")?;
                            job::expect_value(message.get_payload_bytes())?;
                        }
                    }
                    Ok(())
                })
            })
        }
    }
}

fn gets(
    runtime: &Runtime,
    connection: &MultiplexedConnection,
    tasks: usize,
    turns: u64,
) -> Result<()> {
    runtime.block_on(async {
        let mut set = JoinSet::<Result<()>>::new();
        for number in 0..tasks {
            let mut connection = connection.clone();
            set.spawn(async move {
                let key = wire::key(number);
                for _ in 0..turns {
                    let value: Vec<u8> = connection.get(&key).await?;
                    job::expect_value(&value)?;
                }
                Result::Ok(())
            });
        }
        while let Some(ended) = set.join_next().await {
            ended??;
        }
        Ok(())
    })
}
