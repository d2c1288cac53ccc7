//! What is about the server.

use bytes::Bytes;

use super::{Call, Done, TABLE, unknown_subcommand};
use crate::embedded::{glob, store::DATABASES, world::VERSION};

pub(super) fn info(call: &mut Call<'_>) -> Done {
    let wanted: Vec<_> = call.args[1..].iter().map(|arg| arg.to_ascii_lowercase()).collect();
    let all = wanted.is_empty()
        || wanted
            .iter()
            .any(|name| ["all", "default", "everything"].iter().any(|w| w.as_bytes() == name));
    let clients = call.world.clients().count();
    let mut keyspace = String::new();
    for database in 0..DATABASES {
        let (keys, expires) = call.world.store.keys(database, call.now).counts();
        if keys > 0 {
            keyspace.push_str(&format!("db{database}:keys={keys},expires={expires},avg_ttl=0\r\n"));
        }
    }
    let sections = [
        (
            "Server",
            format!("redis_version:{VERSION}\r\nserver_name:embedded\r\nredis_mode:standalone\r\n"),
        ),
        ("Clients", format!("connected_clients:{clients}\r\n")),
        ("Stats", format!("total_commands_processed:{}\r\n", call.world.commands)),
        ("Replication", "role:master\r\nconnected_slaves:0\r\n".to_owned()),
        ("Cluster", "cluster_enabled:0\r\n".to_owned()),
        ("Keyspace", keyspace),
    ];
    let shown: Vec<_> = sections
        .iter()
        .filter(|(name, _)| all || wanted.contains(&name.to_ascii_lowercase().into_bytes()))
        .map(|(name, lines)| format!("# {name}\r\n{lines}"))
        .collect();
    call.reply().verbatim(*b"txt", shown.join("\r\n").as_bytes());
    Ok(())
}

/// Enough for tools that ask and go on without an answer.
pub(super) fn command(call: &mut Call<'_>) -> Done {
    let subcommand = call.args.get(1).map(|arg| arg.to_ascii_lowercase());
    match subcommand.as_deref() {
        None => call.bulks(&[]),
        Some(b"count") => call.integer(TABLE.len()),
        Some(b"docs") => {
            call.reply().map(0);
            Ok(())
        }
        Some(b"list") => {
            let names: Vec<_> = TABLE.iter().map(|spec| spec.name.into()).collect();
            call.bulks(&names)
        }
        Some(_) => Err(unknown_subcommand(call.args, "COMMAND")),
    }
}

/// What benchmarks ask for: nothing is ever written to a disk.
pub(super) fn config(call: &mut Call<'_>) -> Done {
    if !call.args[1].eq_ignore_ascii_case(b"get") {
        return Err(unknown_subcommand(call.args, "CONFIG"));
    }
    let settings = [("appendonly", "no"), ("databases", "16"), ("save", "")];
    let patterns = &call.args[2..];
    let wanted = |name: &str| patterns.iter().any(|glob| glob::matches(glob, name.as_bytes()));
    let settings: Vec<_> = settings.iter().filter(|(name, _)| wanted(name)).collect();
    let mut reply = call.reply();
    reply.map(settings.len());
    for (name, value) in settings {
        reply.bulk(name.as_bytes()).bulk(value.as_bytes());
    }
    Ok(())
}

pub(super) fn time(call: &mut Call<'_>) -> Done {
    let (seconds, micros) = (call.now / 1000, call.now % 1000 * 1000);
    call.bulks(&[Bytes::from(seconds.to_string()), Bytes::from(micros.to_string())])
}
