//! The client on smol over TLS, against a real server.
#![cfg(feature = "tls")]

use std::time::Duration;

use redis_smol::tls::{Pem, Roots};
use redis_smol::{Client, Commands, Config, Delivery, ErrorKind, Queue, Result, cmd};
use testkit::servers::{self, Certificates, Server};
use testkit::skipped;

const PATIENCE: Duration = Duration::from_secs(60);

fn config(server: &Server, authority: Pem) -> Config {
    let url = server.tls_url().expect("it listens for TLS");
    let mut config: Config = url.parse().expect("it is a URL");
    config.command_timeout = Some(PATIENCE);
    config.connect_timeout = PATIENCE;
    config.tls.as_mut().expect("the URL wants it").roots = Roots::Only(vec![authority]);
    config
}

fn secure() -> Option<(Server, Certificates)> {
    servers::secure(false).map_err(skipped).ok()
}

#[test]
fn pipelines_and_large_values_go_both_ways() -> Result<()> {
    let Some((server, certificates)) = secure() else { return Ok(()) };
    smol::block_on(async {
        let client = Client::new(config(&server, Pem::file(certificates.authority())))?;
        let value = vec![b'x'; 16 * 1024 * 1024];
        client.set("large", &value).await?;
        assert!(client.get::<Vec<u8>>("large").await? == Some(value));
        let mut pipeline = client.pipeline();
        pipeline.transaction(false);
        for n in 0..10_000 {
            pipeline.queue(cmd::echo::<u32>(n));
        }
        assert_eq!(pipeline.execute::<Vec<u32>>().await?, Vec::from_iter(0..10_000));
        Ok(())
    })
}

#[test]
fn certificate_of_a_stranger_is_refused() -> Result<()> {
    let Some((server, certificates)) = secure() else { return Ok(()) };
    smol::block_on(async {
        let client = Client::new(config(&server, Pem::file(certificates.stranger())))?;
        let error = client.ping().await.unwrap_err();
        assert_eq!(
            (error.kind(), error.delivery()),
            (ErrorKind::Tls, Delivery::NotSent),
            "{error}"
        );
        assert!(error.to_string().contains("`roots` of `Tls`"), "{error}");
        Ok(())
    })
}
