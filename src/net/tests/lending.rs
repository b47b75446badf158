//! Sockets that the JS thread has for a while.

use super::*;
use crate::net::batch::READ;
use crate::net::transport::Lending;
use crate::net::undriven::Acted;
use crate::net::watched_loans::Loan;

#[test]
fn a_lent_socket_is_read_on_the_js_thread_until_it_is_returned() {
    let mut stage = Stage::new();
    let (address, _listener) = stage.listen(0);
    let mut peer = TcpStream::connect(address).unwrap();
    let connection = stage.lent();

    let mut scratch = read_buffer();
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
    assert!(
        !connection.ask_loan(),
        "it would not be put back on the reactor"
    );
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
fn a_lent_socket_is_taken_back_but_not_while_it_is_read() {
    let mut stage = Stage::new();
    let (address, _listener) = stage.listen(0);
    let mut peer = TcpStream::connect(address).unwrap();
    let connection = stage.lent();

    assert!(connection.goes_on(false));
    connection.lock().lending = Lending::Reading;
    assert!(connection.goes_on(true));
    connection.lock().lending = Lending::Lent;
    assert!(!connection.goes_on(true) && !connection.goes_on(true));
    assert!(matches!(stage.next(), (Event::Lent { .. }, _)));
    let mut scratch = read_buffer();
    assert_eq!(
        connection.receive_lent(&mut scratch, &stage.queue),
        Received::Return
    );
    // Without the JS thread.
    peer.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        .unwrap();
    assert_eq!(stage.head(), b"/Host\nhere");
}

#[test]
fn a_lent_socket_is_read_on_while_there_is_room_for_what_that_brings() {
    let mut stage = Stage::new();
    let (address, _listener) = stage.listen(0);
    let mut peer = TcpStream::connect(address).unwrap();
    let connection = stage.lent();

    // More than half of the window, at the end of a read that is as long as it can be. The next would fill it in the middle of a message.
    let head = [
        b"GET / HTTP/1.1\r\nHost: here\r\nA: ".to_vec(),
        vec![b'x'; 161],
    ]
    .concat();
    let head = [head, b"\r\n\r\n".to_vec()].concat();
    let blank = b"\r\n".repeat((READ - head.len()) / 2);
    assert_eq!(blank.len() + head.len(), READ);
    peer.write_all(&[blank, head.clone(), head].concat())
        .unwrap();
    let mut scratch = read_buffer();
    let socket = connection.lent().unwrap();
    let mut waiting = vec![std::mem::MaybeUninit::uninit(); READ];
    while socket.peek(&mut waiting).unwrap_or(0) < READ {
        std::thread::yield_now();
    }
    let received = connection.receive_lent(&mut scratch, &stage.queue);
    assert_eq!(received, Received::Events { filled: true });
    let unread = connection.unread();
    assert!((WINDOW / 2..WINDOW).contains(&unread), "{unread}");
    assert_eq!(connection.lock().lending, Lending::Lent);
}

#[test]
fn a_lent_socket_stays_where_it_is_when_javascript_pauses_and_resumes() {
    let mut stage = Stage::new();
    let (address, _listener) = stage.listen(0);
    let mut peer = TcpStream::connect(address).unwrap();
    let connection = stage.lent();

    peer.write_all(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 4\r\n\r\nbo")
        .unwrap();
    let mut scratch = read_buffer();
    stage.receive_lent(&connection, &mut scratch);
    connection.pause();
    connection.resume();
    connection
        .send(response(HEAD, 3, 2, Body::Copied(b"ok"), false))
        .unwrap();
    assert!(connection.flush_from_js(), "nothing is left for a driver");
    peer.write_all(b"dy").unwrap();
    stage.receive_lent(&connection, &mut scratch);
    assert_eq!(connection.lock().lending, Lending::Lent);
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
    let mut scratch = read_buffer();
    stage.receive_lent(&connection, &mut scratch);
    stage.head();
    let len = 16 * 1024 * 1024;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n");
    let body = Body::Owned(Bytes::from(vec![b'x'; len]));
    connection
        .send(response(head.as_bytes(), 3, len, body, false))
        .unwrap();
    connection.take(connection.bytes_said(), false);
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

/// A client's connection that no thread drives, and its peer.
pub(super) fn undriven(stage: &Stage) -> (TcpStream, Arc<Connection>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    ours.set_nonblocking(true).unwrap();
    let (peer, _) = listener.accept().unwrap();
    let socket = Arc::new(Socket::from(ours));
    let id = stage.ids.take();
    let connection = stage
        .thread
        .carry_undriven(id, socket, Config::default(), Arc::default());
    (peer, connection)
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n";

fn ask(connection: &Connection, peer: &mut TcpStream) {
    let message = response(GET, 3, 0, Body::None, false);
    connection.send(message).unwrap();
    assert!(connection.flush_from_js());
    let mut request = vec![0; GET.len()];
    peer.read_exact(&mut request).unwrap();
    assert_eq!(request, GET);
}

#[test]
fn a_clients_exchange_needs_no_io_thread() {
    let mut stage = Stage::new();
    let (mut peer, connection) = undriven(&stage);
    ask(&connection, &mut peer);
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    peer.write_all(answer).unwrap();
    let mut scratch = read_buffer();
    stage.receive_lent(&connection, &mut scratch);
    assert_eq!(stage.head(), b"OKContent-Length\n2");
    assert!(matches!(stage.next(), (Event::Data { .. }, _)));
    assert!(matches!(stage.next(), (Event::End { .. }, _)));

    connection.destroy(false);
    assert!(stage.ends(&connection));
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    stage.queue.publish();
    assert!(matches!(stage.next(), (Event::Closed { errno: 0, .. }, _)));
    // What was marked before its end is no reason to drive it.
    assert_eq!(Command::attend(&connection).count(), 0);
}

#[test]
fn an_end_of_a_peer_is_read_without_a_driver_and_a_deadline_is_not_watched() {
    let mut stage = Stage::new();
    let (mut peer, connection) = undriven(&stage);
    ask(&connection, &mut peer);
    assert!(matches!(connection.act_undriven(), Acted::Rests));
    drop(peer);
    let mut scratch = read_buffer();
    while connection.receive_lent(&mut scratch, &stage.queue) != Received::End {
        std::thread::yield_now();
    }
    assert!(matches!(connection.act_undriven(), Acted::Rests));
    connection.shutdown(false);
    assert!(stage.ends(&connection));
    stage.queue.publish();
    loop {
        if matches!(stage.next().0, Event::Closed { .. }) {
            break;
        }
    }

    let (mut peer, connection) = undriven(&stage);
    connection.set_timeout(Duration::from_millis(1));
    ask_without_a_flush(&connection);
    assert!(!connection.flush_from_js());
    assert!(matches!(connection.act_undriven(), Acted::NeedsClock));
    stage
        .thread
        .shared
        .mailbox
        .deliver(Command::attend(&connection));
    assert!(matches!(connection.act_undriven(), Acted::NeedsDriver));
    assert!(matches!(stage.next(), (Event::Timeout { .. }, _)));
    // The socket has stayed where it was.
    peer.write_all(b"HTTP/1.1 204 None\r\n\r\n").unwrap();
    stage.receive_lent(&connection, &mut scratch);
    assert_eq!(stage.head(), b"None");
}

fn ask_without_a_flush(connection: &Connection) {
    connection
        .send(response(GET, 3, 0, Body::None, false))
        .unwrap();
}
