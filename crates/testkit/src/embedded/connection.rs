//! One client: a thread that reads and runs its requests, and one that sends what it is owed.

use std::{
    io,
    sync::Arc,
    thread,
    time::{Duration, SystemTime},
};

use bytes::{Bytes, BytesMut};
use resp_proto::{Limits, ProtocolError, ProtocolErrorKind, RequestDecoder};

use super::{
    Hub,
    commands::{self, Call},
    outbox::Outbox,
    world::{Mailbox, Session},
};

const CHUNK: usize = 16 << 10;
/// How long a client may take to hang up after the last reply: one that is closed while its bytes
/// are on their way might not see that reply.
const LINGER: Duration = Duration::from_secs(1);

/// Serves a client until it leaves or is cut off.
pub(super) fn serve(hub: &Hub, outbox: Arc<Outbox>, session: Session) {
    let client = session.about.id;
    thread::scope(|scope| {
        let name = format!("embedded-out-{client}");
        let sender = thread::Builder::new().name(name);
        match sender.spawn_scoped(scope, || outbox.send_all()) {
            Ok(_) => converse(hub, &outbox, session),
            Err(_) => outbox.cut(),
        }
        hub.world().retire(client);
        outbox.finish();
    });
    linger(&outbox);
    hub.leave(client);
}

fn converse(hub: &Hub, outbox: &Outbox, mut session: Session) {
    let mut decoder = RequestDecoder::new(Limits { aggregate: 1 << 20, ..Limits::default() });
    let (mut input, mut chunk) = (BytesMut::new(), vec![0; CHUNK]);
    let (mut args, mut out) = (Vec::new(), Vec::new());
    loop {
        match decoder.decode(&mut input, &mut args) {
            Ok(true) => {
                execute(hub, outbox, &mut session, &args, &mut out);
                if session.closing || !outbox.wait_for_room() {
                    return;
                }
            }
            Ok(false) => {
                outbox.wake();
                match outbox.socket.read(&mut chunk) {
                    Ok(0) => return,
                    Ok(len) => input.extend_from_slice(&chunk[..len]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => return,
                }
            }
            Err(error) => {
                let text = protocol_error(error, &input);
                return outbox.append(format!("-ERR Protocol error: {text}\r\n").as_bytes());
            }
        }
    }
}

/// Runs a request; its reply is on its way before anyone else's runs.
fn execute(hub: &Hub, outbox: &Outbox, session: &mut Session, args: &[Bytes], out: &mut Vec<u8>) {
    out.clear();
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    let mut world = hub.world();
    world.begin(session.about.id);
    commands::request(&mut Call { world: &mut world, session, args, out, now });
    world.end(out);
    outbox.append(out);
}

/// Takes what the client still sends, up to a bound, until it hangs up.
fn linger(outbox: &Outbox) {
    let mut chunk = [0; CHUNK];
    if outbox.socket.set_read_timeout(LINGER).is_err() {
        return;
    }
    for _ in 0..64 {
        match outbox.socket.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

/// What servers say of it. `input` begins with the request.
fn protocol_error(error: ProtocolError, input: &[u8]) -> String {
    let in_first_line = !input.iter().take(error.offset()).any(|byte| *byte == b'\n');
    match error.kind() {
        ProtocolErrorKind::ExpectedBulk => {
            let byte = input.get(error.offset()).copied().unwrap_or_default();
            format!("expected '$', got '{}'", char::from(byte))
        }
        ProtocolErrorKind::UnbalancedQuotes => "unbalanced quotes in request".to_owned(),
        ProtocolErrorKind::InlineTooLong => "too big inline request".to_owned(),
        ProtocolErrorKind::InvalidLength | ProtocolErrorKind::ExpectedCrlf if in_first_line => {
            "invalid multibulk length".to_owned()
        }
        ProtocolErrorKind::AggregateTooLong => "invalid multibulk length".to_owned(),
        ProtocolErrorKind::InvalidLength | ProtocolErrorKind::BulkTooLong => {
            "invalid bulk length".to_owned()
        }
        kind => kind.to_string(),
    }
}
