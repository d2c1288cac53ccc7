use std::{
    io::{self, ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

use super::{Arrivals, Direction, Ending, FaultProxy, Flow};

const PATIENCE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(30);

struct World {
    proxy: FaultProxy,
    server: TcpListener,
}

impl World {
    fn new() -> Self {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { proxy: FaultProxy::start(server.local_addr().unwrap()).unwrap(), server }
    }

    fn client(&self) -> TcpStream {
        let client = TcpStream::connect(self.proxy.addr()).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client
    }

    /// Both ends of a link.
    fn link(&self) -> (TcpStream, TcpStream) {
        let client = self.client();
        let (server, _) = self.server.accept().unwrap();
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        (client, server)
    }
}

fn read(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

fn rest(stream: &mut TcpStream) -> (Vec<u8>, Option<ErrorKind>) {
    let mut bytes = Vec::new();
    let error = stream.read_to_end(&mut bytes).err().map(|error| error.kind());
    (bytes, error)
}

fn is_silent(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(SHORT)).unwrap();
    let read = stream.read(&mut [0]);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    matches!(read, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

#[test]
fn bytes_pass_both_ways_and_are_counted() {
    let world = World::new();
    let (mut client, mut server) = world.link();
    client.write_all(b"ping").unwrap();
    assert_eq!(read(&mut server, 4), b"ping");
    server.write_all(b"pong!").unwrap();
    assert_eq!(read(&mut client, 5), b"pong!");
    world.proxy.until_bytes(Direction::ToClient, 5).unwrap();
    assert_eq!(world.proxy.bytes(Direction::ToServer), 4);
    assert_eq!((world.proxy.connections(), world.proxy.open_links()), (1, 1));
}

#[test]
fn large_transfers_arrive_whole_and_the_end_of_one_side_is_passed_on() {
    let world = World::new();
    let (mut client, mut server) = world.link();
    let sent: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
    let echo = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        server.read_to_end(&mut bytes).unwrap();
        server.write_all(&bytes).unwrap();
    });
    client.write_all(&sent).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(rest(&mut client) == (sent, None));
    echo.join().unwrap();
}

#[test]
fn cut_passes_exactly_so_many_bytes() {
    for (ending, client_sees, server_sees) in [
        (Ending::Close, None, None),
        (Ending::ResetClient, Some(ErrorKind::ConnectionReset), None),
        (Ending::ResetServer, None, Some(ErrorKind::ConnectionReset)),
    ] {
        for bytes in [0, 1, 3] {
            let world = World::new();
            let (mut client, mut server) = world.link();
            world.proxy.cut_after(Direction::ToServer, bytes, ending);
            client.write_all(b"1234").unwrap();
            let (arrived, error) = rest(&mut server);
            assert_eq!(error, server_sees, "{ending:?} after {bytes}");
            if server_sees.is_none() {
                assert_eq!(arrived, b"1234"[..bytes]);
            }
            assert_eq!(rest(&mut client), (Vec::new(), client_sees));
            assert_eq!((world.proxy.open_links(), world.proxy.cuts_to_come()), (0, 0));
        }
    }
}

#[test]
fn cut_of_replies_counts_from_when_it_was_asked_for_and_is_made_once() {
    let world = World::new();
    let (mut client, mut server) = world.link();
    server.write_all(b"before").unwrap();
    assert_eq!(read(&mut client, 6), b"before");
    world.proxy.cut_after(Direction::ToClient, 2, Ending::Close);
    server.write_all(b"12345").unwrap();
    assert_eq!(rest(&mut client), (b"12".to_vec(), None));
    let (mut client, mut server) = world.link();
    server.write_all(b"12345").unwrap();
    assert_eq!(read(&mut client, 5), b"12345");
}

#[test]
fn links_are_ended_when_asked_for() {
    let world = World::new();
    let (mut client, mut server) = world.link();
    world.proxy.end_links(Ending::ResetClient);
    assert_eq!(rest(&mut client), (Vec::new(), Some(ErrorKind::ConnectionReset)));
    assert_eq!(rest(&mut server), (Vec::new(), None));
}

#[test]
fn half_open_link_says_nothing_to_either_side_and_stays() {
    let world = World::new();
    let (mut client, mut server) = world.link();
    world.proxy.end_links(Ending::Silence);
    client.write_all(b"lost").unwrap();
    server.write_all(b"lost").unwrap();
    assert!(is_silent(&mut client) && is_silent(&mut server));
    drop(server);
    assert!(is_silent(&mut client), "nobody is told of the end");
    assert_eq!(world.proxy.open_links(), 1);
    drop(client);
    while world.proxy.open_links() > 0 {
        std::thread::yield_now();
    }
    world.proxy.heal();
    let (mut client, mut server) = world.link();
    client.write_all(b"heard").unwrap();
    assert_eq!(read(&mut server, 5), b"heard");
}

#[test]
fn held_bytes_arrive_in_order_once_they_may() {
    let world = World::new();
    let (mut client, mut server) = world.link();
    world.proxy.flow(Direction::ToClient, Flow::Hold);
    server.write_all(b"one").unwrap();
    assert!(is_silent(&mut client));
    assert_eq!(world.proxy.held(Direction::ToClient), 3);
    server.write_all(b"two").unwrap();
    client.write_all(b"other way").unwrap();
    assert_eq!(read(&mut server, 9), b"other way");
    world.proxy.flow(Direction::ToClient, Flow::Pass);
    assert_eq!(read(&mut client, 6), b"onetwo");
}

#[test]
fn stalled_sender_blocks_and_goes_on_afterwards() {
    let world = World::new();
    let (mut client, mut server) = world.link();
    world.proxy.flow(Direction::ToServer, Flow::Stall);
    client.set_nonblocking(true).unwrap();
    let mut sent = 0;
    let blocked = loop {
        match client.write(&[7; 65_536]) {
            Ok(n) => sent += n,
            Err(error) => break error.kind(),
        }
    };
    assert_eq!(blocked, ErrorKind::WouldBlock);
    assert_eq!(world.proxy.bytes(Direction::ToServer), 0);
    world.proxy.flow(Direction::ToServer, Flow::Pass);
    assert_eq!(read(&mut server, sent), vec![7; sent]);
}

#[test]
fn pieces_are_as_small_as_asked_for_and_pause() {
    let world = World::new();
    let (mut client, mut server) = world.link();
    let pieces = |pause| Flow::Pieces { size: 2, pause };
    world.proxy.flow(Direction::ToServer, pieces(Duration::from_secs(3600)));
    client.write_all(b"12345678").unwrap();
    assert_eq!(read(&mut server, 2), b"12");
    assert!(is_silent(&mut server));
    let (mut client, mut server) = world.link();
    let pause = Duration::from_millis(5);
    world.proxy.flow(Direction::ToServer, pieces(pause));
    let start = Instant::now();
    client.write_all(b"12345678").unwrap();
    assert_eq!(read(&mut server, 8), b"12345678");
    assert!(start.elapsed() >= 3 * pause);
}

#[test]
fn delayed_bytes_take_their_time_and_overlap() {
    let world = World::new();
    let (mut client, mut server) = world.link();
    let far = Duration::from_millis(300);
    world.proxy.flow(Direction::ToServer, Flow::Delay(far));
    let start = Instant::now();
    for _ in 0..20 {
        client.write_all(b"x").unwrap();
    }
    assert_eq!(read(&mut server, 20), [b'x'; 20]);
    assert!(start.elapsed() >= far && start.elapsed() < 20 * far);
}

#[test]
fn new_connections_are_refused_reset_or_met_with_silence_and_old_ones_live_on() {
    let world = World::new();
    let (mut client, mut server) = world.link();
    world.proxy.arrivals(Arrivals::Refuse);
    let refused = TcpStream::connect(world.proxy.addr()).map(drop);
    assert_eq!(refused.map_err(|error| error.kind()), Err(ErrorKind::ConnectionRefused));
    world.proxy.arrivals(Arrivals::Reset);
    let reset: io::Result<usize> =
        TcpStream::connect(world.proxy.addr()).and_then(|mut stream| stream.read(&mut [0]));
    assert_eq!(reset.map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
    world.proxy.arrivals(Arrivals::Silence);
    let mut silent = world.client();
    silent.write_all(b"hello?").unwrap();
    assert!(is_silent(&mut silent));
    world.proxy.arrivals(Arrivals::Accept);
    client.write_all(b"old").unwrap();
    assert_eq!(read(&mut server, 3), b"old");
    drop((client, server));
    let (mut client, mut server) = world.link();
    client.write_all(b"new").unwrap();
    assert_eq!(read(&mut server, 3), b"new");
}

#[test]
fn server_that_is_gone_resets_those_who_arrive() {
    let World { proxy, server } = World::new();
    drop(server);
    let mut client = TcpStream::connect(proxy.addr()).unwrap();
    assert_eq!(rest(&mut client), (Vec::new(), Some(ErrorKind::ConnectionReset)));
}
