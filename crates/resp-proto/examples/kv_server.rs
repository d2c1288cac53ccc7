//! A small Redis server in memory, for many clients, in RESP2 and RESP3. What it can do is
//! `testkit::embedded`, whose connections show how requests are decoded and replies encoded.
//!
//! `cargo run -p resp-proto --example kv-server -- --listen 127.0.0.1:6380`

#![allow(clippy::print_stdout, reason = "a program that people run says what it does")]

use std::{io, sync::mpsc};

use testkit::embedded::{self, Embedded};

mod shared;

fn main() -> io::Result<()> {
    let [listen] = shared::options([("--listen", "127.0.0.1:6380")])?;
    let (stop, stopped) = mpsc::channel();
    embedded::on_ctrl_c(move || {
        // Nobody waits for a second one.
        let _ = stop.send(());
    })?;
    let server = Embedded::listen(&listen)?;
    println!("listening on {} and {}", server.addr(), server.socket_path().display());
    // The handler holds the other end, so this waits for it.
    let _ = stopped.recv();
    println!("stopping");
    Ok(())
}
