//! Listening, and connections that others accepted.

use super::*;

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
    listener.settle();
    // Each is accepted, by one thread or the other.
    let threads = listener.threads().iter();
    let known: usize = threads
        .map(|thread| thread.accepted_by(listener.options.id).len())
        .sum();
    assert_eq!(known + rest.len(), peers.len());
    assert!(listener.close_behind().is_empty());
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

/// Two ends of a TCP connection.
fn pair() -> (TcpStream, TcpStream) {
    let far = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let peer = TcpStream::connect(far.local_addr().unwrap()).unwrap();
    (peer, far.accept().unwrap().0)
}

#[test]
fn a_socket_that_somebody_else_accepted_is_a_connection_at_once() {
    let mut stage = Stage::new();
    let listener = deaf(&stage);
    listener.options.configure(0, 0, false);
    let (mut peer, socket) = pair();
    // What is there before we have it is not lost.
    peer.write_all(b"GET /early HTTP/1.1\r\nHost: here\r\n\r\n")
        .unwrap();
    let threads = std::slice::from_ref(&stage.thread);
    let connection = listener.adopt(socket.into(), threads).unwrap();
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
    let listener = deaf(&stage);
    let (mut peer, socket) = pair();
    peer.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        .unwrap();
    let threads = std::slice::from_ref(&stage.thread);
    let connection = listener.adopt(socket.into(), threads).unwrap();
    assert!(connection.is_paused());
    assert_eq!(connection.bytes_read(), 0);
    connection.resume();
    stage.attend(&connection);
    assert_eq!(stage.head(), b"/Host\nhere");
}

#[test]
fn connections_of_a_shared_socket_come_to_one_of_those_who_listen() {
    let (mut one, mut two) = (Stage::new(), Stage::new());
    let (socket, address) = bound();
    for stage in [&one, &two] {
        let listener = deaf(stage);
        listener.options.configure(0, 0, false);
        listener
            .listen(socket.try_clone().unwrap(), 32, &stage.thread)
            .unwrap();
    }
    let peers: Vec<_> = (0..20)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    for mut peer in &peers {
        peer.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            .unwrap();
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
    peer.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        .unwrap();
    let listener = deaf(&stage);
    listener.options.configure(0, 0, false);
    listener.listen(socket, 16, &stage.thread).unwrap();
    // One signal for both.
    stage.signals.recv_timeout(PATIENCE).unwrap();
    let mut batch = Batch::default();
    stage.queue.take(&mut batch);
    assert!(matches!(
        batch.events[..],
        [Event::Accept { .. }, Event::Head { .. }]
    ));
}
