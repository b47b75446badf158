//! Requests, responses, and how connections end.

use super::*;

#[test]
fn a_request_comes_up_and_its_response_goes_down() {
    let mut stage = Stage::new();
    let (mut peer, connection) = stage.said(b"GET /there HTTP/1.1\r\nHost: here\r\n\r\n");
    assert_eq!(stage.head(), b"/thereHost\nhere");
    stage.last_answer(&connection, &mut peer);
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
fn a_response_before_the_end_of_another_fails_the_connection() {
    let mut stage = Stage::new();
    let (mut peer, connection) = stage.said(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n");
    stage.head();
    let mut open = response(HEAD, 3, 2, Body::Copied(b"o"), false);
    open.end = None;
    connection.send(open).unwrap();
    stage.attend(&connection);
    let mut begun = vec![0; HEAD.len() + 1];
    peer.read_exact(&mut begun).unwrap();
    connection
        .send(response(HEAD, 3, 2, Body::Copied(b"ok"), false))
        .unwrap();
    stage.attend(&connection);
    let (closed, _) = stage.next();
    assert!(matches!(closed, Event::Closed { errno, syscall: Syscall::Write, .. } if errno == -22));
    assert_eq!(peer.read(&mut [0; 1]).unwrap_or(0), 0);
}

#[test]
fn what_is_said_behind_the_last_response_is_dropped() {
    let mut stage = Stage::new();
    let (mut peer, connection) = stage.said(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n");
    stage.head();
    for _ in 0..2 {
        connection
            .send(response(HEAD, 3, 2, Body::Copied(b"ok"), true))
            .unwrap();
    }
    stage.attend(&connection);
    let mut answer = Vec::new();
    peer.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, [HEAD, b"ok"].concat());
    let (closed, _) = stage.next();
    assert!(matches!(closed, Event::Closed { errno: 0, .. }));
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
                    assert!(connection.delivered(unread, 0));
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
    let (mut peer, connection) = stage.said(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n");
    stage.head();
    let len = 16 * 1024 * 1024;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n");
    let body = Body::Owned(Bytes::from(vec![b'x'; len]));
    let pending = connection
        .send(response(head.as_bytes(), 3, len, body, false))
        .unwrap();
    assert_eq!(pending, head.len() + len);
    connection.take(connection.bytes_said(), false);
    stage.attend(&connection);
    let mut answer = vec![0; head.len() + len];
    peer.read_exact(&mut answer).unwrap();
    assert!(matches!(stage.next(), (Event::Drain { .. }, _)));
    assert_eq!(connection.pending(), 0);
    assert_eq!(connection.bytes_said(), (head.len() + len) as u64);
}

#[test]
fn idle_time_is_reported_once() {
    let mut stage = Stage::new();
    let (address, _listener) = stage.listen(30);
    let peer = TcpStream::connect(address).unwrap();
    let connection = stage.accepted();
    assert!(matches!(stage.next(), (Event::Timeout { .. }, _)));
    connection.destroy(false);
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
        server: listener.options.id,
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
    let peer = Socket::from(peer);
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

    connection.write_raw(Body::Owned(Bytes::from(vec![b'x'; LEN])));
    assert_eq!(connection.take(connection.bytes_said(), false), 0);
    connection.write_raw(Body::Owned(Bytes::from(vec![b'y'; LEN])));
    stage.attend(&connection);
    connection.destroy(false);
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
