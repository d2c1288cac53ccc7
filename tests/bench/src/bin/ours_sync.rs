//! Ours, blocking.

use std::process::ExitCode;

use bench::{
    job::{self, Job, Result, Workload},
    meter::Sample,
    wire,
};
use bytes::Bytes;
use redis_sync::{Client, Commands, QueueCommands};

fn main() -> ExitCode {
    job::subject(measure)
}

fn measure(job: &Job) -> Result<Sample> {
    let client = Client::open(&format!("redis://{}", job.addr))?;
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
    }
}
