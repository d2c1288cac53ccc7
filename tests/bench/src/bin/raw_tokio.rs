//! The limit on tokio: as raw, through its reactor.

use std::process::ExitCode;

use bench::{
    job::{self, Job, Result},
    meter::Sample,
    wire::Exchange,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Builder,
};

fn main() -> ExitCode {
    job::subject(measure)
}

fn measure(job: &Job) -> Result<Sample> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut socket = runtime.block_on(TcpStream::connect(job.addr))?;
    socket.set_nodelay(true)?;
    let exchange = Exchange::of(job);
    let mut buffer = vec![0; 64 * 1024];
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
