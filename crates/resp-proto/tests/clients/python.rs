//! Python's package `redis`. What it does is in `mixed.py`.

use std::{net::SocketAddr, path::Path};

use testkit::{tools, tools::Tool};

use crate::setup::{Ran, fed, on_kv_server, through_proxy, tool};

fn mixed(python: &Tool, addr: SocketAddr, protocol: &str, extent: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/mixed.py");
    let mut command = python.command();
    // What it compiles it leaves nowhere.
    command.arg("-B").arg(script).arg(addr.ip().to_string()).arg(addr.port().to_string());
    command.args([protocol, extent]);
    let Ran { shown, complaints, success } = fed(command, b"");
    assert!(success, "RESP{protocol}: {shown}{complaints}");
    let checks = if extent == "all" { 69 } else { 55 };
    assert_eq!(shown.trim(), format!("ok {checks} checks"));
}

fn on_the_proxy(protocol: &str) {
    let Some(python) = tool(tools::PYTHON) else { return };
    let counted = through_proxy(|addr| mixed(&python, addr, protocol, "all"));
    if !counted.is_empty() {
        // Its `incr` is this.
        let wanted = [("incrby", 5108), ("publish", 502), ("blpop", 2), ("monitor", 1)];
        let confirmed = ["subscribe", "psubscribe", "unsubscribe", "punsubscribe"];
        for (name, count) in wanted.into_iter().chain(confirmed.map(|name| (name, 1))) {
            assert_eq!(counted.get(name), Some(&count), "{name} in {counted:?}");
        }
    }
}

#[test]
fn python_is_content_with_the_proxy_in_resp2() {
    on_the_proxy("2");
}

#[test]
fn python_is_content_with_the_proxy_in_resp3() {
    on_the_proxy("3");
}

#[test]
fn python_is_content_with_the_kv_server_in_both_protocols() {
    let Some(python) = tool(tools::PYTHON) else { return };
    for protocol in ["2", "3"] {
        on_kv_server(|addr| mixed(&python, addr, protocol, "basic"));
    }
}
