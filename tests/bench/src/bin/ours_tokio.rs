//! Ours, on tokio.

use std::process::ExitCode;

use bench::{
    job::{self, Job, Result, Workload},
    meter::Sample,
    wire,
};
use bytes::Bytes;
use redis_tokio::{Client, Commands, QueueCommands};
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
    let client = Client::open(&format!("redis://{}", job.addr))?;
    match job.workload {
        Workload::Get => job.measure(|turns| gets(&runtime, &client, job.tasks, turns)),
        Workload::PipelineSet => job.measure(|turns| {
            runtime.block_on(async {
                for _ in 0..turns {
                    let mut pipeline = client.pipeline();
                    pipeline.transaction(false);
                    for number in 0..wire::KEYS {
                        pipeline.set(wire::key(number), wire::VALUE);
                    }
                    pipeline.execute::<()>().await?;
                }
                Ok(())
            })
        }),
        Workload::PipelineGet => job.measure(|turns| {
            runtime.block_on(async {
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
            })
        }),
    }
}

fn gets(runtime: &Runtime, client: &Client, tasks: usize, turns: u64) -> Result<()> {
    runtime.block_on(async {
        let mut set = JoinSet::<Result<()>>::new();
        for number in 0..tasks {
            let client = client.clone();
            set.spawn(async move {
                let key = wire::key(number);
                for _ in 0..turns {
                    let value: Option<Bytes> = client.get(key).await?;
                    job::expect_value(&value.unwrap_or_default())?;
                }
                Ok(())
            });
        }
        while let Some(ended) = set.join_next().await {
            ended??;
        }
        Ok(())
    })
}
