//! Room for events in all: what was left for lack of it goes on when there is some, though nothing else wakes the I/O thread.

use super::lending::undriven;
use super::listening::lent;
use super::*;
use crate::net::limits::{NARROW_WINDOW, READ_AHEAD, TAKEN_MAX, WINDOW_IN_ALL};
use crate::net::undriven::Acted;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n";

/// Room for one request: it is full behind that.
const ONE: usize = 1;

impl Stage {
    /// Fills the room in all but for so many bytes, as other connections do.
    fn fill(&self, but: usize) {
        self.queue.wake.add(WINDOW_IN_ALL - but);
    }

    /// Fetches what [`Stage::fill`] told, and has the connections attended that wait for room.
    fn relieve(&self, but: usize) {
        self.queue.wake.subtract(WINDOW_IN_ALL - but);
        for connection in self.queue.wake.relieved() {
            connection.relieve();
            self.attend(&connection);
        }
    }

    /// Fetches as many requests as may wait for an answer, and answers the first when there is no room in all.
    fn answer_with_no_room(&mut self, connection: &Connection) {
        for _ in 0..READ_AHEAD {
            let weight = self.next().0.weight();
            connection.delivered(weight, 0);
        }
        self.fill(0);
        connection
            .send(response(HEAD, 3, 2, Body::Copied(b"ok"), false))
            .unwrap();
    }
}

#[test]
fn what_waited_for_an_answer_and_then_for_room_is_parsed() {
    let mut stage = Stage::new();
    let (_peer, connection) = stage.said(&REQUEST.repeat(READ_AHEAD as usize + 1));
    stage.answer_with_no_room(&connection);
    assert!(
        !connection.flush_from_js(),
        "only the driver waits for room"
    );
    stage.attend(&connection);
    stage.relieve(0);
    assert_eq!(stage.head(), b"/Host\nhere");
}

#[test]
fn a_rest_for_which_a_loan_has_no_room_goes_back_with_the_socket() {
    let mut stage = Stage::new();
    let (address, _listener) = stage.listen(0);
    let mut peer = TcpStream::connect(address).unwrap();
    let connection = stage.lent();
    stage.fill(ONE);
    peer.write_all(&REQUEST.repeat(2)).unwrap();
    let mut scratch = read_buffer();
    let received = loop {
        match connection.receive_lent(&mut scratch, &stage.queue) {
            Received::Nothing => std::thread::yield_now(),
            received => break received,
        }
    };
    stage.queue.publish();
    assert_eq!(stage.head(), b"/Host\nhere");
    assert_eq!(received, Received::Last);
    connection.return_loan();
    stage.attend(&connection);
    stage.relieve(ONE);
    assert_eq!(stage.head(), b"/Host\nhere");
}

#[test]
fn what_waited_for_an_answer_of_a_connection_without_a_driver_and_then_for_room_has_it_driven() {
    let mut stage = Stage::new();
    let (address, listener) = lent(&stage, 0);
    let mut peer = TcpStream::connect(address).unwrap();
    peer.write_all(&REQUEST.repeat(READ_AHEAD as usize + 1))
        .unwrap();
    let connection = listener.accept_lent().unwrap().unwrap();
    stage.receive_lent(&connection, &mut read_buffer());
    stage.answer_with_no_room(&connection);
    assert!(!connection.flush_from_js());
    assert!(matches!(connection.act_undriven(), Acted::NeedsDriver));
    connection.return_loan();
    let mailbox = &stage.thread.shared.mailbox;
    mailbox.deliver(Command::attend(&connection));
    stage.relieve(0);
    assert_eq!(stage.head(), b"/Host\nhere");
}

#[test]
fn a_rest_that_waits_for_room_needs_a_driver() {
    let mut stage = Stage::new();
    let (mut peer, connection) = undriven(&stage);
    let get = b"GET / HTTP/1.1\r\nHost: here\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n";
    connection
        .send(response(get, 5, 0, Body::None, false))
        .unwrap();
    assert!(connection.flush_from_js());
    peer.write_all(
        b"HTTP/1.1 101 Other\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n\
          HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    )
    .unwrap();
    let mut scratch = read_buffer();
    stage.receive_lent(&connection, &mut scratch);
    assert_eq!(stage.head(), b"OtherConnection\nupgrade\nUpgrade\nother");
    stage.fill(0);
    connection.upgrade(false);
    assert!(!connection.flush_from_js());
    assert!(matches!(connection.act_undriven(), Acted::NeedsDriver));
}

#[test]
fn what_waits_for_room_in_the_narrow_window_is_read_when_there_is_some_though_the_window_is_wide_again()
 {
    let mut stage = Stage::new();
    stage.queue.wake.narrow(true);
    let post = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 200\r\n\r\n";
    let (mut peer, connection) = stage.said(&[post, &[b'x'; 100][..]].concat());
    let head = stage.next().0.weight();
    let (data, _) = stage.next();
    assert!((NARROW_WINDOW..WINDOW).contains(&connection.unread()));
    // Behind another's request the driver has come to rest.
    let (_other, _) = stage.said(REQUEST);
    stage.head();
    peer.write_all(&[b'x'; 100]).unwrap();
    stage.queue.wake.narrow(false);
    assert!(
        connection.delivered(head + data.weight(), 0),
        "reading had stopped"
    );
    stage.attend(&connection);
    assert!(matches!(stage.next(), (Event::Data { .. }, _)));
}

#[test]
fn what_was_taken_before_the_connection_failed_is_told_when_javascript_asks() {
    let mut stage = Stage::new();
    let (mut peer, connection) = stage.said(REQUEST);
    stage.head();
    let body = vec![b'x'; 2 * TAKEN_MAX];
    let reader = std::thread::spawn(move || {
        let mut answer = vec![0; 2 * TAKEN_MAX];
        peer.read_exact(&mut answer).unwrap();
        peer
    });
    let body = Body::Owned(body.into());
    connection
        .send(response(HEAD, 3, 2 * TAKEN_MAX, body, false))
        .unwrap();
    assert_ne!(connection.take(0, true), 0);
    while connection.write_owed(1) != Some(0) {
        connection.unblock();
    }
    connection.reset();
    assert!(
        connection.write_now(),
        "JavaScript waits for what was taken"
    );
    drop(connection);
    let _ = reader.join();
}
