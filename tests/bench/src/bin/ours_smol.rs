//! Ours, on smol: tasks and driver on one executor, which this thread runs.

use std::{process::ExitCode, sync::Arc};

use bench::{
    job::{self, Job, Result, Workload},
    meter::Sample,
    wire,
};
use bytes::Bytes;
use redis_smol::{Client, Commands, QueueCommands, Smol};
use smol::{Executor, Task};

fn main() -> ExitCode {
    job::subject(measure)
}

fn measure(job: &Job) -> Result<Sample> {
    let executor = Arc::new(Executor::new());
    let config = format!("redis://{}", job.addr).parse()?;
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
    }
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
