//! A server's report on itself.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::reply::{FromReply, ReplyReader};

/// A server's report on itself: sections of fields, as text and by name.
///
/// # Examples
///
/// ```
/// use redis_core::types::InfoReply;
///
/// let info: InfoReply = "# Server\r\nredis_version:8.6.2\r\n\r\n# Keyspace\r\ndb0:keys=2,expires=0\r\n".into();
/// assert_eq!(info.get("redis_version"), Some("8.6.2"));
/// assert_eq!(info.keyspace()?[&0].keys, 2);
/// assert!(info.number::<u64>("used_memory").is_err());
/// # Ok::<(), redis_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InfoReply {
    text: String,
}

impl InfoReply {
    /// The report as the server printed it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names of the sections, in the server's order.
    pub fn sections(&self) -> impl Iterator<Item = &str> {
        self.text.lines().filter_map(|line| line.strip_prefix("# ")).map(str::trim_end)
    }

    /// The fields of a section, in any case of its name; none where the report lacks it.
    pub fn section(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        let is_name = move |line: &&str| match line.strip_prefix("# ") {
            Some(title) => !title.trim_end().eq_ignore_ascii_case(name),
            None => true,
        };
        let lines = self.text.lines().skip_while(is_name).skip(1);
        lines.take_while(|line| !line.starts_with("# ")).filter_map(field)
    }

    /// All fields, in the server's order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.text.lines().filter_map(field)
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields().find(|(field, _)| *field == name).map(|(_, value)| value)
    }

    /// The value of a field as a number, or anything else that text can be read as.
    ///
    /// # Errors
    ///
    /// `Decode` where the report lacks the field, or its value is none: the message names it.
    pub fn number<T: FromStr>(&self, name: &str) -> Result<T> {
        let text = self.get(name).ok_or_else(|| lacks(name))?;
        text.parse().map_err(|_| is_no(name, "number", text))
    }

    /// The server's version: that of Valkey where it is one.
    ///
    /// # Errors
    ///
    /// `Decode` without the section `server`.
    pub fn version(&self) -> Result<&str> {
        let version = self.get("valkey_version").or_else(|| self.get("redis_version"));
        version.ok_or_else(|| lacks("redis_version"))
    }

    /// Bytes that the server has allocated.
    ///
    /// # Errors
    ///
    /// `Decode` without the section `memory`.
    pub fn used_memory(&self) -> Result<u64> {
        self.number("used_memory")
    }

    /// How many connections of clients are open.
    ///
    /// # Errors
    ///
    /// `Decode` without the section `clients`.
    pub fn connected_clients(&self) -> Result<u64> {
        self.number("connected_clients")
    }

    /// How long the server runs, in whole seconds.
    ///
    /// # Errors
    ///
    /// `Decode` without the section `server`.
    pub fn uptime(&self) -> Result<Duration> {
        self.number("uptime_in_seconds").map(Duration::from_secs)
    }

    /// Whether the server follows a primary.
    ///
    /// # Errors
    ///
    /// `Decode` without the section `replication`.
    pub fn is_replica(&self) -> Result<bool> {
        self.get("role").map(|role| role == "slave").ok_or_else(|| lacks("role"))
    }

    /// The databases that are not empty, by number.
    ///
    /// # Errors
    ///
    /// `Decode` where a line of the section `keyspace` is malformed.
    pub fn keyspace(&self) -> Result<BTreeMap<u64, KeyspaceStats>> {
        let mut databases = BTreeMap::new();
        for (name, text) in self.section("Keyspace") {
            let number = name.strip_prefix("db").and_then(|number| number.parse().ok());
            let number = number.ok_or_else(|| is_no(name, "database", text))?;
            let mut parts = Parts::of(name, text)?;
            databases.insert(
                number,
                KeyspaceStats {
                    keys: parts.number("keys")?,
                    expires: parts.number("expires")?,
                    avg_ttl: parts.optional("avg_ttl")?.map(Duration::from_millis),
                    other: parts.rest(),
                },
            );
        }
        Ok(databases)
    }

    /// How often each command ran, and how long it took; a subcommand is named as in `config|get`.
    ///
    /// # Errors
    ///
    /// `Decode` where a line of the section `commandstats` is malformed.
    pub fn command_stats(&self) -> Result<BTreeMap<String, CommandStats>> {
        let mut commands = BTreeMap::new();
        for (name, text) in self.section("Commandstats") {
            let command =
                name.strip_prefix("cmdstat_").ok_or_else(|| is_no(name, "command", text))?;
            let mut parts = Parts::of(name, text)?;
            commands.insert(
                command.to_owned(),
                CommandStats {
                    calls: parts.number("calls")?,
                    time: Duration::from_micros(parts.number("usec")?),
                    usec_per_call: parts.number("usec_per_call")?,
                    rejected_calls: parts.optional("rejected_calls")?,
                    failed_calls: parts.optional("failed_calls")?,
                    other: parts.rest(),
                },
            );
        }
        Ok(commands)
    }

    /// How often the server answered with each error, by its code.
    ///
    /// # Errors
    ///
    /// `Decode` where a line of the section `errorstats` is malformed.
    pub fn error_stats(&self) -> Result<BTreeMap<String, u64>> {
        let mut errors = BTreeMap::new();
        for (name, text) in self.section("Errorstats") {
            let code = name.strip_prefix("errorstat_").ok_or_else(|| is_no(name, "error", text))?;
            errors.insert(code.to_owned(), Parts::of(name, text)?.number("count")?);
        }
        Ok(errors)
    }
}

/// What a database holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyspaceStats {
    /// How many keys it has.
    pub keys: u64,
    /// How many of them expire.
    pub expires: u64,
    /// How long those that expire live on average, as the server estimates it.
    pub avg_ttl: Option<Duration>,
    /// What newer servers tell too.
    pub other: BTreeMap<String, String>,
}

/// How often a command ran, and how long it took.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CommandStats {
    /// How often it ran.
    pub calls: u64,
    /// How long that took altogether.
    pub time: Duration,
    /// Microseconds that a call took on average.
    pub usec_per_call: f64,
    /// How often it was refused before it ran; 6.2 and newer.
    pub rejected_calls: Option<u64>,
    /// How often it failed while it ran; 6.2 and newer.
    pub failed_calls: Option<u64>,
    /// What newer servers tell too.
    pub other: BTreeMap<String, String>,
}

impl From<String> for InfoReply {
    fn from(text: String) -> Self {
        Self { text }
    }
}

impl From<&str> for InfoReply {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// The report as the server printed it.
impl fmt::Display for InfoReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromReply for InfoReply {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        String::from_reply(reply).map(Self::from)
    }
}

fn field(line: &str) -> Option<(&str, &str)> {
    if line.starts_with('#') { None } else { line.split_once(':') }
}

fn lacks(field: &str) -> Error {
    Error::decode(format!("the report has no field `{field}`: ask for the section that has it"))
}

fn is_no(field: &str, what: &str, text: &str) -> Error {
    Error::decode(format!("the field `{field}` of the report is no {what}: {text}"))
}

/// The parts of a field's value: `keys=2,expires=0`.
struct Parts<'a> {
    field: &'a str,
    parts: BTreeMap<&'a str, &'a str>,
}

impl<'a> Parts<'a> {
    fn of(field: &'a str, text: &'a str) -> Result<Self> {
        let parts = text.split(',').map(|part| part.split_once('='));
        let parts =
            parts.collect::<Option<_>>().ok_or_else(|| is_no(field, "list of numbers", text))?;
        Ok(Self { field, parts })
    }

    fn optional<T: FromStr>(&mut self, name: &str) -> Result<Option<T>> {
        let text = self.parts.remove(name);
        let number =
            |text: &str| text.parse().map_err(|_| is_no(self.field, "list of numbers", text));
        text.map(number).transpose()
    }

    fn number<T: FromStr>(&mut self, name: &str) -> Result<T> {
        self.optional(name)?.ok_or_else(|| {
            Error::decode(format!("the field `{}` of the report lacks `{name}`", self.field))
        })
    }

    fn rest(self) -> BTreeMap<String, String> {
        self.parts.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::decode;

    const VALKEY_9_1: &str = "# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\n\
        valkey_version:9.1.2\r\nos:Linux 6.18 x86_64\r\nuptime_in_seconds:87\r\nconfig_file:\r\n\
        listener0:name=tcp,bind=*,bind=-::*,port=27606\r\n\r\n# Clients\r\nconnected_clients:1\r\n\r\n\
        # Memory\r\nused_memory:3230840\r\nused_memory_human:3.08M\r\nmem_fragmentation_ratio:2.76\r\n\r\n\
        # Replication\r\nrole:master\r\n\r\n# Modules\r\n\r\n# Commandstats\r\n\
        cmdstat_get:calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0\r\n\
        cmdstat_config|get:calls=4,usec=20,usec_per_call=5.00,rejected_calls=0,failed_calls=2\r\n\r\n\
        # Errorstats\r\nerrorstat_ERR:count=56\r\nerrorstat_NOPERM:count=3\r\n\r\n# Keyspace\r\n\
        db0:keys=1,expires=0,avg_ttl=0,keys_with_volatile_items=0\r\ndb3:keys=5,expires=2,avg_ttl=1500\r\n";

    #[test]
    fn a_report_is_sections_of_fields_and_its_text() {
        let frame = format!("${}\r\n{VALKEY_9_1}\r\n", VALKEY_9_1.len());
        let info: InfoReply = decode(frame.as_bytes()).unwrap();
        assert_eq!((info.text(), info.to_string()), (VALKEY_9_1, VALKEY_9_1.to_owned()));
        let verbatim = format!("={}\r\ntxt:{VALKEY_9_1}\r\n", VALKEY_9_1.len() + 4);
        assert_eq!(decode::<InfoReply>(verbatim.as_bytes()).unwrap(), info);
        let sections: Vec<_> = info.sections().collect();
        assert_eq!(sections[..3], ["Server", "Clients", "Memory"]);
        assert_eq!(info.section("clients").collect::<Vec<_>>(), [("connected_clients", "1")]);
        assert_eq!(info.section("modules").count() + info.section("none").count(), 0);
        assert_eq!(info.get("config_file"), Some(""));
        assert_eq!(info.get("os"), Some("Linux 6.18 x86_64"));
        assert_eq!(info.get("listener0"), Some("name=tcp,bind=*,bind=-::*,port=27606"));
    }

    #[test]
    fn getters_have_types() {
        let info = InfoReply::from(VALKEY_9_1);
        assert_eq!((info.version().unwrap(), info.used_memory().unwrap()), ("9.1.2", 3_230_840));
        assert_eq!((info.connected_clients().unwrap(), info.is_replica().unwrap()), (1, false));
        assert_eq!(info.uptime().unwrap(), Duration::from_secs(87));
        assert_eq!(info.number::<f64>("mem_fragmentation_ratio").unwrap(), 2.76);
        let databases = info.keyspace().unwrap();
        assert_eq!((databases[&0].keys, databases[&3].expires), (1, 2));
        assert_eq!(databases[&3].avg_ttl, Some(Duration::from_millis(1500)));
        assert_eq!(databases[&0].other["keys_with_volatile_items"], "0");
        let commands = info.command_stats().unwrap();
        assert_eq!(commands["get"].rejected_calls, Some(1));
        let config = &commands["config|get"];
        assert_eq!((config.calls, config.time.as_micros(), config.usec_per_call), (4, 20, 5.0));
        assert_eq!(info.error_stats().unwrap()["NOPERM"], 3);
    }

    #[test]
    fn what_is_missing_or_malformed_is_named() {
        let info = InfoReply::from("# Keyspace\r\ndb0:keys=x\r\n");
        let error = info.used_memory().unwrap_err();
        assert_eq!(
            error.to_string(),
            "the report has no field `used_memory`: ask for the section that has it"
        );
        let error = info.keyspace().unwrap_err().to_string();
        assert_eq!(error, "the field `db0` of the report is no list of numbers: x");
        let error = InfoReply::from("# Keyspace\ndb0:keys=1\n").keyspace().unwrap_err();
        assert_eq!(error.to_string(), "the field `db0` of the report lacks `expires`");
        for broken in ["db0:", "dbx:keys=1", "db0:keys", "huh:"] {
            assert!(InfoReply::from(&*format!("# Keyspace\n{broken}\n")).keyspace().is_err());
        }
        assert_eq!(InfoReply::from("").sections().count(), 0);
    }
}
