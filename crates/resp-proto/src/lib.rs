//! RESP2 and RESP3 as Sans-IO state machines, for clients, proxies and servers.
