//! The machine behind MONITOR, without a socket.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis_core::monitor::Monitor;
use redis_core::session::{Action, Machine as _};
use redis_core::{Config, ErrorKind};

const GREETING: &[u8] = b"%1\r\n+proto\r\n:3\r\n+OK\r\n+OK\r\n";

struct Peer {
    monitor: Monitor,
    now: Instant,
}

impl Peer {
    fn connected() -> Self {
        let now = Instant::now();
        let mut monitor = Monitor::new(Arc::new(Config::default()), now, 7);
        assert!(matches!(monitor.poll_action(), Some(Action::Open(_))));
        monitor.handle_opened();
        let mut peer = Self { monitor, now };
        peer.written();
        peer.say(GREETING);
        assert_eq!(peer.written(), "*1\r\n$7\r\nMONITOR\r\n");
        peer
    }

    fn started() -> Self {
        let mut peer = Self::connected();
        peer.say(b"+OK\r\n");
        assert!(peer.monitor.is_started());
        peer
    }

    fn say(&mut self, bytes: &[u8]) {
        assert_eq!(self.monitor.handle_input(self.now, bytes, &mut Vec::new()), bytes.len());
    }

    fn written(&mut self) -> String {
        let mut written = Vec::new();
        while let Some(transmit) = self.monitor.poll_transmit() {
            let bytes: Vec<u8> =
                transmit.slices().iter().flat_map(|slice| slice.to_vec()).collect();
            self.monitor.handle_transmitted(bytes.len());
            written.extend(bytes);
        }
        String::from_utf8(written).expect("commands are text")
    }

    fn shown(&mut self) -> Vec<String> {
        let mut shown = Vec::new();
        while let Some(entry) = self.monitor.poll_entry() {
            shown.push(
                String::from_utf8_lossy(&entry.expect("the line is good").args.concat())
                    .into_owned(),
            );
        }
        shown
    }
}

#[test]
fn commands_are_shown_in_their_order() {
    let mut peer = Peer::started();
    peer.say(b"+1.000000 [0 lua] \"get\" \"a\"\r\n+1.000001 [0 lua] \"get\" \"b\"\r\n");
    assert_eq!(peer.shown(), ["geta", "getb"]);
}

#[test]
fn silence_is_no_error_and_its_own_sign_of_life_is_not_shown() {
    let mut peer = Peer::started();
    peer.now += Duration::from_secs(30);
    peer.monitor.handle_timeout(peer.now);
    let ping = peer.written();
    let question = ping.lines().nth(4).unwrap();
    assert!(question.starts_with("health-check-"), "{ping}");
    // Another client of this kind asks at the same time.
    peer.say(b"+1.000000 [0 127.0.0.1:9] \"PING\" \"health-check\"\r\n");
    let own = format!(
        "${}\r\n{question}\r\n+1.000000 [0 127.0.0.1:8] \"PING\" \"{question}\"\r\n",
        question.len()
    );
    peer.say(own.as_bytes());
    assert_eq!(peer.shown(), ["PINGhealth-check"]);
    assert!(!peer.monitor.is_done());
    assert_eq!(peer.monitor.poll_timeout(), Some(peer.now + Duration::from_secs(30)));
}

#[test]
fn peer_that_is_gone_is_found() {
    let mut peer = Peer::started();
    for wait in [30, 5] {
        peer.now += Duration::from_secs(wait);
        peer.monitor.handle_timeout(peer.now);
        peer.written();
    }
    let error = peer.monitor.poll_entry().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
}

#[test]
fn what_came_before_the_end_is_shown_before_it() {
    let mut peer = Peer::started();
    peer.say(b"+1.000000 [0 lua] \"get\" \"a\"\r\n");
    peer.monitor.handle_disconnect(peer.now, None);
    assert!(peer.monitor.poll_entry().unwrap().is_ok());
    for _ in 0..2 {
        assert_eq!(peer.monitor.poll_entry().unwrap().unwrap_err().kind(), ErrorKind::Io);
    }
    peer.now += Duration::from_secs(3600);
    peer.monitor.handle_timeout(peer.now);
    while let Some(action) = peer.monitor.poll_action() {
        assert!(matches!(action, Action::Close), "it does not connect again");
    }
}

#[test]
fn server_that_refuses_is_the_error() {
    let mut peer = Peer::connected();
    peer.say(b"-NOPERM this user has no permissions to run the 'monitor' command\r\n");
    let error = peer.monitor.poll_entry().unwrap().unwrap_err();
    assert_eq!(error.code(), Some("NOPERM"));
    assert!(!peer.monitor.is_started());
    peer.monitor.handle_timeout(peer.now);
    assert_eq!(peer.monitor.poll_entry().unwrap().unwrap_err().code(), Some("NOPERM"));
}
