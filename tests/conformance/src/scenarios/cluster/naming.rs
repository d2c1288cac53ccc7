//! Where nodes say they are, and who may come in: addresses, passwords, users, databases.

use std::net::Ipv4Addr;

use clusterkit::{Cluster, ClusterOptions};
use redis_cluster::Route;
use redis_core::config::AddressMap;
use redis_core::{Commands, Delivery, Endpoint, ErrorKind, QueueCommands, cmd, slot_of};
use testkit::faulty::FaultProxy;
use testkit::servers::ServerOptions;

use super::load::{another, errors};
use crate::client::Client;
use crate::scenario::{Context, Outcome, Scenario, failed, since};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(clusters_with_passwords_and_users_let_in_who_knows_them),
        Scenario::new(nodes_are_reached_by_name_and_where_they_name_no_host)
            .needs("host names", |server| since(server, 7, 0)),
        Scenario::new(addresses_are_translated_wherever_nodes_announce_them),
        Scenario::new(databases_of_a_cluster_are_those_of_every_link)
            .needs("databases in clusters", |server| {
                server.name == "valkey" && since(server, 9, 0)
            }),
        Scenario::new(a_database_that_a_cluster_has_not_is_one_clear_error),
    ]
}

/// Commands of every kind at all nodes.
async fn use_all<S: Subject>(client: &Client<S>) -> redis_core::Result<()> {
    let mut pipeline = client.pipeline();
    for n in 0..30 {
        pipeline.set(format!("k:{n}"), n).ignore();
        client.incr(format!("n:{n}")).await?;
    }
    pipeline.execute::<()>().await?;
    let values = client.mget((0..30).map(|n| format!("k:{n}"))).await?;
    assert_eq!(values, (0..30).map(Some).collect::<Vec<Option<i64>>>());
    pipeline.transaction(true).incr("{a}1").incr("{a}1");
    pipeline.execute::<(i64, i64)>().await?;
    let watched = client.watch(&["k:1"]).await?;
    watched.multi().set("k:1", 1).execute::<()>().await
}

async fn clusters_with_passwords_and_users_let_in_who_knows_them<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let options = ClusterOptions::new().replicas(0);
    let options = options.server(ServerOptions::new().password("secret"));
    let cluster = cx.start_cluster(options).await?;
    let client = cx.client_of(&cluster, |_| ())?;
    use_all(&client).await?;
    let rules = ["on", ">word", "~*", "&*", "+@all"];
    for (_, set) in client.execute_on_each(Route::Nodes, cmd::acl_setuser("someone", rules)).await?
    {
        set?;
    }
    let user = cx.client_of(&cluster, |config| {
        config.username = Some("someone".into());
        config.password = Some("word".into());
    })?;
    use_all(&user).await?;
    let slot = slot_of(b"a");
    let to = another(&cluster, &cluster.primary_of(slot)?)?;
    let way = cluster.clone();
    cx.aside(move || way.move_slot(slot, &to)).await??;
    for client in [&client, &user] {
        client.incr("{a}1").await?;
    }
    for (what, password) in [("wrong", Some("wrong")), ("none", None)] {
        let before = refusals(&cx, &cluster).await?;
        let stranger = cx.client_of(&cluster, |config| {
            config.password = password.map(Into::into);
        })?;
        let error = failed(stranger.get::<i64>("k:1").await)?;
        assert_eq!((error.kind(), error.delivery()), (ErrorKind::Auth, Delivery::NotSent));
        cx.saw(what, error.kind());
        let mut pipeline = stranger.pipeline();
        pipeline.get("k:1").get("k:2");
        for reply in pipeline.execute_all().await? {
            assert_eq!(failed(reply)?.kind(), ErrorKind::Auth);
        }
        let told = refusals(&cx, &cluster).await? - before;
        assert!((1..100).contains(&told), "{told} times");
    }
    Ok(())
}

async fn refusals<S: Subject>(
    cx: &Context<S>,
    cluster: &Cluster,
) -> Result<u64, crate::scenario::Failure> {
    let nodes = cluster.nodes();
    Ok(errors(cx, cluster, &nodes, "WRONGPASS").await?
        + errors(cx, cluster, &nodes, "NOAUTH").await?)
}

async fn nodes_are_reached_by_name_and_where_they_name_no_host<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let options = ClusterOptions::new().replicas(0).hostname("localhost");
    let cluster = cx.start_cluster(options).await?;
    for (kind, host) in [("hostname", "localhost"), ("unknown-endpoint", "127.0.0.1")] {
        cx.step(kind);
        for node in cluster.nodes() {
            let set = [("cluster-preferred-endpoint-type", kind)];
            cx.node_client(&cluster, &node)?.config_set(set).await?;
        }
        let client = cx.client_of(&cluster, |_| ())?;
        use_all(&client).await?;
        let slot = slot_of(b"a");
        let to = another(&cluster, &cluster.primary_of(slot)?)?;
        let way = cluster.clone();
        cx.aside(move || way.move_slot(slot, &to)).await??;
        use_all(&client).await?;
        let topology = client.topology().ok_or("it is a cluster")?;
        for node in topology.nodes() {
            let Endpoint::Tcp { host: known, .. } = node.endpoint() else {
                return Err("no node is reached by a socket".into());
            };
            assert_eq!(known, host, "{kind}");
        }
    }
    Ok(())
}

async fn addresses_are_translated_wherever_nodes_announce_them<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let cluster = cx.cluster();
    let mut proxies = Vec::new();
    for node in cluster.nodes() {
        proxies.push((node.port(), FaultProxy::start((Ipv4Addr::LOCALHOST, node.port()).into())?));
    }
    let table: Vec<_> = proxies.iter().map(|(port, proxy)| (*port, proxy.addr().port())).collect();
    let client = cx.client_of(&cluster, |config| {
        config.client_name = Some("ours".into());
        let settings = config.cluster.as_mut().expect("it is a cluster");
        let seed = Endpoint::Tcp { host: "127.0.0.1".into(), port: table[0].1 };
        settings.seeds = vec![seed];
        let pairs = table.iter().map(|(from, to)| (("127.0.0.1", *from), ("127.0.0.1", *to)));
        settings.address_map = pairs.collect::<AddressMap>();
    })?;
    use_all(&client).await?;
    let slot = slot_of(b"a");
    let from = cluster.primary_of(slot)?;
    for to in [another(&cluster, &from)?, from] {
        let (way, to) = (cluster.clone(), to.clone());
        let moving = cx.aside(move || way.begin_move(slot, &to)).await??;
        cluster.move_keys(&moving, 100)?;
        assert!(client.incr("{a}1").await? > 2, "by an ASK");
        let way = cluster.clone();
        cx.aside(move || way.end_move(&moving)).await??;
        assert!(client.incr("{a}1").await? > 3, "by a MOVED");
    }
    for (node, (_, proxy)) in cluster.nodes().iter().zip(&proxies) {
        let there = cx.node_client(&cluster, node)?;
        let connected = there.client_list().await?;
        let ours = connected.iter().filter(|other| other.name.as_deref() == Some("ours")).count();
        assert_eq!(ours, proxy.open_links(), "each connection to {node} is the proxy's");
    }
    let topology = client.topology().ok_or("it is a cluster")?;
    for node in topology.nodes() {
        let Endpoint::Tcp { port, .. } = node.endpoint() else { continue };
        assert!(proxies.iter().any(|(_, proxy)| proxy.addr().port() == *port), "{port}");
    }
    Ok(())
}

async fn databases_of_a_cluster_are_those_of_every_link<S: Subject>(cx: Context<S>) -> Outcome {
    let options = ClusterOptions::new().replicas(0).arg("--cluster-databases").arg("4");
    let cluster = cx.start_cluster(options).await?;
    let other = cx.client_of(&cluster, |config| config.database = 3)?;
    let client = cx.client_of(&cluster, |_| ())?;
    use_all(&other).await?;
    assert_eq!(client.dbsize().await?, 0);
    client.set("{a}1", "here").await?;
    let slot = slot_of(b"a");
    let from = cluster.primary_of(slot)?;
    let first = other.get::<i64>("{a}1").await?;
    assert_eq!(first, Some(2));
    let there = another(&cluster, &from)?;
    let way = cluster.clone();
    cx.aside(move || way.migrate_slots_atomically(slot..=slot, &there)).await??;
    assert_eq!(other.incr("{a}1").await?, 3, "a redirect leaves the database as it is");
    assert_eq!(client.get::<String>("{a}1").await?.as_deref(), Some("here"));
    use_all(&other).await?;
    assert_eq!(client.dbsize().await?, 1);
    Ok(())
}

async fn a_database_that_a_cluster_has_not_is_one_clear_error<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let cluster = cx.cluster();
    let client = cx.client_of(&cluster, |config| config.database = 3)?;
    let error = failed(client.get::<i64>("k").await)?;
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Server, Delivery::NotSent));
    assert!(error.to_string().starts_with("SELECT 3 while connecting to 127.0.0.1:"), "{error}");
    cx.saw("refused", error.message());
    let mut pipeline = client.pipeline();
    pipeline.get("k").get("l");
    for reply in pipeline.execute_all().await? {
        assert_eq!(failed(reply)?.kind(), ErrorKind::Server);
    }
    Ok(())
}
