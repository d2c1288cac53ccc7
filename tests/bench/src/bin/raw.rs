//! The limit: writes bytes that were encoded before, and counts the bytes that answer.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::ExitCode,
};

use bench::{
    job::{self, Job, Result},
    meter::Sample,
    wire::Exchange,
};

fn main() -> ExitCode {
    job::subject(measure)
}

fn measure(job: &Job) -> Result<Sample> {
    let mut socket = TcpStream::connect(job.addr)?;
    socket.set_nodelay(true)?;
    let exchange = Exchange::of(job);
    let mut buffer = vec![0; 64 * 1024];
    job.measure(|turns| {
        for _ in 0..turns {
            socket.write_all(&exchange.request)?;
            let mut left = exchange.reply_len;
            while left > 0 {
                left = exchange.left(left, socket.read(&mut buffer)?)?;
            }
        }
        Ok(())
    })
}
