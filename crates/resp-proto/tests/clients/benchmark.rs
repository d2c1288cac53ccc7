//! `redis-benchmark`.

use std::net::SocketAddr;

use testkit::{tools, tools::Tool};

use crate::setup::{Ran, fed, on_kv_server, through_proxy, tool};

const REQUESTS: u32 = 20_000;

fn measured(benchmark: &Tool, addr: SocketAddr) {
    let mut command = benchmark.command();
    command.args(["-p", &addr.port().to_string(), "-P", "16", "-n", &REQUESTS.to_string()]);
    command.args(["-t", "set,get,incr,lrange", "-q"]);
    let Ran { shown, complaints, success } = fed(command, b"");
    assert!(success, "{shown}{complaints}");
    assert!(
        !format!("{shown}{complaints}").to_lowercase().contains("error"),
        "{shown}{complaints}"
    );
    assert_eq!(complaints, "");
    // Progress is written over itself.
    let rate = |name: &str| -> Option<f64> {
        let line = |line: &&str| line.starts_with(name) && line.contains(" requests per second");
        let line = shown.split(['\r', '\n']).find(line)?;
        line[name.len()..].trim_start_matches([':', ' ']).split(' ').next()?.parse().ok()
    };
    for name in [
        "SET",
        "GET",
        "INCR",
        "LPUSH (needed to benchmark LRANGE)",
        "LRANGE_100 (first 100 elements)",
        "LRANGE_300 (first 300 elements)",
        "LRANGE_500 (first 500 elements)",
        "LRANGE_600 (first 600 elements)",
    ] {
        assert!(rate(name).is_some_and(|rate| rate > 0.0), "{name}: {:?} in {shown}", rate(name));
    }
}

#[test]
fn redis_benchmark_is_content_with_the_kv_server() {
    let Some(benchmark) = tool(tools::BENCHMARK) else { return };
    on_kv_server(|addr| measured(&benchmark, addr));
}

#[test]
fn redis_benchmark_is_content_with_the_proxy() {
    let Some(benchmark) = tool(tools::BENCHMARK) else { return };
    let counted = through_proxy(|addr| measured(&benchmark, addr));
    for (name, tests) in [("set", 1), ("get", 1), ("incr", 1), ("lpush", 1), ("lrange", 4)] {
        // It ends a test once it has its replies, when some more may be on their way.
        let wanted = tests * REQUESTS;
        let count = counted.get(name).copied().unwrap_or(wanted);
        assert!((wanted..wanted + wanted / 4).contains(&count), "{name}: {counted:?}");
    }
}
