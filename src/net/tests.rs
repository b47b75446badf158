//! An I/O thread against std's blocking sockets: what JavaScript would see, and what the peer does.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use bytes::Bytes;
use http_native_proto::{Config, OutFraming, Role};
use socket2::{Domain, Socket, Type};

use super::connection::{Connection, WINDOW};
use super::dial::Target;
use super::event::{Batch, Event, EventQueue, Payload, Syscall};
use super::io_thread::{Ids, IoThread};
use super::lending::{Received, Transport};
use super::listener::{Accepted, Listener};
use super::mailbox::Command;
use super::message::{Block, Body, Head, Message};

/// Longer than anything here takes; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// The place of JavaScript.
struct Stage {
    thread: IoThread,
    queue: Arc<EventQueue>,
    ids: Arc<Ids>,
    signals: Receiver<()>,
    waiting: std::collections::VecDeque<(Event, Vec<u8>)>,
}

impl Stage {
    fn new() -> Self {
        // One signal at most is on its way.
        let (signal, signals) = sync_channel(1);
        let queue = Arc::new(EventQueue::new(Box::new(move || {
            let _ = signal.try_send(());
        })));
        let ids = Arc::<Ids>::default();
        let thread = IoThread::start(0, Arc::clone(&queue), Arc::clone(&ids)).unwrap();
        Self {
            thread,
            queue,
            ids,
            signals,
            waiting: std::collections::VecDeque::new(),
        }
    }

    fn listen(&self, idle: u64) -> (SocketAddr, Arc<Listener>) {
        let (socket, address) = bound();
        let accepted = Accepted {
            no_delay: true,
            keep_alive: None,
        };
        let threads = vec![Arc::clone(&self.thread.shared)];
        let listener = Arc::new(Listener::new(0, Config::default(), accepted, threads));
        listener.configure(0, idle, false);
        listener.listen(socket, 16).unwrap();
        (address, listener)
    }

    /// The next event, with the bytes of its payload.
    fn next(&mut self) -> (Event, Vec<u8>) {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return event;
            }
            self.signals.recv_timeout(PATIENCE).expect("an event");
            let mut batch = Batch::default();
            self.queue.take(&mut batch);
            for event in batch.events {
                let bytes = match &event {
                    Event::Data { payload, .. }
                    | Event::Raw { payload, .. }
                    | Event::Head { text: payload, .. } => match payload {
                        Payload::Batch { start, len } => batch.bytes[*start..start + len].to_vec(),
                        Payload::Owned(bytes) => bytes.clone(),
                    },
                    _ => Vec::new(),
                };
                self.waiting.push_back((event, bytes));
            }
        }
    }

    fn accepted(&mut self) -> Arc<Connection> {
        match self.next() {
            (Event::Accept { connection, .. }, _) => connection,
            _ => panic!("expected ACCEPT"),
        }
    }

    /// The accepted connection, with its socket on loan.
    fn lent(&mut self) -> Arc<Connection> {
        let connection = self.accepted();
        connection.ask_loan();
        self.attend(&connection);
        assert!(matches!(self.next(), (Event::Lent { .. }, _)));
        connection
    }

    /// Reads from a lent socket until something came.
    fn receive_lent(&self, connection: &Connection, scratch: &mut [u8]) {
        while connection.receive_lent(scratch, &self.queue) == Received::Nothing {
            std::thread::yield_now();
        }
        self.queue.publish();
    }

    fn head(&mut self) -> Vec<u8> {
        match self.next() {
            (Event::Head { .. }, text) => text,
            _ => panic!("expected a head"),
        }
    }

    fn attend(&self, connection: &Arc<Connection>) {
        self.thread
            .shared
            .mailbox
            .deliver([Command::Attend(Arc::clone(connection))]);
    }
}

/// A socket as Node hands it over: bound, not listening.
fn bound() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    socket.bind(&any.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

fn response<'a>(head: &'a [u8], lines: u32, len: usize, body: Body<'a>, last: bool) -> Message<'a> {
    Message {
        head: Head::Final(Block { bytes: head, lines }, OutFraming::Length(len as u64)),
        request_head: false,
        request_connect: false,
        body,
        end: Some(Block {
            bytes: b"",
            lines: 0,
        }),
        last,
    }
}

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";

#[test]
fn a_request_comes_up_and_its_response_goes_down() {
    let mut stage = Stage::new();
    let (address, _listener) = stage.listen(0);
    let mut peer = TcpStream::connect(address).unwrap();
    peer.write_all(b"GET /there HTTP/1.1\r\nHost: here\r\n\r\n")
        .unwrap();
    let connection = stage.accepted();
    assert_eq!(stage.head(), b"/thereHost\nhere");
    connection
        .send(response(HEAD, 3, 2, Body::Copied(b"ok"), true))
        .unwrap();
    stage.attend(&connection);
    let mut answer = Vec::new();
    peer.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, [HEAD, b"ok"].concat());
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
}

#[test]
fn the_js_thread_may_write_itself() {
    let mut stage = Stage::new();
    let (address, _listener) = stage.listen(0);
    let mut peer = TcpStream::connect(address).unwrap();
    let connection = stage.accepted();
    for _ in 0..3 {
        peer.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            .unwrap();
        stage.head();
        connection
            .send(response(HEAD, 3, 2, Body::Copied(b"ok"), false))
            .unwrap();
        assert!(connection.flush_from_js());
        assert_eq!(connection.pending(), 0);
        let mut answer = vec![0; HEAD.len() + 2];
        peer.read_exact(&mut answer).unwrap();
        assert_eq!(answer, [HEAD, b"ok"].concat());
    }
}

#[test]
fn an_unread_body_stops_at_the_window() {
    let mut stage = Stage::new();
    let (address, _listener) = stage.listen(0);
    let total = 8 * WINDOW;
    let peer = std::thread::spawn(move || {
        let mut peer = TcpStream::connect(address).unwrap();
        write!(
            peer,
            "POST / HTTP/1.1\r\nHost: here\r\nContent-Length: {total}\r\n\r\n"
        )
        .unwrap();
        peer.write_all(&vec![b'x'; total]).unwrap();
        peer
    });
    let connection = stage.accepted();
    stage.head();
    let (mut received, mut unread) = (0, 0);
    while received < total {
        match stage.next() {
            (Event::Data { .. }, bytes) => {
                received += bytes.len();
                unread += bytes.len();
                assert!(unread <= WINDOW + 64 * 1024, "{unread} bytes wait");
                if unread >= WINDOW {
                    assert!(connection.delivered(unread));
                    unread = 0;
                    stage.attend(&connection);
                }
            }
            _ => panic!("expected DATA"),
        }
    }
    assert!(matches!(stage.next(), (Event::End { .. }, _)));
    drop(peer.join().unwrap());
}

#[test]
fn a_slow_reader_is_waited_for_and_then_drained() {
    let mut stage = Stage::new();
    let (address, _listener) = stage.listen(0);
    let mut peer = TcpStream::connect(address).unwrap();
    peer.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        .unwrap();
    let connection = stage.accepted();
    stage.head();
    let len = 16 * 1024 * 1024;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n");
    let body = Body::Kept(Bytes::from(vec![b'x'; len]));
    let pending = connection
        .send(response(head.as_bytes(), 3, len, body, false))
        .unwrap();
    assert_eq!(pending, head.len() + len);
    connection.notify_drain();
    stage.attend(&connection);
    let mut answer = vec![0; head.len() + len];
    peer.read_exact(&mut answer).unwrap();
    assert!(matches!(stage.next(), (Event::Drain { .. }, _)));
    assert_eq!(connection.pending(), 0);
    assert_eq!(connection.bytes_written(), (head.len() + len) as u64);
}

#[test]
fn idle_time_is_reported_once() {
    let mut stage = Stage::new();
    let (address, _listener) = stage.listen(30);
    let peer = TcpStream::connect(address).unwrap();
    let connection = stage.accepted();
    assert!(matches!(stage.next(), (Event::Timeout { .. }, _)));
    connection.destroy();
    stage.attend(&connection);
    assert!(matches!(stage.next(), (Event::Closed { .. }, _)));
    drop(peer);
}

#[test]
fn a_message_that_takes_too_long_expires() {
    let mut stage = Stage::new();
    let (address, listener) = stage.listen(0);
    let mut peer = TcpStream::connect(address).unwrap();
    peer.write_all(b"GET / HTTP/1.1\r\nHos").unwrap();
    let _connection = stage.accepted();
    // The sweep reports what is older than the limit; a nanosecond is always past.
    stage.thread.shared.mailbox.deliver([Command::Expire {
        listener: listener.id,
        headers: Duration::from_nanos(1),
        request: Duration::ZERO,
    }]);
    assert!(matches!(stage.next(), (Event::Expired { .. }, _)));
}

#[test]
fn a_peer_that_resets_ends_the_connection_with_its_errno() {
    let mut stage = Stage::new();
    let (address, _listener) = stage.listen(0);
    let peer = TcpStream::connect(address).unwrap();
    stage.accepted();
    let peer = socket2::Socket::from(peer);
    peer.set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
    match stage.next() {
        (Event::Closed { errno, syscall, .. }, _) => {
            assert_ne!(errno, 0);
            assert_eq!(syscall, Syscall::Read);
        }
        _ => panic!("expected CLOSED"),
    }
}

#[test]
fn a_dial_connects_or_says_why_not() {
    let mut stage = Stage::new();
    let far = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let remote = far.local_addr().unwrap();
    let dial = |stage: &Stage, remote| {
        let connection = Arc::new(Connection::new(
            stage.ids.take(),
            Role::Client,
            Config::default(),
            Some(Arc::clone(&stage.thread.shared)),
            None,
            Transport::None,
        ));
        stage.thread.shared.mailbox.deliver([Command::Dial {
            connection: Arc::clone(&connection),
            target: Target::Tcp {
                remote,
                local: None,
                no_delay: true,
                keep_alive: None,
            },
        }]);
        connection
    };
    let connection = dial(&stage, remote);
    assert!(matches!(stage.next(), (Event::Connected { .. }, _)));
    let (mut peer, _) = far.accept().unwrap();
    drop(far);
    connection.write_raw(Body::Copied(b"hello"));
    connection.shutdown();
    stage.attend(&connection);
    let mut said = String::new();
    peer.read_to_string(&mut said).unwrap();
    assert_eq!(said, "hello");
    drop(peer);
    assert!(matches!(stage.next(), (Event::Eof { .. }, _)));
    assert!(matches!(stage.next(), (Event::Closed { errno: 0, .. }, _)));

    dial(&stage, remote);
    assert!(matches!(
        stage.next(),
        (
            Event::Closed {
                syscall: Syscall::Connect,
                ..
            },
            _
        )
    ));
}

#[test]
fn a_closed_listener_leaves_its_address() {
    let stage = Stage::new();
    let (address, listener) = stage.listen(0);
    // Whether accepting has begun or not.
    drop(TcpStream::connect(address).unwrap());
    listener.close();
    TcpListener::bind(address).unwrap();
}

#[test]
fn a_lent_socket_is_read_on_the_js_thread_until_it_is_returned() {
    let mut stage = Stage::new();
    let (address, _listener) = stage.listen(0);
    let mut peer = TcpStream::connect(address).unwrap();
    let connection = stage.lent();

    let mut scratch = [0; 1024];
    assert_eq!(
        connection.receive_lent(&mut scratch, &stage.queue),
        Received::Nothing
    );
    peer.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        .unwrap();
    stage.receive_lent(&connection, &mut scratch);
    assert_eq!(stage.head(), b"/Host\nhere");
    connection
        .send(response(HEAD, 3, 2, Body::Copied(b"ok"), false))
        .unwrap();
    assert!(connection.flush_from_js());
    let mut answer = vec![0; HEAD.len() + 2];
    peer.read_exact(&mut answer).unwrap();

    connection.return_loan();
    assert_eq!(
        connection.receive_lent(&mut scratch, &stage.queue),
        Received::Return
    );
    stage.attend(&connection);
    peer.write_all(b"GET /again HTTP/1.1\r\nHost: here\r\n\r\n")
        .unwrap();
    assert_eq!(stage.head(), b"/againHost\nhere");
    drop(peer);
    assert!(matches!(stage.next(), (Event::Eof { .. }, _)));
}

#[test]
fn a_lent_socket_that_is_full_is_wanted_back() {
    let mut stage = Stage::new();
    let (address, _listener) = stage.listen(0);
    let mut peer = TcpStream::connect(address).unwrap();
    let connection = stage.lent();

    // The answer was said before LENT was heard of, so it goes by way of the I/O thread.
    peer.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        .unwrap();
    let mut scratch = [0; 1024];
    stage.receive_lent(&connection, &mut scratch);
    stage.head();
    let len = 16 * 1024 * 1024;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n");
    let body = Body::Kept(Bytes::from(vec![b'x'; len]));
    connection
        .send(response(head.as_bytes(), 3, len, body, false))
        .unwrap();
    connection.notify_drain();
    stage.attend(&connection);
    assert!(matches!(stage.next(), (Event::Lent { .. }, _)));
    connection.return_loan();
    stage.attend(&connection);
    let mut answer = vec![0; head.len() + len];
    peer.read_exact(&mut answer).unwrap();
    loop {
        match stage.next().0 {
            // Asked for as often as the driver looked.
            Event::Lent { .. } => {}
            Event::Drain { .. } => break,
            _ => panic!("expected DRAIN"),
        }
    }
}

#[test]
fn what_counts_as_taken_reaches_a_slow_peer_though_the_connection_is_destroyed() {
    const LEN: usize = 200 * 1024;
    let mut stage = Stage::new();
    let (address, _listener) = stage.listen(0);
    let mut peer = TcpStream::connect(address).unwrap();
    socket2::SockRef::from(&peer)
        .set_recv_buffer_size(4096)
        .unwrap();
    let connection = stage.accepted();
    let transport = connection.transport();
    let socket = transport.socket().unwrap();
    socket.set_send_buffer_size(4096).unwrap();

    connection.write_raw(Body::Kept(Bytes::from(vec![b'x'; LEN])));
    assert!(connection.notify_drain());
    connection.write_raw(Body::Kept(Bytes::from(vec![b'y'; LEN])));
    stage.attend(&connection);
    connection.destroy();
    stage.attend(&connection);
    assert!(matches!(stage.next(), (Event::Closed { errno: 0, .. }, _)));
    drop(transport);

    let mut said = Vec::new();
    peer.read_to_end(&mut said).unwrap();
    // What did not count may be lost, but nothing in between.
    assert!(said.len() >= LEN);
    assert!(said[..LEN].iter().all(|byte| *byte == b'x'));
    assert!(said[LEN..].iter().all(|byte| *byte == b'y'));
}
