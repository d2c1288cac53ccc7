//! The limit: writes bytes that were encoded before, and counts the bytes that answer.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    process::ExitCode,
};

use bench::{
    job::{self, Job, Result, Workload},
    meter::Sample,
    wire,
};

fn main() -> ExitCode {
    job::subject(measure)
}

fn measure(job: &Job) -> Result<Sample> {
    let mut socket = TcpStream::connect(job.addr)?;
    socket.set_nodelay(true)?;
    let (request, reply) = match job.workload {
        Workload::Get => (wire::gets(0..job.tasks), job.tasks * wire::get_reply_len()),
        Workload::PipelineSet => (wire::sets(0..wire::KEYS), wire::KEYS * wire::set_reply_len()),
        Workload::PipelineGet => (wire::gets(0..wire::KEYS), wire::KEYS * wire::get_reply_len()),
    };
    let mut buffer = vec![0; 64 * 1024];
    job.measure(|turns| {
        for _ in 0..turns {
            socket.write_all(&request)?;
            let mut left = reply;
            while left > 0 {
                match socket.read(&mut buffer)? {
                    0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                    n => left = left.checked_sub(n).ok_or("more bytes than the replies have")?,
                }
            }
        }
        Ok(())
    })
}
