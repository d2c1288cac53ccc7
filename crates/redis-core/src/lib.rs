//! The Sans-IO core of a Redis and Valkey client: commands, conversions, connection and session machines.
