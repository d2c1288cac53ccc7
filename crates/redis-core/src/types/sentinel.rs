//! What a Sentinel knows: the primaries it watches, their replicas, and the other Sentinels.
//!
//! `SENTINEL` is not in the command table, which servers print and Sentinels have of their own; so these
//! are the types for `Cmd::raw`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::text::Fields;
use crate::error::{Error, Result};
use crate::reply::{FromReply, ReplyReader};

/// What a Sentinel knows of any instance.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SentinelInstance {
    /// The name it is watched by; of a replica its address, of a Sentinel its id.
    pub name: String,
    /// Its address.
    pub ip: String,
    /// Its port.
    pub port: u16,
    /// Its id of this run; empty before it is known.
    pub runid: String,
    /// What it is and how it is.
    pub flags: Vec<SentinelFlag>,
    /// Commands of this Sentinel that it has not answered.
    pub link_pending_commands: i64,
    /// How many share this Sentinel's connection to it.
    pub link_refcount: u64,
    /// How long ago the ping was sent that it has not answered; zero when there is none.
    pub last_ping_sent: Duration,
    /// How long ago it last answered a ping well.
    pub last_ok_ping_reply: Duration,
    /// How long ago it last answered a ping at all.
    pub last_ping_reply: Duration,
    /// After how long without a good answer this Sentinel holds it to be down.
    pub down_after: Duration,
    /// For how long this Sentinel has held it to be down.
    pub s_down_time: Option<Duration>,
    /// For how long enough Sentinels have held it to be down.
    pub o_down_time: Option<Duration>,
}

impl SentinelInstance {
    /// Whether it has the flag.
    pub fn is(&self, flag: &SentinelFlag) -> bool {
        self.flags.contains(flag)
    }

    fn take(fields: &mut Fields) -> Result<Self> {
        let flags: String = fields.take("flags")?;
        Ok(Self {
            name: fields.take("name")?,
            ip: fields.take("ip")?,
            port: fields.take("port")?,
            runid: fields.take("runid")?,
            flags: flags.split(',').filter(|flag| !flag.is_empty()).map(Into::into).collect(),
            link_pending_commands: fields.take("link-pending-commands")?,
            link_refcount: fields.take("link-refcount")?,
            last_ping_sent: fields.take_millis("last-ping-sent")?,
            last_ok_ping_reply: fields.take_millis("last-ok-ping-reply")?,
            last_ping_reply: fields.take_millis("last-ping-reply")?,
            down_after: fields.take_millis("down-after-milliseconds")?,
            s_down_time: fields.take_millis_option("s-down-time")?,
            o_down_time: fields.take_millis_option("o-down-time")?,
        })
    }
}

/// A primary that a Sentinel watches: an element of the reply of `SENTINEL MASTERS` (`PRIMARIES` on Valkey),
/// and the reply of `SENTINEL MASTER name`.
///
/// # Examples
///
/// ```
/// use redis_core::types::SentinelPrimary;
/// use redis_core::Cmd;
///
/// let all: Cmd<Vec<SentinelPrimary>> = Cmd::raw("SENTINEL MASTERS");
/// let one: Cmd<SentinelPrimary> = Cmd::raw("SENTINEL MASTER").arg("orders");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SentinelPrimary {
    /// What is known of any instance.
    pub instance: SentinelInstance,
    /// How long ago its `INFO` was read.
    pub info_refresh: Duration,
    /// What it calls itself: `master` or `slave`.
    pub role_reported: String,
    /// For how long it has called itself so.
    pub role_reported_time: Duration,
    /// The version of the configuration it was made primary by.
    pub config_epoch: u64,
    /// How many replicas it has (`num-slaves`).
    pub num_replicas: u64,
    /// How many other Sentinels watch it.
    pub num_other_sentinels: u64,
    /// How many Sentinels must hold it to be down.
    pub quorum: u64,
    /// How long a failover may take.
    pub failover_timeout: Duration,
    /// How many replicas may be turned to a new primary at a time.
    pub parallel_syncs: u64,
    /// How far a failover is, in the Sentinel's words, while there is one.
    pub failover_state: Option<String>,
    /// What else the Sentinel tells.
    pub other: BTreeMap<String, String>,
}

impl FromReply for SentinelPrimary {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let mut fields = Fields::from_reply(reply)?;
        Ok(Self {
            instance: SentinelInstance::take(&mut fields)?,
            info_refresh: fields.take_millis("info-refresh")?,
            role_reported: fields.take("role-reported")?,
            role_reported_time: fields.take_millis("role-reported-time")?,
            config_epoch: fields.take("config-epoch")?,
            num_replicas: fields.take("num-slaves")?,
            num_other_sentinels: fields.take("num-other-sentinels")?,
            quorum: fields.take("quorum")?,
            failover_timeout: fields.take_millis("failover-timeout")?,
            parallel_syncs: fields.take("parallel-syncs")?,
            failover_state: fields.take_option("failover-state")?,
            other: fields.rest(),
        })
    }
}

/// A replica of a watched primary: an element of the reply of `SENTINEL REPLICAS name`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SentinelReplica {
    /// What is known of any instance.
    pub instance: SentinelInstance,
    /// How long ago its `INFO` was read.
    pub info_refresh: Duration,
    /// What it calls itself: `master` or `slave`.
    pub role_reported: String,
    /// For how long it has called itself so.
    pub role_reported_time: Duration,
    /// For how long its link to its primary has been down; zero where it is up or never was.
    pub primary_link_down_time: Duration,
    /// Whether its link to its primary is up.
    pub primary_link_up: bool,
    /// Its primary's address, as it names it; `?` before it is known.
    pub primary_host: String,
    /// Its primary's port.
    pub primary_port: u16,
    /// Its rank among the replicas to choose a primary from: lower goes first, 0 never.
    pub priority: u64,
    /// How many bytes of the primary's changes it has.
    pub repl_offset: u64,
    /// Whether clients are told of it; since Redis 6.2.
    pub announced: Option<bool>,
    /// What else the Sentinel tells.
    pub other: BTreeMap<String, String>,
}

impl FromReply for SentinelReplica {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let mut fields = Fields::from_reply(reply)?;
        Ok(Self {
            instance: SentinelInstance::take(&mut fields)?,
            info_refresh: fields.take_millis("info-refresh")?,
            role_reported: fields.take("role-reported")?,
            role_reported_time: fields.take_millis("role-reported-time")?,
            primary_link_down_time: fields.take_millis("master-link-down-time")?,
            primary_link_up: fields.take::<String>("master-link-status")? == "ok",
            primary_host: fields.take("master-host")?,
            primary_port: fields.take("master-port")?,
            priority: fields.take("slave-priority")?,
            repl_offset: fields.take("slave-repl-offset")?,
            announced: fields.take_option::<u8>("replica-announced")?.map(|yes| yes == 1),
            other: fields.rest(),
        })
    }
}

/// Another Sentinel of a watched primary: an element of the reply of `SENTINEL SENTINELS name`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SentinelPeer {
    /// What is known of any instance.
    pub instance: SentinelInstance,
    /// How long ago it last announced itself.
    pub last_hello_message: Duration,
    /// The id of the Sentinel that it last voted for.
    pub voted_leader: Option<String>,
    /// The version of the configuration it voted in.
    pub voted_leader_epoch: u64,
    /// What else the Sentinel tells.
    pub other: BTreeMap<String, String>,
}

impl FromReply for SentinelPeer {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let mut fields = Fields::from_reply(reply)?;
        let voted_leader: String = fields.take("voted-leader")?;
        Ok(Self {
            instance: SentinelInstance::take(&mut fields)?,
            last_hello_message: fields.take_millis("last-hello-message")?,
            voted_leader: Some(voted_leader).filter(|leader| leader != "?"),
            voted_leader_epoch: fields.take("voted-leader-epoch")?,
            other: fields.rest(),
        })
    }
}

/// What an instance that a Sentinel watches is, and how it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SentinelFlag {
    /// It is a primary.
    Primary,
    /// It is a replica.
    Replica,
    /// It is a Sentinel.
    Sentinel,
    /// This Sentinel holds it to be down.
    SubjectivelyDown,
    /// Enough Sentinels hold it to be down.
    ObjectivelyDown,
    /// This Sentinel is not connected to it.
    Disconnected,
    /// It answers this Sentinel that its primary is down.
    PrimaryDown,
    /// It is being failed over.
    FailoverInProgress,
    /// It, a replica, is being made the primary.
    Promoted,
    /// A word of a newer server, or a rare one.
    Other(String),
}

impl From<&str> for SentinelFlag {
    fn from(word: &str) -> Self {
        match word {
            "master" | "primary" => Self::Primary,
            "slave" | "replica" => Self::Replica,
            "sentinel" => Self::Sentinel,
            "s_down" => Self::SubjectivelyDown,
            "o_down" => Self::ObjectivelyDown,
            "disconnected" => Self::Disconnected,
            "master_down" => Self::PrimaryDown,
            "failover_in_progress" => Self::FailoverInProgress,
            "promoted" => Self::Promoted,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// Where a primary is: the reply of `SENTINEL GET-MASTER-ADDR-BY-NAME name`, as `Option` because the
/// Sentinel may not watch one of that name.
///
/// # Examples
///
/// ```
/// use redis_core::types::SentinelAddress;
/// use redis_core::Cmd;
///
/// let cmd: Cmd<Option<SentinelAddress>> = Cmd::raw("SENTINEL GET-MASTER-ADDR-BY-NAME").arg("orders");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SentinelAddress {
    /// Its IP address or host name.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl FromReply for SentinelAddress {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let (host, port) = FromReply::from_reply(reply)?;
        Ok(Self { host, port })
    }
}

/// That a failover is possible: the reply of `SENTINEL CKQUORUM name`, which is the error `NOQUORUM` otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentinelQuorum {
    /// How many Sentinels can vote, the one that replied included.
    pub usable_sentinels: u64,
}

/// `OK 2 usable Sentinels. ..`.
impl FromReply for SentinelQuorum {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let text = String::from_reply(reply)?;
        let number = text.strip_prefix("OK ").and_then(|rest| rest.split(' ').next());
        match number.and_then(|number| number.parse().ok()) {
            Some(usable_sentinels) => Ok(Self { usable_sentinels }),
            None => Err(Error::decode(format!("expected a number of Sentinels, got `{text}`"))),
        }
    }
}

/// Whether a Sentinel holds a primary to be down, and its vote: the reply of
/// `SENTINEL IS-MASTER-DOWN-BY-ADDR ip port epoch runid`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentinelVote {
    /// Whether it holds it to be down.
    pub is_down: bool,
    /// The id of the Sentinel it votes for.
    pub leader: Option<String>,
    /// The version of the configuration it votes in.
    pub leader_epoch: u64,
}

impl FromReply for SentinelVote {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let (is_down, leader, leader_epoch): (bool, String, u64) = FromReply::from_reply(reply)?;
        Ok(Self { is_down, leader: Some(leader).filter(|leader| leader != "*"), leader_epoch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::decode;

    const COMMON: &[(&str, &str)] = &[
        ("ip", "127.0.0.1"),
        ("port", "7000"),
        ("runid", "a88a"),
        ("link-pending-commands", "-1"),
        ("link-refcount", "1"),
        ("last-ping-sent", "0"),
        ("last-ok-ping-reply", "12"),
        ("last-ping-reply", "13"),
        ("down-after-milliseconds", "5000"),
    ];

    /// A frame of a map of texts, under RESP2 and RESP3.
    fn map(own: &[(&str, &str)]) -> [String; 2] {
        let all = || COMMON.iter().chain(own);
        let text = |text: &str| format!("${}\r\n{text}\r\n", text.len());
        let body: String = all().map(|(name, value)| text(name) + &text(value)).collect();
        [format!("*{}\r\n{body}", 2 * all().count()), format!("%{}\r\n{body}", all().count())]
    }

    #[test]
    fn primaries_are_the_same_in_both_protocols() {
        let frames = map(&[
            ("name", "main"),
            ("flags", "s_down,o_down,master,disconnected,failover_in_progress"),
            ("failover-state", "wait_start"),
            ("s-down-time", "7"),
            ("o-down-time", "6"),
            ("info-refresh", "2034"),
            ("role-reported", "master"),
            ("role-reported-time", "2084"),
            ("config-epoch", "3"),
            ("num-slaves", "1"),
            ("num-other-sentinels", "2"),
            ("quorum", "2"),
            ("failover-timeout", "180000"),
            ("parallel-syncs", "1"),
            ("client-reconfig-script", "a.sh"),
        ]);
        for frame in frames {
            let primary: SentinelPrimary = decode(frame.as_bytes()).unwrap();
            let instance = &primary.instance;
            assert_eq!(
                (&*instance.name, &*instance.ip, instance.port),
                ("main", "127.0.0.1", 7000)
            );
            assert!(
                instance.is(&SentinelFlag::Primary) && instance.is(&SentinelFlag::Disconnected)
            );
            assert_eq!(instance.flags[0], SentinelFlag::SubjectivelyDown);
            assert_eq!(instance.last_ok_ping_reply, Duration::from_millis(12));
            assert_eq!(instance.down_after, Duration::from_secs(5));
            assert_eq!(instance.o_down_time, Some(Duration::from_millis(6)));
            assert_eq!((primary.num_replicas, primary.num_other_sentinels), (1, 2));
            assert_eq!(primary.failover_timeout, Duration::from_secs(180));
            assert_eq!(primary.failover_state.as_deref(), Some("wait_start"));
            assert_eq!(primary.other["client-reconfig-script"], "a.sh");
        }
    }

    #[test]
    fn replicas_are_the_same_in_both_protocols() {
        let frames = map(&[
            ("name", "127.0.0.1:7000"),
            ("flags", "slave"),
            ("info-refresh", "873"),
            ("role-reported", "slave"),
            ("role-reported-time", "2044"),
            ("master-link-down-time", "-1000"),
            ("master-link-status", "err"),
            ("master-host", "127.0.0.1"),
            ("master-port", "7001"),
            ("slave-priority", "100"),
            ("slave-repl-offset", "1"),
            ("replica-announced", "1"),
        ]);
        for frame in frames {
            let replica: SentinelReplica = decode(frame.as_bytes()).unwrap();
            assert_eq!(replica.instance.flags, [SentinelFlag::Replica]);
            assert_eq!(
                (replica.primary_link_down_time, replica.primary_link_up),
                (Duration::ZERO, false)
            );
            assert_eq!((&*replica.primary_host, replica.primary_port), ("127.0.0.1", 7001));
            assert_eq!((replica.priority, replica.repl_offset), (100, 1));
            assert_eq!(replica.announced, Some(true));
            assert!(replica.other.is_empty());
        }
    }

    #[test]
    fn other_sentinels_are_the_same_in_both_protocols() {
        let frames = map(&[
            ("name", "2fd6"),
            ("flags", "sentinel"),
            ("last-hello-message", "22"),
            ("voted-leader", "?"),
            ("voted-leader-epoch", "0"),
        ]);
        for frame in frames {
            let peer: SentinelPeer = decode(frame.as_bytes()).unwrap();
            assert_eq!(peer.instance.flags, [SentinelFlag::Sentinel]);
            assert_eq!(peer.last_hello_message, Duration::from_millis(22));
            assert_eq!((peer.voted_leader, peer.voted_leader_epoch), (None, 0));
        }
        let [frame, _] = map(&[("name", "2fd6")]);
        let error = decode::<SentinelPeer>(frame.as_bytes()).unwrap_err();
        assert_eq!(error.message(), "the reply has no field `voted-leader`");
    }

    #[test]
    fn addresses_quorums_and_votes_are_read() {
        let address: Option<SentinelAddress> =
            decode(b"*2\r\n$9\r\n127.0.0.1\r\n$4\r\n7000\r\n").unwrap();
        assert_eq!(address, Some(SentinelAddress { host: "127.0.0.1".into(), port: 7000 }));
        for null in [&b"*-1\r\n"[..], b"_\r\n"] {
            assert_eq!(decode::<Option<SentinelAddress>>(null).unwrap(), None);
        }
        let quorum: SentinelQuorum =
            decode(b"+OK 2 usable Sentinels. Quorum and failover authorization can be reached\r\n")
                .unwrap();
        assert_eq!(quorum.usable_sentinels, 2);
        assert!(decode::<SentinelQuorum>(b"+OK\r\n").is_err());
        let vote: SentinelVote = decode(b"*3\r\n:0\r\n$1\r\n*\r\n:0\r\n").unwrap();
        assert_eq!(vote, SentinelVote { is_down: false, leader: None, leader_epoch: 0 });
    }
}
