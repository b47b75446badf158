//! An I/O thread against std's blocking sockets: what JavaScript would see, and what the peer does.

mod ahead;
mod exchange;
mod handover;
mod lending;
mod listening;
pub(super) mod model;
mod room;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use bytes::Bytes;
use http_native_proto::{Config, OutFraming};
use socket2::{Domain, Socket, Type};

use super::batch::{ReadBuffer, read_buffer};
use super::connection::{Batch, Connection, Event, EventQueue, Wake};
use super::event::Syscall;
use super::ids::Ids;
use super::io_thread::IoThread;
use super::lending::Received;
use super::limits::WINDOW;
use super::listener::Listener;
use super::message::{Block, Body, Head, Message};
use super::options::{Accepted, ServerOptions};
use super::shared::Command;
use super::undriven::Acted;

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
    /// True if an undriven connection ends. CLOSED is put into the queue.
    fn ends(&self, connection: &Connection) -> bool {
        let Acted::Ended(closed) = connection.act_undriven() else {
            return false;
        };
        self.queue.push(closed);
        true
    }

    fn new() -> Self {
        // One signal at most is on its way.
        let (signal, signals) = sync_channel(1);
        let wake = Arc::new(Wake::new(Box::new(move || {
            let _ = signal.try_send(());
        })));
        let queue = Arc::new(EventQueue::new(0, wake));
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
        let listener = Arc::new(Listener::new(
            ServerOptions::new(0, Config::default(), accepted, Arc::default()),
            threads,
        ));
        listener.options.configure(0, idle, false);
        // Room for all peers of a test: the kernel drops the last step of a connection that finds none.
        listener.listen(socket, 128).unwrap();
        listener.accept_on(&self.thread).unwrap();
        (address, listener)
    }

    /// A peer that has said this, and its connection.
    fn said(&mut self, bytes: &[u8]) -> (TcpStream, Arc<Connection>) {
        let (address, _listener) = self.listen(0);
        let mut peer = TcpStream::connect(address).unwrap();
        peer.write_all(bytes).unwrap();
        (peer, self.accepted())
    }

    /// Answers, and ends the connection behind that: the peer gets the whole answer and then FIN.
    fn last_answer(&mut self, connection: &Arc<Connection>, peer: &mut TcpStream) {
        connection
            .send(response(HEAD, 3, 2, Body::Copied(b"ok"), true))
            .unwrap();
        self.attend(connection);
        let mut answer = Vec::new();
        peer.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, [HEAD, b"ok"].concat());
    }

    /// The next event, with the bytes of its payload.
    fn next(&mut self) -> (Event, Vec<u8>) {
        self.next_within(PATIENCE).expect("an event")
    }

    fn next_within(&mut self, patience: Duration) -> Option<(Event, Vec<u8>)> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            self.signals.recv_timeout(patience).ok()?;
            let mut batch = Batch::default();
            self.queue.wake.taken();
            self.queue.take(&mut batch);
            for event in std::mem::take(&mut batch.events) {
                let bytes = match &event {
                    Event::Data { payload, .. }
                    | Event::Raw { payload, .. }
                    | Event::Head { text: payload, .. } => batch.slice(payload).to_vec(),
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
        assert!(connection.ask_loan());
        self.attend(&connection);
        assert!(matches!(self.next(), (Event::Lent { .. }, _)));
        connection
    }

    /// Reads from a lent socket until something came.
    fn receive_lent(&self, connection: &Connection, scratch: &mut ReadBuffer) {
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

/// A socket as Node gives it: bound, not listening.
fn bound() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    socket.set_reuse_address(true).unwrap();
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
        cork: false,
        under_cork: false,
    }
}

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
