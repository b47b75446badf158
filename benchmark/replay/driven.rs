//! `src/net` above the protocol: a lent socket is read, its packet parsed into the queue, the queue taken as the binding takes
//! it, an answer framed and written. The socket is one of a Unix pair, whose other end is on this thread, too: what is written
//! is there at once, so that each run takes the same way. Without any socket the half of it, reading and writing, could not
//! be reached.

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_native_proto::{Config, OutFraming};
use socket2::{Domain, Socket, Type};

use super::net::batch::{ReadBuffer, read_buffer};
use super::net::connection::{Batch, Connection, Event, EventQueue, Wake};
use super::net::ids::Ids;
use super::net::io_thread::IoThread;
use super::net::lending::Received;
use super::net::listener::Listener;
use super::net::message::{Block, Body, Head, Message};
use super::net::options::{Accepted, ServerOptions};
use super::net::shared::Command;
use super::wire::{
    ANSWER_BODY, ANSWER_HEAD, ANSWER_LINES, CLIENT_GET, CLIENT_GET_LINES, GET, TWENTY_FIELDS,
    answer, post,
};
use super::{Exchange, Scene};

/// Requests in one packet, as `benchmark/wrk/pipeline.lua` sends them.
const DEPTH: usize = 16;

/// A head, a body in one piece, its end.
const ANSWER_EVENTS: usize = 3;

pub(crate) const SCENES: &[Scene] = &[
    ("net: GET", || server(GET.to_vec(), 1)),
    ("net: GET of 20 fields", || {
        server(TWENTY_FIELDS.to_vec(), 1)
    }),
    ("net: POST 10 KB", || server(post(), 1)),
    ("net: 16 GETs pipelined", || {
        server(GET.repeat(DEPTH), DEPTH)
    }),
    ("net: client's GET", client),
];

/// The place of the binding and of JavaScript.
struct Stage {
    thread: IoThread,
    queue: Arc<EventQueue>,
    batch: Batch,
    scratch: ReadBuffer,
}

impl Stage {
    fn new() -> io::Result<Self> {
        let wakes = AtomicUsize::new(0);
        let wake = Arc::new(Wake::new(Box::new(move || {
            wakes.fetch_add(1, Ordering::Relaxed);
        })));
        let queue = Arc::new(EventQueue::new(0, wake));
        Ok(Self {
            thread: IoThread::start(0, Arc::clone(&queue), Arc::<Ids>::default())?,
            queue,
            batch: Batch::default(),
            scratch: read_buffer(),
        })
    }

    /// Takes what was told, as the binding does. Returns how many events there were.
    fn take(&mut self, connection: &Connection) -> usize {
        self.queue.wake.taken();
        self.queue.take(&mut self.batch);
        let mut weight = 0;
        let count = self.batch.events.len();
        for position in 0..count {
            let event = std::mem::replace(&mut self.batch.events[position], Event::Encoded);
            weight += event.weight();
            if let Event::Head { text: payload, .. } | Event::Data { payload, .. } = &event {
                black_box(self.batch.slice(payload));
            }
        }
        connection.delivered(weight, 0);
        self.batch.clear();
        count
    }

    /// Has the socket lent. The I/O thread has nothing to do from then on.
    fn borrow(&mut self, connection: &Arc<Connection>) {
        while connection.lent().is_none() {
            if connection.ask_loan() {
                let attend = Command::Attend(Arc::clone(connection));
                self.thread.shared.mailbox.deliver([attend]);
            }
            self.take(connection);
            std::thread::yield_now();
        }
        self.take(connection);
    }

    fn hear(&mut self, connection: &Connection) -> usize {
        let received = connection.receive_lent(&mut self.scratch, &self.queue);
        assert!(matches!(received, Received::Events { .. }));
        self.take(connection)
    }
}

fn pair() -> io::Result<(Socket, Socket)> {
    Socket::pair(Domain::UNIX, Type::STREAM, None)
}

fn message<'a>(head: &'a [u8], lines: u32, body: &'a [u8]) -> Message<'a> {
    let framing = match body.len() {
        0 => OutFraming::None,
        length => OutFraming::Length(length as u64),
    };
    Message {
        head: Head::Final(Block { bytes: head, lines }, framing),
        request_head: false,
        request_connect: false,
        body: if body.is_empty() {
            Body::None
        } else {
            Body::Copied(body)
        },
        end: Some(Block {
            bytes: b"",
            lines: 0,
        }),
        last: false,
        cork: false,
        under_cork: false,
    }
}

/// A server's connection that gets `depth` requests at a time.
fn server(requests: Vec<u8>, depth: usize) -> io::Result<Exchange> {
    let (ours, mut peer) = pair()?;
    let mut stage = Stage::new()?;
    let accepted = Accepted {
        no_delay: true,
        keep_alive: None,
    };
    let options = ServerOptions::new(0, Config::default(), accepted, Arc::default());
    let listener = Listener::new(options, vec![Arc::clone(&stage.thread.shared)]);
    // As http.createServer() has it.
    listener.options.configure(5_000, 0, false);
    let threads = std::slice::from_ref(&stage.thread);
    let connection = listener.adopt(ours, threads)?;
    stage.borrow(&connection);
    let mut answers = vec![0; depth * answer().len()];
    Ok(Box::new(move || {
        peer.write_all(&requests).expect("the socket takes it");
        stage.hear(&connection);
        for _ in 0..depth {
            let sent = connection.send(message(ANSWER_HEAD, ANSWER_LINES, ANSWER_BODY));
            assert!(sent.is_ok());
        }
        assert!(connection.flush_from_js());
        peer.read_exact(&mut answers)
            .expect("the answers are there");
    }))
}

/// A client's connection.
fn client() -> io::Result<Exchange> {
    let (ours, mut peer) = pair()?;
    let mut stage = Stage::new()?;
    let (connection, drive) =
        stage
            .thread
            .carry(0, Arc::new(ours), Config::default(), Arc::default())?;
    stage.thread.shared.mailbox.deliver([drive]);
    let mut request = vec![0; CLIENT_GET.len()];
    let answer = answer();
    let mut ask = move |connection: &Connection| {
        let sent = connection.send(message(CLIENT_GET, CLIENT_GET_LINES, b""));
        assert!(sent.is_ok());
        assert!(connection.flush_from_js());
        peer.read_exact(&mut request).expect("the request is there");
        peer.write_all(&answer).expect("the socket takes it");
    };
    // A connection that never asked is not lent.
    ask(&connection);
    let mut heard = 0;
    while heard < ANSWER_EVENTS {
        heard += stage.take(&connection);
    }
    stage.borrow(&connection);
    Ok(Box::new(move || {
        ask(&connection);
        assert_eq!(stage.hear(&connection), ANSWER_EVENTS);
    }))
}
