//! Commands of the group `connection`.

use super::{As, Entry, entry};

pub(super) fn entries() -> Vec<Entry> {
    let client = |command, reply, doc| {
        entry(command, reply, doc)
            .with_valkey()
            .ty("client-id", As::Type("u64"))
            .ty("not-client-id", As::Type("u64"))
            .ty("client-type", As::Enum("ClientType"))
            .ty("not-client-type", As::Enum("ClientType"))
            .ty("maxage", As::Seconds)
            .ty("db", As::Type("u64"))
            .ty("not-db", As::Type("u64"))
            .ty("idle", As::Seconds)
            .rename("maxage", "age")
            .rename("client-id", "ids")
            .rename("not-client-id", "ids")
            .setter("TYPE", "client_type")
            .setter("NOT-TYPE", "not_client_type")
            .note("TYPE", "Only connections of this type.")
            .note("USER", "Only connections authenticated as this user.")
            .note("ADDR", "Only the connection from this `address:port`.")
            .note("LADDR", "Only connections to this `address:port` of the server.")
            .note("SKIPME", "Whether the caller's own connection is left out.")
            .note("MAXAGE", "Only connections at least this old.")
            .note("NAME", "Only connections with this name.")
            .note("IDLE", "Only connections that are idle for at least this long.")
            .note("FLAGS", "Only connections with all of these flags.")
            .note("LIB-NAME", "Only connections of this client library.")
            .note("LIB-VER", "Only connections of this version of their client library.")
            .note("DB", "Only connections on this database.")
            .note("CAPA", "Only connections with these capabilities.")
            .note("IP", "Only connections from this address.")
            .note("NOT-ID", "Not the connections with these ids.")
            .note("NOT-TYPE", "Not connections of this type.")
            .note("NOT-USER", "Not connections authenticated as this user.")
            .note("NOT-ADDR", "Not the connection from this `address:port`.")
            .note("NOT-LADDR", "Not connections to this `address:port` of the server.")
            .note("NOT-NAME", "Not connections with this name.")
            .note("NOT-FLAGS", "Not connections with any of these flags.")
            .note("NOT-LIB-NAME", "Not connections of this client library.")
            .note("NOT-LIB-VER", "Not connections of this version of their client library.")
            .note("NOT-DB", "Not connections on this database.")
            .note("NOT-CAPA", "Not connections with these capabilities.")
            .note("NOT-IP", "Not connections from this address.")
    };
    vec![
        entry("CLIENT GETNAME", "Option<String>", "The name of this connection."),
        entry("CLIENT ID", "u64", "The id of this connection."),
        entry("CLIENT GETREDIR", "TrackingRedirect", "Where notices of keys that this connection has read go."),
        entry("CLIENT HELP", "Vec<String>", "What the server says of the `CLIENT` commands, in lines."),
        entry("CLIENT INFO", "ClientInfo", "What the server knows of this connection."),
        client("CLIENT KILL", "u64", "Closes connections that match all of the filters; returns how many.")
            .pick("filter", "new-format")
            .setter("ID", "ids")
            .note("ID", "The connections with these ids; one alone to Redis."),
        entry("CLIENT KILL", "()", "Closes the connection from an `address:port`; fails if there is none.")
            .name("client_kill_addr")
            .pick("filter", "old-format")
            .rename("old-format", "addr"),
        client("CLIENT LIST", "Vec<ClientInfo>", "What the server knows of the connections.")
            .setter("ID", "ids")
            .note("ID", "Only connections with these ids.")
            .example("cmd::client_list()", "CLIENT LIST")
            .example("cmd::client_list().client_type(ClientType::Pubsub)", "CLIENT LIST TYPE PUBSUB"),
        entry("CLIENT PAUSE", "()", "Lets commands of all clients wait for a time, or until `client_unpause`.")
            .ty("timeout", As::Millis)
            .setter("WRITE", "writes")
            .note("WRITE", "Only commands that may write.")
            .note("ALL", "All commands, as without this."),
        entry("CLIENT TRACKINGINFO", "TrackingInfo", "How the server tracks the keys that this connection reads."),
        entry("CLIENT UNBLOCK", "bool", "Ends the wait of a connection in a blocking command; false if it does not wait.")
            .ty("client-id", As::Type("u64"))
            .setter("TIMEOUT", "with_timeout")
            .setter("ERROR", "with_error")
            .note("TIMEOUT", "As if its time was over, as without this.")
            .note("ERROR", "With an error of the code `UNBLOCKED`."),
        entry("CLIENT UNPAUSE", "()", "Lets the commands that `client_pause` holds go on."),
        entry("ECHO", "V", "Returns the message."),
        entry("PING", "()", "Asks for a sign of life.")
            .turns("message", "_", "V")
            .note("message", "Returns this message.")
            .example("cmd::ping()", "PING"),
    ]
}
