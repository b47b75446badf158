//! Listening, and connections that others accepted.

use super::*;
use crate::net::undriven::Acted;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n";

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
fn what_waits_in_the_queue_of_a_listener_that_closes_is_given_up_to_us() {
    let stage = Stage::new();
    let (address, listener) = stage.listen(0);
    let peers: Vec<_> = (0..20)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    let rest = listener.close_behind();
    listener.await_arrivals();
    // Each is accepted, by one thread or the other.
    let threads = listener.threads().iter();
    let known: usize = threads
        .map(|thread| thread.accepted_by(listener.options.id).len())
        .sum();
    assert_eq!(known + rest.len(), peers.len());
    assert!(listener.close_behind().is_empty());
}

/// A listener whose socket the JS thread has, with times of so many milliseconds.
pub(super) fn lent(stage: &Stage, keep_alive: u64) -> (SocketAddr, Arc<Listener>) {
    let (socket, address) = bound();
    let listener = deaf(stage);
    listener.options.configure(keep_alive, 0, false);
    listener.listen(socket, 16).unwrap();
    (address, listener)
}

/// Reads a request from a lent socket, and answers it.
fn serve_lent(stage: &mut Stage, connection: &Connection) {
    stage.receive_lent(connection, &mut read_buffer());
    assert_eq!(stage.head(), b"/Host\nhere");
    connection
        .send(response(HEAD, 3, 2, Body::Copied(b"ok"), false))
        .unwrap();
    assert!(connection.flush_from_js());
}

#[test]
fn the_js_thread_accepts_reads_answers_and_closes_by_itself() {
    let mut stage = Stage::new();
    let (address, listener) = lent(&stage, 5000);
    assert!(listener.accept_lent().unwrap().is_none());
    let mut peer = TcpStream::connect(address).unwrap();
    peer.write_all(REQUEST).unwrap();
    let connection = listener.accept_lent().unwrap().unwrap();
    assert!(listener.accept_lent().unwrap().is_none());
    assert!(
        connection
            .transport()
            .socket()
            .unwrap()
            .tcp_nodelay()
            .unwrap()
    );
    assert!(!connection.is_unix());
    assert!(matches!(connection.act_undriven(), Acted::Rests));
    serve_lent(&mut stage, &connection);
    // The keep-alive time that begins is far, and may wait for a driver.
    assert!(matches!(connection.act_undriven(), Acted::Rests));
    let mut answer = vec![0; HEAD.len() + 2];
    peer.read_exact(&mut answer).unwrap();
    connection.close();
    assert!(stage.ends(&connection));
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    let shared = &stage.thread.shared;
    assert!(shared.accepted_by(listener.options.id).is_empty());
}

#[test]
fn a_time_that_is_near_has_a_connection_driven_and_one_that_is_over_is_told_without_that() {
    let mut stage = Stage::new();
    let (address, listener) = lent(&stage, 1);
    let mut peer = TcpStream::connect(address).unwrap();
    peer.write_all(REQUEST).unwrap();
    let connection = listener.accept_lent().unwrap().unwrap();
    serve_lent(&mut stage, &connection);
    assert!(matches!(connection.act_undriven(), Acted::NeedsClock));
    let mailbox = &stage.thread.shared.mailbox;
    mailbox.deliver(Command::attend(&connection));
    assert!(matches!(stage.next(), (Event::Timeout { .. }, _)));

    let _peer = TcpStream::connect(address).unwrap();
    let connection = listener.accept_lent().unwrap().unwrap();
    connection.expire_now(Duration::from_secs(60), Duration::ZERO);
    assert!(stage.queue.is_empty());
    connection.expire_now(Duration::from_nanos(1), Duration::ZERO);
    assert!(matches!(stage.next(), (Event::Expired { .. }, _)));
}

#[test]
fn a_listening_socket_goes_to_the_io_thread_and_comes_back() {
    let mut stage = Stage::new();
    let (address, listener) = lent(&stage, 0);
    for _ in 0..3 {
        listener.accept_on(&stage.thread).unwrap();
        assert!(listener.lent().is_none());
        assert!(listener.accept_lent().unwrap().is_none());
        let peer = TcpStream::connect(address).unwrap();
        let connection = stage.accepted();
        assert!(!connection.is_undriven());
        drop(peer);
        assert!(matches!(stage.next(), (Event::Eof { .. }, _)));

        assert!(listener.lend());
        let _peer = TcpStream::connect(address).unwrap();
        assert!(listener.accept_lent().unwrap().unwrap().is_undriven());
        assert!(stage.queue.is_empty());
    }
    // What waits is given up from there, too.
    let _peer = TcpStream::connect(address).unwrap();
    assert_eq!(listener.close_behind().len(), 1);
    assert!(!listener.lend());
    TcpListener::bind(address).unwrap();
}

/// A listener without a socket, as for a worker whose primary accepts.
fn deaf(stage: &Stage) -> Arc<Listener> {
    let accepted = Accepted {
        no_delay: true,
        keep_alive: None,
    };
    let options = ServerOptions::new(7, Config::default(), accepted, Arc::default());
    let threads = vec![Arc::clone(&stage.thread.shared)];
    Arc::new(Listener::new(options, threads))
}

/// A peer that has said this, and the connection of its socket, which was accepted elsewhere; it may come paused.
fn adopted(stage: &Stage, said: &[u8], holds: bool) -> (TcpStream, Arc<Connection>) {
    let far = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut peer = TcpStream::connect(far.local_addr().unwrap()).unwrap();
    peer.write_all(said).unwrap();
    let (socket, _) = far.accept().unwrap();
    let listener = deaf(stage);
    listener.options.configure(0, 0, holds);
    let threads = std::slice::from_ref(&stage.thread);
    (peer, listener.adopt(socket.into(), threads).unwrap())
}

#[test]
fn a_socket_that_was_accepted_elsewhere_is_a_connection_at_once() {
    let mut stage = Stage::new();
    // What is there before we have it is not lost.
    let said = b"GET /early HTTP/1.1\r\nHost: here\r\n\r\n";
    let (mut peer, connection) = adopted(&stage, said, false);
    let transport = connection.transport();
    let address = transport.socket().unwrap().peer_addr().unwrap();
    assert_eq!(address.as_socket(), peer.local_addr().ok());
    assert!(transport.socket().unwrap().tcp_nodelay().unwrap());
    drop(transport);

    // No ACCEPT comes before the head.
    assert_eq!(stage.head(), b"/earlyHost\nhere");
    stage.last_answer(&connection, &mut peer);
    assert!(matches!(stage.next(), (Event::Closed { errno: 0, .. }, _)));
}

#[test]
fn an_adopted_connection_is_held_if_its_listener_holds() {
    let mut stage = Stage::new();
    let (_peer, connection) = adopted(&stage, REQUEST, true);
    assert!(connection.is_paused());
    assert_eq!(connection.bytes_read(), 0);
    connection.resume();
    stage.attend(&connection);
    assert_eq!(stage.head(), b"/Host\nhere");
}

#[test]
fn a_connection_that_was_held_since_it_was_accepted_is_surrendered_with_what_the_kernel_has() {
    let mut stage = Stage::new();
    let (mut peer, connection) = adopted(&stage, b"no HTTP", true);
    let (socket, rest) = connection.surrender().expect("the socket");
    assert!(rest.is_empty());
    let mut socket = TcpStream::from(socket);
    stage.attend(&connection);
    assert!(matches!(stage.next(), (Event::Closed { errno: 0, .. }, _)));

    let mut said = [0; 7];
    socket.set_nonblocking(false).unwrap();
    socket.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"no HTTP");
    socket.write_all(b"hi").unwrap();
    peer.read_exact(&mut said[..2]).unwrap();
    assert_eq!(&said[..2], b"hi");
}

#[test]
fn a_connection_from_which_something_was_read_is_not_surrendered_because_it_is_paused() {
    let mut stage = Stage::new();
    let (_peer, connection) = adopted(&stage, REQUEST, true);
    connection.resume();
    stage.attend(&connection);
    stage.head();
    connection.pause();
    assert!(connection.surrender().is_none());
}

#[test]
fn connections_of_a_shared_socket_come_to_one_of_the_listeners() {
    let (mut one, mut two) = (Stage::new(), Stage::new());
    let (socket, address) = bound();
    for stage in [&one, &two] {
        let listener = deaf(stage);
        listener.options.configure(0, 0, false);
        listener.listen(socket.try_clone().unwrap(), 32).unwrap();
        listener.accept_on(&stage.thread).unwrap();
    }
    let peers: Vec<_> = (0..20)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    for mut peer in &peers {
        peer.write_all(REQUEST).unwrap();
    }
    let mut served = 0;
    let began = std::time::Instant::now();
    while served < peers.len() {
        assert!(began.elapsed() < PATIENCE, "{served} were served");
        for stage in [&mut one, &mut two] {
            while let Some((event, _)) = stage.next_within(Duration::from_millis(1)) {
                served += usize::from(matches!(event, Event::Head { .. }));
            }
        }
    }
}

#[test]
fn a_request_that_is_there_already_comes_up_with_its_accept() {
    let stage = Stage::new();
    let (socket, address) = bound();
    socket.listen(16).unwrap();
    let mut peer = TcpStream::connect(address).unwrap();
    peer.write_all(REQUEST).unwrap();
    let listener = deaf(&stage);
    listener.options.configure(0, 0, false);
    listener.listen(socket, 16).unwrap();
    listener.accept_on(&stage.thread).unwrap();
    // One signal for both.
    stage.signals.recv_timeout(PATIENCE).unwrap();
    let mut batch = Batch::default();
    stage.queue.take(&mut batch);
    assert!(matches!(
        batch.events[..],
        [Event::Accept { .. }, Event::Head { .. }]
    ));
}
