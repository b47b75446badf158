//! Requests beyond those that may be unanswered: they wait in the kernel, and their peer may go.

use super::*;
use crate::net::limits::READ_AHEAD;

/// The requests that may be unanswered, in JavaScript's hands.
struct Ahead {
    stage: Stage,
    address: SocketAddr,
    _listener: Arc<Listener>,
    peer: TcpStream,
    connection: Arc<Connection>,
    others: Vec<TcpStream>,
}

fn request(number: u32) -> String {
    format!("GET /{number} HTTP/1.1\r\nHost: here\r\n\r\n")
}

impl Ahead {
    fn new() -> Self {
        let mut stage = Stage::new();
        let (address, listener) = stage.listen(0);
        let peer = TcpStream::connect(address).unwrap();
        let connection = stage.accepted();
        let mut ahead = Self {
            stage,
            address,
            _listener: listener,
            peer,
            connection,
            others: Vec::new(),
        };
        for number in 0..READ_AHEAD {
            ahead.says(number);
            ahead.hears(number);
        }
        ahead
    }

    fn says(&mut self, number: u32) {
        self.peer.write_all(request(number).as_bytes()).unwrap();
    }

    fn hears(&mut self, number: u32) {
        let weight = match self.stage.next() {
            (event @ Event::Head { .. }, text) => {
                assert_eq!(text, format!("/{number}Host\nhere").as_bytes());
                event.weight()
            }
            _ => panic!("expected a head"),
        };
        if self.connection.delivered(weight, 0) {
            self.stage.attend(&self.connection);
        }
    }

    /// Waits until the I/O thread has been told of what has come so far: what came later on another connection is heard.
    fn io_thread_looks(&mut self) {
        for _ in 0..3 {
            let mut other = TcpStream::connect(self.address).unwrap();
            self.stage.accepted();
            other.write_all(request(0).as_bytes()).unwrap();
            self.stage.head();
            self.others.push(other);
        }
    }

    fn answers(&mut self) {
        self.connection
            .send(response(HEAD, 3, 2, Body::Copied(b"ok"), false))
            .unwrap();
        self.stage.attend(&self.connection);
    }
}

#[test]
fn what_comes_while_answers_are_owed_is_read_when_one_is_said() {
    let mut ahead = Ahead::new();
    for number in READ_AHEAD..2 * READ_AHEAD {
        ahead.says(number);
        ahead.io_thread_looks();
        ahead.answers();
        ahead.hears(number);
    }
}

#[test]
fn a_peer_that_ends_its_side_is_heard_of_though_nothing_is_answered() {
    let mut ahead = Ahead::new();
    for number in READ_AHEAD..4 * READ_AHEAD {
        ahead.says(number);
    }
    ahead.io_thread_looks();
    ahead.peer.shutdown(std::net::Shutdown::Write).unwrap();
    for number in READ_AHEAD..4 * READ_AHEAD {
        ahead.hears(number);
    }
    assert!(matches!(ahead.stage.next(), (Event::Eof { .. }, _)));
}

#[test]
fn a_peer_that_resets_is_heard_of_though_nothing_is_answered() {
    let mut ahead = Ahead::new();
    ahead.says(READ_AHEAD);
    ahead.io_thread_looks();
    let peer = Socket::from(ahead.peer.try_clone().unwrap());
    peer.set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
    ahead.peer = TcpStream::connect(ahead.address).unwrap();
    loop {
        match ahead.stage.next().0 {
            // What was read before the reset, and the connection that only has to be there.
            Event::Head { .. } | Event::Accept { .. } => {}
            Event::Closed { errno, syscall, .. } => {
                assert_eq!((errno, syscall), (-104, Syscall::Read));
                break;
            }
            _ => panic!("expected CLOSED"),
        }
    }
}
