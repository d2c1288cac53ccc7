//! A peer: the `redis` crate, blocking.

use std::process::ExitCode;

use bench::{
    job::{self, Job, Result, Workload},
    meter::Sample,
    publisher::Publisher,
    wire,
};
use redis::{
    Client, Commands, Pipeline,
    cluster::{ClusterClient, ClusterPipeline},
};

fn main() -> ExitCode {
    job::subject(measure)
}

fn measure(job: &Job) -> Result<Sample> {
    if job.is_cluster() {
        return measure_cluster(job);
    }
    let client = Client::open(job.url())?;
    let mut connection = client.get_connection()?;
    match job.workload {
        Workload::Get => job.measure(|turns| {
            let key = wire::key(0);
            for _ in 0..turns {
                let value: Vec<u8> = connection.get(&key)?;
                job::expect_value(&value)?;
            }
            Ok(())
        }),
        Workload::PipelineSet => job.measure(|turns| {
            for _ in 0..turns {
                let mut pipeline = Pipeline::with_capacity(wire::KEYS);
                for number in 0..wire::KEYS {
                    pipeline.set(&wire::key(number), &wire::VALUE).ignore();
                }
                pipeline.query::<()>(&mut connection)?;
            }
            Ok(())
        }),
        Workload::PipelineGet => job.measure(|turns| {
            for _ in 0..turns {
                let mut pipeline = Pipeline::with_capacity(wire::KEYS);
                for number in 0..wire::KEYS {
                    pipeline.get(&wire::key(number));
                }
                for value in pipeline.query::<Vec<Vec<u8>>>(&mut connection)? {
                    job::expect_value(&value)?;
                }
            }
            Ok(())
        }),
        // It has no iterator.
        Workload::GetMessage | Workload::Listen => {
            let mut pubsub = connection.as_pubsub();
            pubsub.subscribe(wire::CHANNEL)?;
            let mut publisher = Publisher::start(job)?;
            job.measure(|turns| {
                for window in publisher.windows(turns) {
                    window?;
                    for _ in 0..wire::WINDOW {
                        job::expect_value(pubsub.get_message()?.get_payload_bytes())?;
                    }
                }
                Ok(())
            })
        }
    }
}

fn measure_cluster(job: &Job) -> Result<Sample> {
    let seeds: Vec<_> = job.addrs.iter().map(|addr| format!("redis://{addr}")).collect();
    let mut connection = ClusterClient::new(seeds)?.get_connection()?;
    match job.workload {
        Workload::PipelineSet => job.measure(|turns| {
            for _ in 0..turns {
                let mut pipeline = ClusterPipeline::with_capacity(wire::KEYS);
                for number in 0..wire::KEYS {
                    pipeline.set(&wire::key(number), &wire::VALUE).ignore();
                }
                pipeline.query::<()>(&mut connection)?;
            }
            Ok(())
        }),
        Workload::PipelineGet => job.measure(|turns| {
            for _ in 0..turns {
                let mut pipeline = ClusterPipeline::with_capacity(wire::KEYS);
                for number in 0..wire::KEYS {
                    pipeline.get(&wire::key(number));
                }
                for value in pipeline.query::<Vec<Vec<u8>>>(&mut connection)? {
                    job::expect_value(&value)?;
                }
            }
            Ok(())
        }),
        Workload::Get => job.measure(|turns| {
            let key = wire::key(0);
            for _ in 0..turns {
                let value: Vec<u8> = connection.get(&key)?;
                job::expect_value(&value)?;
            }
            Ok(())
        }),
        Workload::GetMessage | Workload::Listen => {
            Err("it subscribes on single servers alone".into())
        }
    }
}
