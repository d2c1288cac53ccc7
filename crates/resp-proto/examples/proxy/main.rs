//! A proxy that any client can talk through: bytes go on as they come, unchanged and in order, so
//! pipelines, pushes, MONITOR and commands that block work; beside that, requests and replies are
//! framed to tell how often and how long each command ran. Ctrl-C shows the table and ends it.
//!
//! `cargo run -p resp-proto --example proxy -- --listen 127.0.0.1:6381 --upstream 127.0.0.1:6379`

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that people run says what it does"
)]

use std::{
    io,
    net::TcpListener,
    process,
    sync::{Arc, Mutex},
};

use crate::{forward::lock, meter::Table};

mod forward;
mod meter;
#[path = "../shared/mod.rs"]
mod shared;

fn main() -> io::Result<()> {
    let [listen, upstream] =
        shared::options([("--listen", "127.0.0.1:6381"), ("--upstream", "127.0.0.1:6379")])?;
    let table = Arc::new(Mutex::new(Table::default()));
    let shown = Arc::clone(&table);
    testkit::embedded::on_ctrl_c(move || {
        print!("{}", lock(&shown));
        process::exit(130);
    })?;
    let listener = TcpListener::bind(&listen)?;
    println!("listening on {} for {upstream}", listener.local_addr()?);
    forward::serve(&listener, &upstream, &table);
    Ok(())
}
