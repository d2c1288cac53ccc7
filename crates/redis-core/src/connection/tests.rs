use std::time::Duration;

use super::*;
use crate::batch::Deadline;
use crate::command::Cmd;
use crate::config::Protocol;

/// A connection and what it has written and told, driven by hand.
struct Peer {
    conn: Connection,
    now: Instant,
    written: Vec<u8>,
    unused: Vec<u8>,
    told: Vec<Told>,
}

#[derive(Clone, Debug, PartialEq)]
enum Told {
    Ready,
    Replies(u64, String, bool),
    Failed(u64, ErrorKind, Delivery),
    Push(String),
    Closed(ErrorKind),
}

impl Peer {
    fn new(config: Config) -> Self {
        let now = Instant::now();
        let conn = Connection::new(Arc::new(config), Role::Commands, now);
        Self { conn, now, written: Vec::new(), unused: Vec::new(), told: Vec::new() }
    }

    /// A connection behind its handshake, with nothing written yet.
    fn ready() -> Self {
        let mut peer = Self::new(Config::default());
        peer.write_all();
        peer.reply("%1\r\n+proto\r\n:3\r\n+OK\r\n+OK\r\n");
        assert_eq!(peer.told(), [Told::Ready]);
        peer.written.clear();
        peer
    }

    fn submit(&mut self, ticket: u64, words: &str) {
        self.submit_within(ticket, words, Deadline::Never);
    }

    fn submit_within(&mut self, ticket: u64, words: &str, deadline: Deadline) {
        let mut batch = Batch::default();
        batch.push(Ticket(ticket), &Cmd::<()>::raw(words), deadline);
        self.conn.submit(self.now, &mut batch).unwrap();
        assert!(batch.is_empty() && batch.bytes() == 0);
    }

    fn write_all(&mut self) {
        while self.write(usize::MAX) {}
    }

    /// Writes at most `n` bytes.
    fn write(&mut self, n: usize) -> bool {
        let Some(transmit) = self.conn.poll_transmit() else {
            return false;
        };
        let bytes: Vec<u8> =
            transmit.slices().iter().flat_map(|slice| slice.iter()).copied().collect();
        let n = n.min(bytes.len());
        self.written.extend(&bytes[..n]);
        self.conn.handle_transmitted(n);
        true
    }

    fn written(&mut self) -> String {
        self.write_all();
        String::from_utf8(std::mem::take(&mut self.written)).unwrap()
    }

    fn reply(&mut self, bytes: &str) {
        self.unused.extend(bytes.as_bytes());
        let mut events = Vec::new();
        let used = self.conn.handle_input(self.now, &self.unused, &mut events);
        for event in events {
            self.tell(event);
        }
        self.unused.drain(..used);
        self.take_events();
    }

    fn take_events(&mut self) {
        while let Some(event) = self.conn.poll_event() {
            self.tell(event);
        }
    }

    fn tell(&mut self, event: Event) {
        let text = |range: Range<usize>| String::from_utf8(self.unused[range].to_vec()).unwrap();
        self.told.push(match event {
            Event::Ready => Told::Ready,
            Event::Replies { ticket, range, done, .. } => {
                Told::Replies(ticket.0, text(range), done)
            }
            Event::Failed { ticket, error, .. } => {
                Told::Failed(ticket.0, error.kind(), error.delivery())
            }
            Event::Push(range) => Told::Push(text(range)),
            Event::Closed(error) => Told::Closed(error.kind()),
        });
    }

    fn told(&mut self) -> Vec<Told> {
        self.take_events();
        std::mem::take(&mut self.told)
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.conn.handle_timeout(self.now);
    }
}

fn replies(ticket: u64, text: &str) -> Told {
    Told::Replies(ticket, text.into(), true)
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn handshake_sends_everything_in_one_write() {
    let mut config: Config = "redis://user:pass@localhost/5?name=app".parse().unwrap();
    let mut peer = Peer::new(config.clone());
    let written = peer.written();
    let lines: Vec<&str> = written.lines().filter(|line| !line.starts_with(['$', '*'])).collect();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        lines,
        [
            "HELLO",
            "3",
            "AUTH",
            "user",
            "pass",
            "SETNAME",
            "app",
            "SELECT",
            "5",
            "CLIENT",
            "SETINFO",
            "LIB-NAME",
            "redis-core",
            "CLIENT",
            "SETINFO",
            "LIB-VER",
            version
        ]
    );
    peer.reply("%3\r\n+server\r\n$5\r\nredis\r\n+version\r\n$5\r\n7.0.0\r\n+proto\r\n:3\r\n+OK\r\n-ERR no\r\n-ERR no\r\n");
    assert_eq!(peer.told(), [Told::Ready]);
    assert_eq!(peer.conn.server_info().protocol, 3);
    assert_eq!(peer.conn.server_info().version.as_deref(), Some("7.0.0"));

    config.protocol = Protocol::Resp2;
    let mut peer = Peer::new(config);
    let written = peer.written();
    assert!(written.starts_with("*3\r\n$4\r\nAUTH\r\n$4\r\nuser\r\n$4\r\npass\r\n"), "{written}");
    assert!(!written.contains("HELLO"));
}

#[test]
fn a_server_without_hello_is_greeted_in_resp2() {
    let refusals = [
        "-ERR unknown command `HELLO`, with args beginning with: `3`\r\n",
        "-NOPROTO no\r\n",
        // Some want the credentials before they look up what holds them.
        "-NOAUTH Authentication required.\r\n",
    ];
    for refusal in refusals {
        let mut peer = Peer::new("redis://:pass@localhost/2".parse().unwrap());
        peer.submit(1, "PING");
        peer.written();
        // Without credentials what followed HELLO fails too: that counts for nothing.
        peer.reply(&format!("{refusal}-NOAUTH x\r\n-NOAUTH x\r\n-NOAUTH x\r\n"));
        assert_eq!(peer.told(), []);
        let written = peer.written();
        assert!(
            written.starts_with("*2\r\n$4\r\nAUTH\r\n$4\r\npass\r\n*2\r\n$6\r\nSELECT\r\n"),
            "{written}"
        );
        assert!(!written.contains("PING"), "user commands wait for the handshake: {written}");
        peer.reply("+OK\r\n+OK\r\n-ERR unknown\r\n-ERR unknown\r\n");
        assert_eq!(peer.told(), [Told::Ready]);
        assert_eq!(peer.conn.server_info().protocol, 2);
        assert_eq!(peer.written(), "*1\r\n$4\r\nPING\r\n");
    }
}

#[test]
fn a_wrong_password_is_one_auth_and_ends_the_connection() {
    let mut peer = Peer::new("redis://:wrong@localhost".parse().unwrap());
    peer.submit(7, "PING");
    let written = peer.written();
    assert_eq!(written.matches("AUTH").count(), 1);
    peer.reply("-WRONGPASS invalid username-password pair\r\n");
    assert_eq!(
        peer.told(),
        [Told::Failed(7, ErrorKind::Auth, Delivery::NotSent), Told::Closed(ErrorKind::Auth)]
    );
    assert_eq!(peer.written(), "");
}

#[test]
fn a_refusal_of_tls_is_one_while_the_connection_is_not_ready() {
    let refusal = || io::Error::from(TlsRefusal::new("nobody trusts it"));
    let mut peer = Peer::new(Config::default());
    peer.submit(7, "PING");
    // The server tells of it behind what was said first.
    peer.written();
    peer.conn.handle_broken(refusal());
    assert_eq!(
        peer.told(),
        [Told::Failed(7, ErrorKind::Tls, Delivery::NotSent), Told::Closed(ErrorKind::Tls)]
    );
    let mut peer = Peer::ready();
    peer.submit(7, "PING");
    peer.write_all();
    peer.conn.handle_broken(refusal());
    assert_eq!(
        peer.told(),
        [Told::Failed(7, ErrorKind::Io, Delivery::MaybeExecuted), Told::Closed(ErrorKind::Io)]
    );
}

#[test]
fn a_missing_password_is_an_auth_error_and_not_a_reason_for_resp2() {
    let mut peer = Peer::new(Config::default());
    peer.written();
    peer.reply("-NOAUTH HELLO must be called with the client already authenticated\r\n");
    assert_eq!(peer.told(), [Told::Closed(ErrorKind::Auth)]);
}

#[test]
fn a_database_that_cannot_be_selected_fails_the_handshake() {
    let mut peer = Peer::new("redis://localhost/99".parse().unwrap());
    peer.submit(1, "GET k");
    peer.written();
    peer.reply("%1\r\n+proto\r\n:3\r\n-ERR DB index is out of range\r\n");
    let told = peer.told();
    assert_eq!(told[0], Told::Failed(1, ErrorKind::Server, Delivery::NotSent));
    assert_eq!(told[1], Told::Closed(ErrorKind::Server));
}

#[test]
fn a_handshake_that_takes_too_long_never_becomes_usable() {
    let mut peer = Peer::new(Config::default());
    peer.submit(1, "GET k");
    peer.written();
    assert_eq!(peer.conn.poll_timeout(), Some(peer.now + Duration::from_secs(5)));
    peer.wait(5 * SECOND);
    assert_eq!(
        peer.told(),
        [Told::Failed(1, ErrorKind::Timeout, Delivery::NotSent), Told::Closed(ErrorKind::Timeout)]
    );
    peer.reply("%1\r\n+proto\r\n:3\r\n+OK\r\n+OK\r\n");
    assert_eq!(peer.told(), []);
    assert_eq!(peer.written(), "");
}

#[test]
fn no_user_command_is_written_before_the_handshake_is_done() {
    let mut peer = Peer::new(Config::default());
    peer.submit(1, "GET k");
    assert!(!peer.written().contains("GET"));
    peer.reply("%1\r\n+proto\r\n:3\r\n+OK\r\n");
    assert_eq!(peer.written(), "");
    peer.reply("+OK\r\n");
    assert_eq!(peer.written(), "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
}

/// Invariants 1 and 14.
#[test]
fn replies_and_pushes_split_at_every_byte_go_where_they_belong() {
    let stream = "+OK\r\n>2\r\n$3\r\nfoo\r\n:1\r\n$5\r\nhello\r\n>1\r\n+x\r\n|1\r\n+a\r\n:1\r\n*2\r\n:1\r\n$-1\r\n";
    let expected = [
        replies(1, "+OK\r\n"),
        Told::Push(">2\r\n$3\r\nfoo\r\n:1\r\n".into()),
        replies(2, "$5\r\nhello\r\n"),
        Told::Push(">1\r\n+x\r\n".into()),
        replies(3, "|1\r\n+a\r\n:1\r\n*2\r\n:1\r\n$-1\r\n"),
    ];
    for first in 0..=stream.len() {
        for second in first..=stream.len() {
            let mut peer = Peer::ready();
            for ticket in 1..=3 {
                peer.submit(ticket, "X");
            }
            peer.write_all();
            for piece in [&stream[..first], &stream[first..second], &stream[second..]] {
                peer.reply(piece);
            }
            assert_eq!(peer.told(), expected, "split at {first} and {second}");
            assert_eq!(peer.conn.in_flight(), 0);
        }
    }
}

#[test]
fn replies_of_one_request_come_as_one_run() {
    let mut peer = Peer::ready();
    let mut batch = Batch::default();
    batch.push_encoded(
        Ticket(9),
        &[bytes::Bytes::from_static(b"*1\r\n$1\r\nA\r\n*1\r\n$1\r\nB\r\n*1\r\n$1\r\nC\r\n")],
        3,
        Deadline::Never,
    );
    peer.conn.submit(peer.now, &mut batch).unwrap();
    peer.write_all();
    peer.reply(":1\r\n:2\r\n");
    peer.reply(":3\r\n");
    assert_eq!(peer.told(), [Told::Replies(9, ":1\r\n:2\r\n".into(), false), replies(9, ":3\r\n")]);
}

#[test]
fn abandon_before_writing_takes_the_bytes_back() {
    let mut peer = Peer::ready();
    peer.submit(1, "A");
    peer.submit(2, "BB");
    peer.submit(3, "CCC");
    peer.conn.abandon(Ticket(2));
    assert_eq!(peer.written(), "*1\r\n$1\r\nA\r\n*1\r\n$3\r\nCCC\r\n");
    peer.reply(":1\r\n:3\r\n");
    assert_eq!(peer.told(), [replies(1, ":1\r\n"), replies(3, ":3\r\n")]);
}

/// Invariant 1.
#[test]
fn reply_after_abandon_is_discarded() {
    for written in 1..22 {
        let mut peer = Peer::ready();
        peer.submit(1, "A");
        peer.submit(2, "B");
        peer.write(written);
        peer.conn.abandon(Ticket(1));
        peer.write_all();
        peer.reply(":1\r\n:2\r\n");
        assert_eq!(peer.told(), [replies(2, ":2\r\n")], "{written} bytes written");
    }
}

#[test]
fn abandon_of_an_unknown_or_answered_ticket_does_nothing() {
    let mut peer = Peer::ready();
    peer.submit(1, "A");
    peer.conn.abandon(Ticket(5));
    peer.write_all();
    peer.reply(":1\r\n");
    peer.conn.abandon(Ticket(1));
    assert_eq!(peer.told(), [replies(1, ":1\r\n")]);
}

#[test]
fn a_deadline_passing_fails_its_request_alone() {
    let mut peer = Peer::ready();
    peer.submit_within(1, "A", Deadline::In(SECOND));
    peer.submit_within(2, "B", Deadline::In(3 * SECOND));
    peer.write_all();
    peer.submit_within(3, "C", Deadline::At(peer.now + SECOND));
    assert_eq!(peer.conn.poll_timeout(), Some(peer.now + SECOND));
    peer.wait(SECOND / 2);
    assert_eq!(peer.told(), []);
    peer.wait(SECOND / 2);
    assert_eq!(
        peer.told(),
        [
            Told::Failed(1, ErrorKind::Timeout, Delivery::MaybeExecuted),
            Told::Failed(3, ErrorKind::Timeout, Delivery::NotSent)
        ]
    );
    assert_eq!(peer.conn.poll_timeout(), Some(peer.now + 2 * SECOND));
    assert_eq!(peer.written(), "*1\r\n$1\r\nA\r\n*1\r\n$1\r\nB\r\n");
    peer.reply("+late\r\n+two\r\n");
    assert_eq!(peer.told(), [replies(2, "+two\r\n")]);
    peer.wait(3 * SECOND);
    assert_eq!(peer.told(), []);
    assert_eq!(peer.conn.poll_timeout(), Some(peer.now + 27 * SECOND), "it is only idle");
}

#[test]
fn a_lost_connection_says_of_each_request_how_far_it_got() {
    let mut peer = Peer::ready();
    peer.submit(1, "A");
    peer.submit(2, "B");
    peer.submit(3, "C");
    peer.submit(4, "D");
    peer.write_all();
    peer.reply(":1\r\n");
    peer.submit(5, "E");
    peer.submit(6, "F");
    peer.write(4);
    peer.conn.abandon(Ticket(3));
    peer.conn.handle_disconnect(Some(io::ErrorKind::ConnectionReset));
    assert_eq!(
        peer.told(),
        [
            replies(1, ":1\r\n"),
            Told::Failed(2, ErrorKind::Io, Delivery::MaybeExecuted),
            Told::Failed(4, ErrorKind::Io, Delivery::MaybeExecuted),
            Told::Failed(5, ErrorKind::Io, Delivery::NotSent),
            Told::Failed(6, ErrorKind::Io, Delivery::NotSent),
            Told::Closed(ErrorKind::Io)
        ]
    );
    peer.conn.handle_disconnect(None);
    assert_eq!(peer.told(), []);
    assert!(!peer.write(1));
}

#[test]
fn a_request_of_several_commands_cut_in_the_middle_may_have_run() {
    let mut peer = Peer::ready();
    let mut batch = Batch::default();
    let part = bytes::Bytes::from_static(b"*1\r\n$1\r\nA\r\n*1\r\n$1\r\nB\r\n");
    batch.push_encoded(Ticket(1), &[part], 2, Deadline::Never);
    peer.conn.submit(peer.now, &mut batch).unwrap();
    peer.write(15);
    peer.reply(":1\r\n");
    peer.conn.handle_disconnect(None);
    assert_eq!(
        peer.told()[1..],
        [Told::Failed(1, ErrorKind::Io, Delivery::MaybeExecuted), Told::Closed(ErrorKind::Io)]
    );
}

#[test]
fn close_with_requests_in_flight_answers_them_first() {
    let mut peer = Peer::ready();
    peer.submit(1, "A");
    peer.submit(2, "B");
    peer.write(5);
    peer.conn.close();
    let mut late = Batch::default();
    late.push(Ticket(3), &Cmd::<()>::raw("C"), Deadline::Never);
    assert_eq!(peer.conn.submit(peer.now, &mut late), Err(SubmitError::Closed));
    assert_eq!(late.len(), 1);
    peer.write_all();
    peer.reply(":1\r\n");
    assert_eq!(peer.told(), [replies(1, ":1\r\n")]);
    peer.reply(":2\r\n");
    assert_eq!(peer.told(), [replies(2, ":2\r\n"), Told::Closed(ErrorKind::Closed)]);
}

#[test]
fn close_does_not_wait_for_ever_for_answers_that_are_for_nobody() {
    let mut peer = Peer::ready();
    peer.wait(Duration::from_secs(20));
    peer.submit(1, "GET");
    peer.write_all();
    peer.conn.abandon(Ticket(1));
    peer.submit(2, "SET");
    peer.conn.close();
    // As long as somebody waits, the deadlines decide.
    peer.wait(Duration::from_secs(1000));
    assert_eq!(peer.told(), []);
    peer.write_all();
    peer.conn.abandon(Ticket(2));
    peer.wait(Duration::ZERO);
    let patience = Config::default().connect_timeout;
    peer.wait(patience - Duration::from_millis(1));
    assert_eq!(peer.told(), []);
    peer.wait(Duration::from_millis(1));
    assert_eq!(peer.told(), [Told::Closed(ErrorKind::Io)]);
}

#[test]
fn close_when_idle_is_at_once() {
    let mut peer = Peer::ready();
    peer.conn.close();
    assert_eq!(peer.told(), [Told::Closed(ErrorKind::Closed)]);
}

#[test]
fn bytes_that_are_not_the_protocol_end_the_connection() {
    let mut peer = Peer::ready();
    peer.submit(1, "A");
    peer.submit(2, "B");
    peer.write_all();
    peer.reply(":1\r\nHTTP/1.1 400");
    assert_eq!(
        peer.told(),
        [
            replies(1, ":1\r\n"),
            Told::Failed(2, ErrorKind::Protocol, Delivery::MaybeExecuted),
            Told::Closed(ErrorKind::Protocol)
        ]
    );
}

#[test]
fn a_reply_that_nothing_was_asked_for_ends_the_connection() {
    let mut peer = Peer::ready();
    peer.reply("+surprise\r\n");
    assert_eq!(peer.told(), [Told::Closed(ErrorKind::Protocol)]);
}

#[test]
fn a_full_connection_hands_the_batch_back() {
    let config = Config { max_in_flight: 2, ..Config::default() };
    let mut peer = Peer::new(config);
    peer.submit(1, "A");
    peer.submit(2, "B");
    let mut batch = Batch::default();
    batch.push(Ticket(3), &Cmd::<()>::raw("C"), Deadline::Never);
    assert_eq!(peer.conn.submit(peer.now, &mut batch), Err(SubmitError::Full));
    assert_eq!((batch.len(), batch.bytes()), (1, 11));
    peer.written();
    peer.reply("%1\r\n+proto\r\n:3\r\n+OK\r\n+OK\r\n");
    peer.written();
    peer.reply(":1\r\n");
    assert_eq!(peer.conn.submit(peer.now, &mut batch), Ok(()));
}

#[test]
fn a_subscriber_gets_everything_as_pushes() {
    let now = Instant::now();
    let mut peer = Peer::new(Config::default());
    peer.conn = Connection::new(Arc::new(Config::default()), Role::Subscriber, now);
    peer.written();
    peer.reply("%1\r\n+proto\r\n:2\r\n+OK\r\n+OK\r\n*3\r\n$7\r\nmessage\r\n+c\r\n+m\r\n-ERR x\r\n");
    assert_eq!(
        peer.told(),
        [
            Told::Push("*3\r\n$7\r\nmessage\r\n+c\r\n+m\r\n".into()),
            Told::Push("-ERR x\r\n".into()),
            Told::Ready
        ]
    );
}

#[test]
fn errors_never_show_the_password() {
    let config: Config = "redis://u:hunter2@localhost".parse().unwrap();
    let mut peer = Peer::new(config);
    peer.written();
    peer.unused.extend(b"-ERR something\r\n");
    let unused = peer.unused.clone();
    peer.conn.handle_input(peer.now, &unused, &mut Vec::new());
    while let Some(event) = peer.conn.poll_event() {
        assert!(!format!("{event:?}").contains("hunter2"));
    }
    assert!(!format!("{:?}", peer.conn.config).contains("hunter2"));
}

const PING: &str = "*2\r\n$4\r\nPING\r\n$12\r\nhealth-check\r\n";
const PONG: &str = "$12\r\nhealth-check\r\n";

#[test]
fn silent_peer_is_asked_for_a_sign_of_life_and_stays_when_it_gives_one() {
    let mut peer = Peer::ready();
    let interval = Duration::from_secs(30);
    assert_eq!(peer.conn.poll_timeout(), Some(peer.now + interval));
    peer.wait(interval - Duration::from_millis(1));
    assert_eq!(peer.written(), "");
    peer.wait(Duration::from_millis(1));
    assert_eq!(peer.written(), PING);
    assert_eq!(peer.conn.poll_timeout(), Some(peer.now + Duration::from_secs(5)));
    peer.submit(1, "GET k");
    peer.reply(PONG);
    peer.reply("$1\r\nv\r\n");
    assert_eq!(peer.told(), [Told::Replies(1, "$1\r\nv\r\n".into(), true)]);
    assert_eq!(peer.conn.poll_timeout(), Some(peer.now + interval));
}

#[test]
fn peer_that_gives_no_sign_of_life_is_lost() {
    let mut peer = Peer::ready();
    peer.wait(Duration::from_secs(30));
    peer.written();
    peer.wait(Duration::from_secs(5));
    assert_eq!(peer.told(), [Told::Closed(ErrorKind::Io)]);
}

#[test]
fn peer_that_is_still_sending_is_not_lost_however_late_its_sign_of_life() {
    let mut peer = Peer::ready();
    peer.wait(Duration::from_secs(30));
    peer.written();
    for _ in 0..5 {
        peer.wait(Duration::from_secs(4));
        peer.reply(">2\r\n+invalidate\r\n*0\r\n");
    }
    peer.reply(PONG);
    assert!(peer.told().iter().all(|told| matches!(told, Told::Push(_))));
    assert!(peer.conn.is_ready());
}

#[test]
fn nobody_is_asked_while_a_reply_may_be_held() {
    let mut peer = Peer::ready();
    peer.submit(1, "BLPOP k 0");
    peer.written();
    peer.wait(Duration::from_secs(3600));
    assert_eq!((peer.written(), peer.told()), (String::new(), vec![]));
    assert_eq!(peer.conn.poll_timeout(), None);
}

#[test]
fn silence_beyond_a_deadline_is_looked_into_and_ends_a_dead_link() {
    let mut peer = Peer::ready();
    peer.submit_within(1, "GET k", Deadline::In(Duration::from_secs(10)));
    peer.written();
    peer.wait(Duration::from_secs(10));
    assert_eq!(peer.told(), [Told::Failed(1, ErrorKind::Timeout, Delivery::MaybeExecuted)]);
    assert_eq!(peer.written(), PING);
    peer.submit_within(2, "GET k", Deadline::In(Duration::from_secs(10)));
    peer.wait(Duration::from_secs(5));
    assert_eq!(
        peer.told(),
        [Told::Failed(2, ErrorKind::Io, Delivery::NotSent), Told::Closed(ErrorKind::Io)]
    );
}

#[test]
fn sign_of_life_of_a_subscriber_is_no_message() {
    for (answer, ours) in [
        ("*2\r\n$4\r\npong\r\n$12\r\nhealth-check\r\n", true),
        (PONG, true),
        ("-LOADING Redis is loading the dataset in memory\r\n", true),
        ("-NOPERM this user has no permissions\r\n", false),
        ("*2\r\n$4\r\npong\r\n$0\r\n\r\n", false),
        (">3\r\n+message\r\n+a\r\n$12\r\nhealth-check\r\n", false),
    ] {
        let mut peer = Peer::new(Config::default());
        peer.conn = Connection::new(Arc::new(Config::default()), Role::Subscriber, peer.now);
        peer.write_all();
        peer.reply("%1\r\n+proto\r\n:3\r\n+OK\r\n+OK\r\n");
        peer.told();
        peer.written.clear();
        peer.wait(Duration::from_secs(30));
        assert_eq!(peer.written(), PING);
        peer.reply(answer);
        let expected = if ours { vec![] } else { vec![Told::Push(answer.into())] };
        assert_eq!(peer.told(), expected);
    }
}

#[test]
fn what_is_run_on_connecting_goes_before_every_request() {
    let own = [Cmd::raw("READONLY"), Cmd::raw("CLIENT NO-EVICT").arg("on")];
    let config = Config { on_connect: own.into(), database: 2, ..Config::default() };
    for (replies, ready) in [("+OK\r\n+OK\r\n", true), ("+OK\r\n-ERR no\r\n", false)] {
        let mut peer = Peer::new(config.clone());
        peer.submit(1, "GET k");
        let said = peer.written();
        let at = |word: &str| said.find(word).unwrap_or_else(|| panic!("no {word} in {said}"));
        assert!(at("SELECT") < at("READONLY") && at("READONLY") < at("NO-EVICT"), "{said}");
        assert!(!said.contains("GET"), "{said}");
        peer.reply(&format!("%1\r\n+proto\r\n:3\r\n+OK\r\n{replies}+OK\r\n+OK\r\n"));
        assert_eq!(peer.conn.is_ready(), ready);
        if !ready {
            assert!(peer.told().contains(&Told::Closed(ErrorKind::Server)));
        }
    }
}

#[test]
fn what_cannot_be_run_on_connecting_is_refused_by_its_name() {
    for (words, why) in [
        ("SELECT 3", "SELECT would change"),
        ("SUBSCRIBE c", "SUBSCRIBE would change"),
        ("CLIENT REPLY OFF", "CLIENT REPLY would change"),
        ("BLPOP k 0", "BLPOP may block"),
        ("", "the command is empty"),
    ] {
        let config = Config { on_connect: vec![Cmd::raw(words)], ..Config::default() };
        let error = config.check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(why), "{words}: {error}");
    }
    let fine = ["readonly", "CLIENT TRACKING ON", "client no-touch on", "PING"];
    let config = Config { on_connect: fine.map(Cmd::raw).into(), ..Config::default() };
    config.check().unwrap();
}

#[test]
fn what_a_server_says_before_it_closes_is_the_error_of_the_handshake() {
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let config = Config { protocol, ..Config::default() };
        let mut peer = Peer::new(config);
        peer.submit(1, "INCR k");
        peer.write_all();
        // It reads nothing: this is in the place of the first reply, whatever was asked first.
        let said = b"-ERR max number of clients reached\r\n";
        peer.conn.handle_input(peer.now, said, &mut Vec::new());
        peer.conn.handle_disconnect(Some(io::ErrorKind::ConnectionReset));
        let Some(Event::Failed { error, .. }) = peer.conn.poll_event() else {
            panic!("the request has failed");
        };
        assert_eq!((error.kind(), error.delivery()), (ErrorKind::Server, Delivery::NotSent));
        assert_eq!(error.message(), "ERR max number of clients reached", "{protocol:?}");
    }
}

#[test]
fn what_an_old_server_does_not_know_is_not_why_its_connection_is_lost() {
    let unknown = [
        "-ERR Unknown subcommand or wrong number of arguments for 'SETINFO'. Try CLIENT HELP.\r\n",
        "-ERR unknown subcommand 'SETINFO'. Try CLIENT HELP.\r\n",
        "-NOPERM this user has no permissions to run the 'client|setinfo' command\r\n",
    ];
    for refusal in unknown {
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let config = Config { protocol, ..Config::default() };
            let mut peer = Peer::new(config);
            peer.submit(1, "INCR k");
            peer.write_all();
            let hello =
                if protocol == Protocol::Resp3 { "%1\r\n$5\r\nproto\r\n:3\r\n" } else { "" };
            let said = format!("{hello}{refusal}");
            peer.conn.handle_input(peer.now, said.as_bytes(), &mut Vec::new());
            peer.conn.handle_disconnect(Some(io::ErrorKind::ConnectionReset));
            let Some(Event::Failed { error, .. }) = peer.conn.poll_event() else {
                panic!("the request has failed");
            };
            assert_eq!((error.kind(), error.delivery()), (ErrorKind::Io, Delivery::NotSent));
        }
    }
}

impl Peer {
    fn submit_fenced(&mut self, ticket: u64, words: &str) {
        let (mut batch, mut command) = (Batch::default(), SendBuffer::default());
        Cmd::<()>::raw(words).encode(&mut command);
        batch.push_fenced(Ticket(ticket), &mut command);
        self.conn.submit(self.now, &mut batch).unwrap();
    }

    /// What each request was answered with, and the pushes as those of request 0.
    fn answers(&mut self) -> Vec<(u64, String)> {
        let mut answers: Vec<(u64, String)> = Vec::new();
        for told in self.told() {
            let (ticket, text) = match told {
                Told::Replies(ticket, text, _) => (ticket, text),
                Told::Push(text) => (0, text),
                other => panic!("{other:?}"),
            };
            match answers.iter_mut().find(|(of, _)| *of == ticket) {
                Some((_, all)) => all.push_str(&text),
                None => answers.push((ticket, text)),
            }
        }
        answers.sort();
        answers
    }
}

const CONFIRMED: &str = ">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n";
const MOVED_AWAY: &str = ">3\r\n$12\r\nsunsubscribe\r\n$1\r\ns\r\n:0\r\n";
const REFUSED: &str = "-NOPERM no\r\n";
const FENCE: &str = "%1\r\n+proto\r\n:3\r\n";

/// Invariants 1, 13 and 14.
#[test]
fn a_command_that_pushes_answer_shifts_no_reply_wherever_the_bytes_are_cut() {
    // What comes in its place: for whom it is, and for whom it is not.
    let cases = [
        (format!("{CONFIRMED}{FENCE}"), FENCE.to_owned(), CONFIRMED.to_owned()),
        (format!("{FENCE}{CONFIRMED}"), FENCE.to_owned(), CONFIRMED.to_owned()),
        (format!("{REFUSED}{FENCE}"), format!("{REFUSED}{FENCE}"), String::new()),
        (
            format!("{MOVED_AWAY}{REFUSED}{MOVED_AWAY}{FENCE}{MOVED_AWAY}"),
            format!("{REFUSED}{FENCE}"),
            MOVED_AWAY.repeat(3),
        ),
        // One who may do nothing any longer.
        ("-NOAUTH a\r\n-NOAUTH b\r\n".into(), "-NOAUTH a\r\n-NOAUTH b\r\n".into(), String::new()),
    ];
    for (bytes, own, pushed) in cases {
        let bytes = format!("$1\r\na\r\n{bytes}-ERR b\r\n$1\r\nc\r\n");
        for cut in 0..=bytes.len() {
            let mut peer = Peer::ready();
            peer.submit(1, "GET a");
            peer.submit_fenced(2, "SUBSCRIBE c");
            peer.submit(3, "GET b");
            peer.submit(4, "GET c");
            peer.write_all();
            peer.reply(&bytes[..cut]);
            peer.reply(&bytes[cut..]);
            let mut expected = vec![
                (1, "$1\r\na\r\n".to_owned()),
                (2, own.clone()),
                (3, "-ERR b\r\n".to_owned()),
                (4, "$1\r\nc\r\n".to_owned()),
            ];
            if !pushed.is_empty() {
                expected.insert(0, (0, pushed.clone()));
            }
            assert_eq!(peer.answers(), expected, "{bytes:?} cut at {cut}");
            assert_eq!(peer.conn.in_flight(), 0);
        }
    }
}

#[test]
fn abandon_of_a_command_that_pushes_answer_discards_its_replies_alone() {
    for bytes in [FENCE.to_owned(), format!("{REFUSED}{FENCE}")] {
        for cut in 0..bytes.len() {
            let mut peer = Peer::ready();
            peer.submit_fenced(1, "SUBSCRIBE c");
            peer.submit(2, "GET a");
            peer.write_all();
            peer.reply(&bytes[..cut]);
            peer.told();
            peer.conn.abandon(Ticket(1));
            peer.reply(&bytes[cut..]);
            peer.reply("$1\r\na\r\n");
            assert_eq!(peer.told(), [replies(2, "$1\r\na\r\n")], "cut at {cut}");
            assert_eq!((peer.conn.in_flight(), peer.conn.overdue, peer.conn.fenced), (0, 0, 0));
        }
    }
    let mut peer = Peer::ready();
    peer.submit_fenced(1, "SUBSCRIBE c");
    peer.conn.abandon(Ticket(1));
    assert_eq!((peer.written(), peer.conn.in_flight(), peer.conn.fenced), (String::new(), 0, 0));
}

/// Invariant 6.
#[test]
fn a_loss_within_a_command_that_pushes_answer_resolves_it_once() {
    for before in ["", CONFIRMED, REFUSED] {
        let mut peer = Peer::ready();
        peer.submit_fenced(1, "SUBSCRIBE c");
        peer.submit(2, "GET a");
        peer.write_all();
        peer.reply(before);
        peer.told();
        peer.conn.handle_disconnect(None);
        let expected = [
            Told::Failed(1, ErrorKind::Io, Delivery::MaybeExecuted),
            Told::Failed(2, ErrorKind::Io, Delivery::MaybeExecuted),
            Told::Closed(ErrorKind::Io),
        ];
        assert_eq!(peer.told(), expected, "{before:?}");
    }
}

#[test]
fn what_is_no_answer_of_a_fence_ends_the_connection_before_it_is_anybodys() {
    for bytes in ["$1\r\na\r\n", "+OK\r\n", "*0\r\n", "-NOPERM no\r\n$1\r\na\r\n"] {
        let mut peer = Peer::ready();
        peer.submit_fenced(1, "SUBSCRIBE c");
        peer.submit(2, "GET a");
        peer.write_all();
        peer.reply(bytes);
        assert_eq!(peer.told().last(), Some(&Told::Closed(ErrorKind::Protocol)), "{bytes:?}");
    }
}

#[test]
fn silence_behind_a_command_that_pushes_answer_is_looked_into() {
    let mut peer = Peer::ready();
    peer.submit_fenced(1, "SUBSCRIBE c");
    peer.written();
    peer.wait(30 * SECOND);
    assert!(peer.written().contains("PING"));
    peer.wait(5 * SECOND);
    assert_eq!(peer.told().last(), Some(&Told::Closed(ErrorKind::Io)));
}

#[test]
fn close_does_not_wait_for_ever_for_a_command_that_pushes_answer() {
    let mut peer = Peer::ready();
    peer.submit_fenced(1, "SUBSCRIBE c");
    peer.write_all();
    peer.conn.close();
    peer.wait(Duration::ZERO);
    peer.wait(5 * SECOND);
    assert_eq!(peer.told().last(), Some(&Told::Closed(ErrorKind::Io)));
}
