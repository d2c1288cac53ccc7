//! What a connection says first: who it is, where it is, and which protocol it speaks.

use std::collections::HashMap;

use redis_core::types::ClientInfo;
use redis_core::{Cmd, Commands, Delivery, ErrorKind, Execute, Secret, cmd};
use testkit::servers::ServerOptions;

use crate::client::Client;
use crate::scenario::{Context, Outcome, Scenario, failed, since, url};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(url_names_the_server_and_the_database),
        Scenario::new(databases_of_two_clients_are_apart),
        Scenario::new(missing_database_is_a_server_error),
        Scenario::new(client_name_is_the_configured_one),
        Scenario::new(library_names_itself)
            .needs("CLIENT SETINFO (since 7.2)", |server| since(server, 7, 2)),
        Scenario::new(protocol_is_the_one_asked_for)
            .needs("protocol in CLIENT INFO (since 7.0)", |server| since(server, 7, 0)),
        Scenario::new(server_without_hello_is_spoken_to_in_resp2),
        Scenario::new(password_of_the_default_user_authenticates),
        Scenario::new(user_and_password_authenticate),
        Scenario::new(wrong_password_is_an_auth_error_that_does_not_show_it),
        Scenario::new(missing_password_is_an_auth_error),
        Scenario::new(user_without_permission_gets_a_server_error),
        Scenario::new(failed_handshake_gives_its_place_back),
        Scenario::new(every_connection_runs_what_is_to_run_on_connecting)
            .needs_command("CLIENT NO-EVICT"),
    ]
}

async fn url_names_the_server_and_the_database<S: Subject>(cx: Context<S>) -> Outcome {
    let zero = Client(S::open_url(&url(&cx.config(), "", 0))?);
    let three = Client(S::open_url(&url(&cx.config(), "", 3))?);
    three.set("k", "three").await?;
    assert_eq!(zero.get::<String>("k").await?, None);
    assert_eq!(three.get::<String>("k").await?.as_deref(), Some("three"));
    assert_eq!(three.client_info().await?.db, 3);
    Ok(())
}

async fn databases_of_two_clients_are_apart<S: Subject>(cx: Context<S>) -> Outcome {
    let clients = [cx.client()?, cx.client_with(|config| config.database = 15)?];
    for (number, client) in clients.iter().enumerate() {
        client.set("k", number).await?;
    }
    for (number, client) in clients.iter().enumerate() {
        assert_eq!(client.get::<usize>("k").await?, Some(number));
        assert_eq!(client.dbsize().await?, 1);
    }
    cx.step("on a connection of its own, too");
    let mut watched = clients[1].watch(&["k"]).await?;
    assert_eq!(watched.get::<i64>("k").await?, Some(1));
    Ok(())
}

async fn missing_database_is_a_server_error<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client_with(|config| config.database = 99)?;
    let error = failed(client.ping().await)?;
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Server, Delivery::NotSent));
    assert!(error.to_string().contains("SELECT 99"), "{error}");
    cx.saw("no such database", error);
    Ok(())
}

async fn client_name_is_the_configured_one<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client_with(|config| config.client_name = Some("my-app".into()))?;
    assert_eq!(client.client_getname().await?.as_deref(), Some("my-app"));
    let mut watched = client.watch(&["k"]).await?;
    assert_eq!(watched.client_getname().await?.as_deref(), Some("my-app"));
    let unnamed = cx.client()?;
    assert!(matches!(unnamed.client_getname().await?.as_deref(), None | Some("")));
    Ok(())
}

async fn library_names_itself<S: Subject>(cx: Context<S>) -> Outcome {
    let info = cx.client()?.client_info().await?;
    assert!(info.lib_name.is_some() && info.lib_ver.is_some(), "{info:?}");
    cx.saw("library", (info.lib_name, info.lib_ver));
    Ok(())
}

async fn protocol_is_the_one_asked_for<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let asked = match cx.config().protocol {
        redis_core::Protocol::Resp2 => 2,
        redis_core::Protocol::Resp3 => 3,
    };
    assert_eq!(client.client_info().await?.resp, Some(asked));
    Ok(())
}

async fn server_without_hello_is_spoken_to_in_resp2<S: Subject>(cx: Context<S>) -> Outcome {
    let options = ServerOptions::new().password("pw");
    let own = cx.start_server(options.arg("--rename-command").arg("HELLO").arg(""))?;
    let client = own.client_with::<S>(|config| {
        config.database = 2;
        config.client_name = Some("old".into());
    })?;
    client.hset("h", [("f", 1.5)]).await?;
    assert_eq!(client.hgetall::<HashMap<String, f64>>("h").await?["f"], 1.5);
    assert_eq!(client.client_getname().await?.as_deref(), Some("old"));
    let info = client.client_info().await?;
    assert!(info.db == 2 && info.resp != Some(3), "{info:?}");
    Ok(())
}

async fn password_of_the_default_user_authenticates<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new().password("p@ss:wörd/%"))?;
    own.client::<S>()?.ping().await?;
    cx.step("in a URL");
    let client = Client(S::open_url(&url(&own.config(), ":p%40ss%3Aw%C3%B6rd%2F%25@", 0))?);
    client.ping().await?;
    Ok(())
}

async fn user_and_password_authenticate<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new())?;
    let admin = own.client::<S>()?;
    let user = ["app", "on", ">secret", "~*", "+@all"];
    admin.execute(Cmd::<()>::raw("ACL SETUSER").args(user)).await?;
    let client = own.client_with::<S>(|config| {
        config.username = Some("app".into());
        config.password = Some(Secret::new("secret"));
    })?;
    let me: String = client.execute(Cmd::raw("ACL WHOAMI")).await?;
    assert_eq!(me, "app");
    cx.step("in a URL");
    let client = Client(S::open_url(&url(&own.config(), "app:secret@", 1))?);
    let me: String = client.execute(Cmd::raw("ACL WHOAMI")).await?;
    assert_eq!(me, "app");
    Ok(())
}

async fn wrong_password_is_an_auth_error_that_does_not_show_it<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let own = cx.start_server(ServerOptions::new().password("right"))?;
    let client = own.client_with::<S>(|config| config.password = Some(Secret::new("wr0ng")))?;
    let error = failed(client.get::<String>("k").await)?;
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Auth, Delivery::NotSent));
    assert_eq!(error.code(), Some("WRONGPASS"));
    assert!(!format!("{error:?} {error}").contains("wr0ng"));
    Ok(())
}

async fn missing_password_is_an_auth_error<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new().password("right"))?;
    let client = own.client_with::<S>(|config| config.password = None)?;
    let error = failed(client.get::<String>("k").await)?;
    assert_eq!((error.kind(), error.code()), (ErrorKind::Auth, Some("NOAUTH")));
    cx.saw("kind", error.kind());
    Ok(())
}

async fn user_without_permission_gets_a_server_error<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new())?;
    let admin = own.client::<S>()?;
    let user = ["reader", "on", ">pw", "~*", "+@read", "+@connection"];
    admin.execute(Cmd::<()>::raw("ACL SETUSER").args(user)).await?;
    let client = own.client_with::<S>(|config| {
        config.username = Some("reader".into());
        config.password = Some(Secret::new("pw"));
    })?;
    assert_eq!(client.get::<String>("k").await?, None);
    let error = failed(client.set("k", "v").await)?;
    assert_eq!((error.kind(), error.code()), (ErrorKind::Server, Some("NOPERM")));
    assert_eq!(client.get::<String>("k").await?, None);
    Ok(())
}

async fn failed_handshake_gives_its_place_back<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new().password("right"))?;
    let client = own.client_with::<S>(|config| {
        config.password = Some(Secret::new("wrong"));
        config.pool_size = 1;
    })?;
    for _ in 0..5 {
        let error = failed(client.watch(&["k"]).await.map(drop))?;
        assert_eq!(error.kind(), ErrorKind::Auth, "{error}");
    }
    cx.step("once the password is right");
    let admin = own.client::<S>()?;
    admin.config_set([("requirepass", "wrong")]).await?;
    let mut watched = client.watch(&["k"]).await?;
    watched.ping().await?;
    Ok(())
}

async fn every_connection_runs_what_is_to_run_on_connecting<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client_with(|config| {
        config.on_connect.push(Cmd::raw("CLIENT NO-EVICT").arg("on"));
    })?;
    let not_evicted = |info: ClientInfo| info.flags.contains('e');
    for _ in 0..2 {
        let info = client.client_info().await?;
        let id = info.id;
        assert!(not_evicted(info));
        let mut watched = client.watch(&["k"]).await?;
        assert!(not_evicted(watched.client_info().await?), "dedicated ones too");
        watched.reset().await?;
        cx.step("again on the next connection");
        cx.client()?.execute(cmd::client_kill().ids([id])).await?;
        cx.until("it is there", async || Ok(client.ping().await.is_ok())).await?;
    }
    let refused = cx.client_with(|config| config.on_connect.push(Cmd::raw("NO-SUCH")))?;
    let error = failed(refused.ping().await)?;
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Server, Delivery::NotSent));
    assert!(error.to_string().contains("NO-SUCH while connecting"), "{error}");
    let refused = cx.client_with(|config| config.on_connect.push(Cmd::raw("SUBSCRIBE").arg("c")));
    assert_eq!(failed(refused.map(drop))?.kind(), ErrorKind::Config);
    Ok(())
}
