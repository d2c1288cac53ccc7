//! The limit on tokio: as raw, through its reactor.

use std::process::ExitCode;

use bench::{
    job::{self, Job, Result, Workload},
    meter::Sample,
    publisher::Publisher,
    wire::{self, Exchange},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::{Builder, Runtime},
};

fn main() -> ExitCode {
    job::subject(measure)
}

fn measure(job: &Job) -> Result<Sample> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut socket = runtime.block_on(TcpStream::connect(job.addr()))?;
    socket.set_nodelay(true)?;
    let exchange = Exchange::of(job, 0);
    let mut buffer = vec![0; 64 * 1024];
    if let Workload::GetMessage | Workload::Listen = job.workload {
        return messages(job, &runtime, &mut socket, &exchange, &mut buffer);
    }
    job.measure(|turns| {
        runtime.block_on(async {
            for _ in 0..turns {
                socket.write_all(&exchange.request).await?;
                let mut left = exchange.reply_len;
                while left > 0 {
                    left = exchange.left(left, socket.read(&mut buffer).await?)?;
                }
            }
            Ok(())
        })
    })
}

fn messages(
    job: &Job,
    runtime: &Runtime,
    socket: &mut TcpStream,
    window: &Exchange,
    buffer: &mut [u8],
) -> Result<Sample> {
    runtime.block_on(async {
        socket.write_all(&wire::subscribe()).await?;
        socket.read_exact(&mut vec![0; wire::confirmation_len()]).await
    })?;
    let mut publisher = Publisher::start(job)?;
    job.measure(|turns| {
        runtime.block_on(async {
            for asked in publisher.windows(turns) {
                asked?;
                let mut left = window.reply_len;
                while left > 0 {
                    // The next window may be there already.
                    let space = left.min(buffer.len());
                    left = window.left(left, socket.read(&mut buffer[..space]).await?)?;
                }
            }
            Ok(())
        })
    })
}
