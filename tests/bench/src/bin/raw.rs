//! The limit: writes bytes that were encoded before, and counts the bytes that answer, or that come
//! with messages.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::ExitCode,
};

use bench::{
    job::{self, Job, Result, Workload},
    meter::Sample,
    publisher::Publisher,
    wire::{self, Exchange},
};

fn main() -> ExitCode {
    job::subject(measure)
}

fn measure(job: &Job) -> Result<Sample> {
    let mut buffer = vec![0; 64 * 1024];
    let mut nodes = Vec::new();
    for (node, addr) in job.addrs.iter().enumerate() {
        let socket = TcpStream::connect(addr)?;
        socket.set_nodelay(true)?;
        nodes.push((socket, Exchange::of(job, node)));
    }
    if let Workload::GetMessage | Workload::Listen = job.workload {
        let (socket, exchange) = &mut nodes[0];
        return messages(job, socket, exchange, &mut buffer);
    }
    job.measure(|turns| {
        for _ in 0..turns {
            for (socket, exchange) in &mut nodes {
                socket.write_all(&exchange.request)?;
            }
            for (socket, exchange) in &mut nodes {
                let mut left = exchange.reply_len;
                while left > 0 {
                    left = exchange.left(left, socket.read(&mut buffer)?)?;
                }
            }
        }
        Ok(())
    })
}

fn messages(
    job: &Job,
    socket: &mut TcpStream,
    window: &Exchange,
    buffer: &mut [u8],
) -> Result<Sample> {
    socket.write_all(&wire::subscribe())?;
    socket.read_exact(&mut vec![0; wire::confirmation_len()])?;
    let mut publisher = Publisher::start(job)?;
    job.measure(|turns| {
        for asked in publisher.windows(turns) {
            asked?;
            let mut left = window.reply_len;
            while left > 0 {
                // The next window may be there already.
                let space = left.min(buffer.len());
                left = window.left(left, socket.read(&mut buffer[..space])?)?;
            }
        }
        Ok(())
    })
}
