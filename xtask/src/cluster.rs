//! `cluster`: a cluster on this machine to try a client on, for as long as the verb runs.

use std::{str::FromStr, thread, time::Duration};

use clusterkit::{Cluster, ClusterOptions};

use crate::{Result, Verb, args::Args, servers};

pub(crate) const VERB: Verb = Verb {
    name: "cluster",
    options: "[--server S] [--primaries N] [--replicas N] [--port FIRST]",
    purpose: "a cluster to try a client on, until Ctrl-C; 3 primaries with 1 replica each",
    run,
};

/// A machine in use may be silent for seconds.
const NODE_TIMEOUT: Duration = Duration::from_secs(5);

fn run(mut args: Args) -> Result<()> {
    let wanted = args.value("--server")?.unwrap_or_default();
    let primaries = number(&mut args, "--primaries")?.unwrap_or(3);
    let replicas = number(&mut args, "--replicas")?.unwrap_or(1);
    let port = number(&mut args, "--port")?;
    args.finish()?;

    let installed = servers::called(&wanted)?;
    let mut options = ClusterOptions::new().primaries(primaries).replicas(replicas);
    options = options.node_timeout(NODE_TIMEOUT).automatic_failover();
    if let Some(port) = port {
        options = options.first_port(port);
    }
    println!("starting {} nodes of {installed}", primaries * (1 + replicas));
    let cluster = Cluster::start(&installed, options)?;
    servers::print_rows(&rows(&cluster)?);

    println!("\nconnect with  {}", cluster.url());
    if let Some(node) = cluster.nodes().first() {
        println!("or            redis-cli -c -p {}", node.port());
    }
    println!("stop with     Ctrl-C, or `kill {}`; nothing is left behind", std::process::id());
    // The handler of Ctrl-C ends the nodes, and this process.
    loop {
        thread::park();
    }
}

fn number<T: FromStr>(args: &mut Args, name: &str) -> Result<Option<T>> {
    let Some(value) = args.value(name)? else { return Ok(None) };
    let number = value.parse().map_err(|_| format!("`{name}` takes a number, not `{value}`"))?;
    Ok(Some(number))
}

/// A heading, and each primary with its replicas behind it.
fn rows(cluster: &Cluster) -> Result<Vec<[String; 3]>> {
    let mut rows = vec![["node", "role", "slots"].map(str::to_owned)];
    for primary in cluster.primaries()? {
        let slots: Vec<_> = cluster.slots_of(&primary)?.iter().map(ToString::to_string).collect();
        rows.push([primary.to_string(), "primary".to_owned(), slots.join(" ")]);
        for replica in cluster.replicas_of(&primary)? {
            rows.push([replica.to_string(), format!("replica of {primary}"), String::new()]);
        }
    }
    Ok(rows)
}
