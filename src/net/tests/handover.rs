//! Bytes that JavaScript wants itself: tapped connections, and sockets that are given away.

use std::time::Instant;

use super::*;

const UPGRADE: &[u8] =
    b"GET /up HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";

/// What `receive` gives back at once.
fn received(connection: &Connection, packet: Option<&[u8]>) -> Vec<Event> {
    let mut batch = Batch::default();
    connection.receive(packet, &mut batch);
    batch.events
}

impl Stage {
    /// RAW of this many bytes, however they were cut.
    fn raw(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < len {
            match self.next() {
                (Event::Raw { .. }, more) => bytes.extend(more),
                _ => panic!("expected RAW"),
            }
        }
        bytes
    }

    /// A connection whose head asks to leave HTTP, with a peer that says `more` behind it.
    fn asked_to_leave(&mut self, more: &[u8]) -> (TcpStream, Arc<Connection>) {
        let asked = self.said(&[UPGRADE, more].concat());
        self.head();
        asked
    }

    /// A tapped connection.
    fn tapped(&mut self) -> (TcpStream, Arc<Connection>) {
        let (address, _listener) = self.listen(0);
        let peer = TcpStream::connect(address).unwrap();
        let connection = self.accepted();
        connection.tap();
        (peer, connection)
    }
}

#[test]
fn a_tapped_connection_gives_its_bytes_up_and_parses_what_comes_back() {
    let mut stage = Stage::new();
    let (mut peer, connection) = stage.tapped();
    let request = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n";
    peer.write_all(request).unwrap();
    assert_eq!(stage.raw(request.len()), request);

    // The listener may say something else than what came.
    let events = received(&connection, Some(b"POST / HTTP/1.1\r\nHost: here\r\n"));
    assert!(events.is_empty());
    let events = received(&connection, Some(b"Content-Length: 2\r\n\r\nok"));
    assert!(matches!(
        events[..],
        [Event::Head { .. }, Event::Data { .. }, Event::End { .. }]
    ));
}

#[test]
fn a_message_that_was_begun_before_the_tap_goes_on_with_what_comes_back() {
    let mut stage = Stage::new();
    let (mut peer, connection) =
        stage.said(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 4\r\n\r\nbe");
    stage.head();
    let (Event::Data { .. }, before) = stage.next() else {
        panic!("expected DATA");
    };
    assert_eq!(before, b"be");
    connection.tap();
    peer.write_all(b"af").unwrap();
    assert_eq!(stage.raw(2), b"af");
    let events = received(&connection, Some(b"af"));
    assert!(matches!(
        events[..],
        [Event::Data { .. }, Event::End { .. }]
    ));
}

#[test]
fn a_tapped_connection_reads_on_while_a_head_is_held() {
    let mut stage = Stage::new();
    let (mut peer, connection) = stage.tapped();
    peer.write_all(UPGRADE).unwrap();
    let head = stage.raw(UPGRADE.len());
    assert!(matches!(
        received(&connection, Some(&head))[..],
        [Event::Head { .. }]
    ));
    peer.write_all(b"behind").unwrap();
    assert_eq!(stage.raw(6), b"behind");
    connection.upgrade(true);
    let events = received(&connection, Some(b"behind"));
    assert!(matches!(events[..], [Event::Raw { .. }]));
}

#[test]
fn the_end_of_a_tapped_connection_means_something_when_it_comes_back() {
    let mut stage = Stage::new();
    let (mut peer, connection) = stage.tapped();
    let half = b"GET / HTTP/1.1\r\nHos";
    peer.write_all(half).unwrap();
    assert_eq!(stage.raw(half.len()), half);
    assert!(received(&connection, Some(half)).is_empty());
    drop(peer);
    // Not yet wrong: the bytes may still be on their way back.
    assert!(matches!(stage.next(), (Event::Eof { .. }, _)));
    assert!(matches!(
        received(&connection, None)[..],
        [Event::ParseError { packet: None, .. }, Event::Eof { .. }]
    ));
}

/// Has a tapped connection of which a request waits end as `end` says, and the peer's side, too; gives what is parsed then.
fn parsed_behind(end: impl FnOnce(&Connection)) -> Vec<Event> {
    let mut stage = Stage::new();
    let (address, _listener) = stage.listen(0);
    let peer = TcpStream::connect(address).unwrap();
    let connection = stage.accepted();
    // As behind a packet of which the rest had to wait.
    let rest = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n";
    connection.lock().input.push(rest);
    connection.tap();
    end(&connection);
    stage.attend(&connection);
    // Of one that is closed it may hear before.
    let _ = peer.shutdown(std::net::Shutdown::Write);
    while !matches!(stage.next(), (Event::Closed { .. }, _)) {}
    let mut events = received(&connection, Some(b""));
    events.extend(received(&connection, None));
    events
}

#[test]
fn what_waits_in_a_tapped_connection_is_parsed_though_both_sides_have_ended() {
    let events = parsed_behind(|connection| connection.shutdown(false));
    assert!(matches!(
        events[..],
        [Event::Head { .. }, Event::Eof { .. }]
    ));
    let events = parsed_behind(|connection| connection.close());
    assert!(matches!(
        events[..],
        [Event::Head { .. }, Event::Eof { .. }]
    ));
}

#[test]
fn a_surrendered_socket_lives_on_with_its_new_owner() {
    let mut stage = Stage::new();
    let (mut peer, connection) = stage.asked_to_leave(b"head");
    assert_eq!(connection.take_head(), b"head");
    let mut socket = TcpStream::from(connection.surrender().expect("the socket").0);
    stage.attend(&connection);
    assert!(matches!(
        stage.next(),
        (
            Event::Closed {
                errno: 0,
                syscall: Syscall::None,
                ..
            },
            _
        )
    ));

    // The peer does not notice.
    socket.set_nonblocking(false).unwrap();
    peer.write_all(b"ping").unwrap();
    let mut said = [0; 4];
    socket.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"ping");
    socket.write_all(b"pong").unwrap();
    peer.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"pong");
    drop(socket);
    assert_eq!(peer.read(&mut said).unwrap(), 0);
}

#[test]
fn a_socket_that_speaks_http_is_not_surrendered() {
    let mut stage = Stage::new();
    let (address, _listener) = stage.listen(0);
    let mut peer = TcpStream::connect(address).unwrap();
    let connection = stage.accepted();
    assert!(connection.surrender().is_none());
    peer.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        .unwrap();
    stage.head();
    assert!(connection.surrender().is_none());
    // And goes on.
    stage.last_answer(&connection, &mut peer);
}

#[test]
fn what_was_said_is_written_before_a_socket_is_surrendered() {
    let mut stage = Stage::new();
    let (mut peer, connection) = stage.asked_to_leave(b"");
    connection.write_raw(Body::Copied(b"first"));
    let (_socket, rest) = connection.surrender().expect("the socket");
    assert!(rest.is_empty());
    let mut said = [0; 5];
    peer.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"first");
}

#[test]
fn what_the_kernel_does_not_take_is_surrendered_with_the_socket() {
    let mut stage = Stage::new();
    let (mut peer, connection) = stage.asked_to_leave(b"");
    let said: Vec<u8> = (0..30_000_000_u32).map(|place| place as u8).collect();
    connection.write_raw(Body::Copied(&said));
    let (socket, rest) = connection.surrender().expect("the socket");
    assert!(!rest.is_empty());
    stage.attend(&connection);
    assert!(matches!(stage.next(), (Event::Closed { errno: 0, .. }, _)));

    let mut socket = TcpStream::from(socket);
    socket.set_nonblocking(false).unwrap();
    let writer = std::thread::spawn(move || socket.write_all(&rest));
    let mut heard = Vec::new();
    peer.read_to_end(&mut heard).unwrap();
    writer.join().unwrap().unwrap();
    assert!(heard == said);
}

#[test]
fn a_socket_that_ends_is_not_surrendered() {
    let says: [fn(&Connection); 3] = [
        |connection| connection.shutdown(false),
        Connection::close,
        |connection| connection.destroy(false),
    ];
    for say in says {
        let mut stage = Stage::new();
        let (_peer, connection) = stage.asked_to_leave(b"");
        say(&connection);
        assert!(connection.surrender().is_none());
    }
}

#[test]
fn a_tapped_socket_is_surrendered_with_what_was_read_ahead_and_the_end_is_met_again() {
    let mut stage = Stage::new();
    let (mut peer, connection) = stage.tapped();
    peer.write_all(UPGRADE).unwrap();
    let head = stage.raw(UPGRADE.len());
    received(&connection, Some(&head));
    peer.write_all(b"ahead").unwrap();
    let end = Instant::now() + PATIENCE;
    while connection.bytes_read() < (UPGRADE.len() + 5) as u64 && Instant::now() < end {
        std::thread::yield_now();
    }
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    while !connection.lock().eof && Instant::now() < end {
        std::thread::yield_now();
    }
    let (socket, _) = connection.surrender().expect("the socket");
    let queue = connection.queue().unwrap();
    let (unread, _) = queue.lock().take_raw(connection.id, 0);
    assert_eq!(unread, b"ahead");
    stage.attend(&connection);
    // Behind what was taken out.
    while !matches!(stage.next(), (Event::Closed { errno: 0, .. }, _)) {}
    let mut socket = TcpStream::from(socket);
    socket.set_nonblocking(false).unwrap();
    assert_eq!(socket.read(&mut [0; 4]).unwrap(), 0);
    socket.write_all(b"pong").unwrap();
    peer.read_exact(&mut [0; 4]).unwrap();
}

#[test]
fn a_socket_is_surrendered_once() {
    let mut stage = Stage::new();
    let (_peer, connection) = stage.asked_to_leave(b"");
    assert!(connection.surrender().is_some());
    assert!(connection.surrender().is_none());
}
