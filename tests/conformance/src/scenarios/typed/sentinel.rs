//! What Sentinels reply; they have no command table, so the commands are raw ones.

use redis_core::types::{
    SentinelAddress, SentinelFlag, SentinelPeer, SentinelPrimary, SentinelQuorum, SentinelReplica,
    SentinelVote,
};
use redis_core::{Cmd, Execute};
use testkit::servers::ServerOptions;

use crate::scenario::{Context, Outcome, Scenario, failed};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![Scenario::new(sentinel_tells_what_it_watches)]
}

async fn sentinel_tells_what_it_watches<S: Subject>(cx: Context<S>) -> Outcome {
    let primary = cx.start_server(ServerOptions::new())?;
    let port = primary.server.port();
    // A replica and another Sentinel that it remembers and that are not there.
    let peer = "a".repeat(40);
    let sentinel = cx.start_server(ServerOptions::new().sentinel(format!(
        "sentinel monitor main 127.0.0.1 {port} 3\n\
         sentinel down-after-milliseconds main 60000\n\
         sentinel known-replica main 127.0.0.1 1\n\
         sentinel known-sentinel main 127.0.0.1 2 {peer}\n"
    )))?;
    let client = sentinel.client::<S>()?;

    cx.until("it is connected to the primary", async || {
        let one: SentinelPrimary = client.execute(Cmd::raw("SENTINEL MASTER").arg("main")).await?;
        Ok(!one.instance.is(&SentinelFlag::Disconnected))
    })
    .await?;
    let all: Vec<SentinelPrimary> = client.execute(Cmd::raw("SENTINEL MASTERS")).await?;
    let [main] = &all[..] else { return Err(format!("{all:?}").into()) };
    assert_eq!((&*main.instance.name, main.instance.port), ("main", port));
    assert_eq!(main.instance.flags, [SentinelFlag::Primary]);
    assert_eq!((main.instance.down_after.as_secs(), main.instance.s_down_time), (60, None));
    assert_eq!((main.num_replicas, main.num_other_sentinels, main.quorum), (1, 1, 3));
    assert_eq!((&*main.role_reported, main.parallel_syncs), ("master", 1));
    cx.saw("more of the primary", &main.other);

    let replicas: Vec<SentinelReplica> =
        client.execute(Cmd::raw("SENTINEL REPLICAS").arg("main")).await?;
    let [replica] = &replicas[..] else { return Err(format!("{replicas:?}").into()) };
    assert_eq!((&*replica.instance.name, replica.instance.port), ("127.0.0.1:1", 1));
    assert!(replica.instance.is(&SentinelFlag::Replica));
    assert!(replica.instance.is(&SentinelFlag::Disconnected));
    assert_eq!((replica.primary_link_up, replica.announced), (false, Some(true)));
    cx.saw("replica", (&replica.primary_host, replica.priority, &replica.other));

    let peers: Vec<SentinelPeer> =
        client.execute(Cmd::raw("SENTINEL SENTINELS").arg("main")).await?;
    let [other] = &peers[..] else { return Err(format!("{peers:?}").into()) };
    assert_eq!((&other.instance.runid, other.instance.port), (&peer, 2));
    assert!(other.instance.is(&SentinelFlag::Sentinel));
    assert_eq!((&other.voted_leader, other.voted_leader_epoch), (&None, 0));
    cx.saw("more of the other Sentinel", &other.other);

    cx.step("addresses, quorum and votes");
    let address = |name: &str| -> Cmd<Option<SentinelAddress>> {
        Cmd::raw("SENTINEL GET-MASTER-ADDR-BY-NAME").arg(name)
    };
    let expected = SentinelAddress { host: "127.0.0.1".into(), port };
    assert_eq!(client.execute(address("main")).await?, Some(expected));
    assert_eq!(client.execute(address("none")).await?, None);
    let quorum: Cmd<SentinelQuorum> = Cmd::raw("SENTINEL CKQUORUM").arg("main");
    assert_eq!(failed(client.execute(quorum.clone()).await)?.code(), Some("NOQUORUM"));
    let set = Cmd::<()>::raw("SENTINEL SET").arg("main").arg("quorum").arg(1);
    client.execute(set).await?;
    client.execute(Cmd::<u64>::raw("SENTINEL RESET").arg("main")).await?;
    assert_eq!(client.execute(quorum).await?.usable_sentinels, 1);
    let vote =
        Cmd::raw("SENTINEL IS-MASTER-DOWN-BY-ADDR").arg("127.0.0.1").arg(port).arg(0).arg("*");
    let vote: SentinelVote = client.execute(vote).await?;
    assert_eq!(vote, SentinelVote { is_down: false, leader: None, leader_epoch: 0 });
    Ok(())
}
