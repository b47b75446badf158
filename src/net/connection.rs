//! One connection, as its two threads share it: the I/O thread that owns the socket and the JS thread that
//! speaks on it.
//!
//! Both change the [`State`] under the connection's lock, which is never held across a system call that can
//! wait or a call into JavaScript. Commands of the JS thread take effect here at once (`send.rs` frames a response
//! straight into the output); the flush (`flush.rs`) then writes, on whichever thread it is called.

use std::io;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use http_native_proto as proto;
use socket2::{SockAddr, Socket};
use tokio::io::unix::AsyncFd;

use super::batch::Batch;
use super::event::{Event, EventQueue, Syscall};
use super::io_thread::Shared;
use super::lending::{Lending, Transport};
use super::listener::Listener;
use super::output::Output;
use super::staleness;
use super::timing::Timing;

/// Bytes of bodies that may wait for the JS thread, a connection; reading stops above. Eight reads: with four, the
/// two threads of an upload mostly wait for each other.
pub(crate) const WINDOW: usize = 512 * 1024;

/// Requests of one connection that may be unanswered before parsing pauses. Core has no such limit and lets
/// a peer that pipelines without reading queue as much as it likes up to the socket's buffers.
pub(super) const READ_AHEAD: u32 = 1024;

/// How the connection is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) enum Ending {
    None,
    /// When all output is written: net.Socket's destroySoon.
    AfterOutput,
    /// At once, with FIN.
    Now,
    /// At once, with RST.
    Reset,
}

impl Ending {
    pub(super) fn max_with(self, other: Self) -> Self {
        if other > self { other } else { self }
    }
}

/// Parsing failed, and fails again with every packet until JavaScript closes, as in core.
#[derive(Clone, Copy)]
pub(super) struct Broken {
    pub(super) kind: u8,
    /// What `bytesParsed` of the next packet says: for a stream where the failure lies, counted
    /// from the end of the last packet, and for a socket, whose packets all come into the same
    /// buffer of core's, the same every time.
    pub(super) behind: i64,
}

pub(super) struct State {
    pub(super) proto: proto::Connection,
    pub(super) transport: Transport,
    pub(super) lending: Lending,
    pub(super) output: Output,
    /// A thread is writing with the lock released. What it has, and how much of that does not count as taken.
    pub(super) writing: bool,
    pub(super) flying: usize,
    pub(super) in_flight: usize,
    /// The kernel took no more: the driver waits for write readiness.
    pub(super) blocked: bool,
    /// Input that could not be parsed yet.
    pub(super) carry: Vec<u8>,
    /// A head asks to leave HTTP, or the body behind one that may is over: parsing waits for the answer.
    pub(super) held: bool,
    /// The packet up to `carry`, when the head that is held has a body: its errors come with the whole packet.
    pub(super) preceding: Vec<u8>,
    /// HTTP is over here: bytes go up as they come.
    pub(super) raw: bool,
    /// Bytes go up as they come, and come back to be parsed: see `tap`.
    pub(super) tapped: bool,
    /// Client: a request was sent, or is said to be under way. What comes before waits for it.
    pub(super) asked: bool,
    /// Client: it is known how the response to the request that is to be sent is framed.
    pub(super) expected: bool,
    /// Parsing failed.
    pub(super) broken: Option<Broken>,
    /// JavaScript wants no more bytes for now.
    pub(super) paused: bool,
    /// The peer has ended its side.
    pub(super) eof: bool,
    /// FIN is to follow the output, and whether it was sent.
    pub(super) fin: bool,
    pub(super) fin_sent: bool,
    pub(super) ending: Ending,
    pub(super) closed: bool,
    /// Bytes said since.
    pub(super) lost: usize,
    pub(super) failure: Option<(i32, Syscall)>,
    /// DRAIN is wanted once.
    pub(super) notify_drain: bool,
    /// The driver has something to do besides writing.
    pub(super) attention: bool,
    pub(super) task: Option<Waker>,
    pub(super) timing: Timing,
    /// Any byte ever came.
    pub(super) virgin: bool,
    pub(super) bytes_read: u64,
    pub(super) bytes_written: u64,
}

impl State {
    pub(super) fn may_parse(&self) -> bool {
        !self.held && self.asked && self.proto.outstanding() < READ_AHEAD
    }

    /// May bytes be read? What they mean need not be known yet.
    pub(super) fn may_read(&self) -> bool {
        self.tapped || self.may_parse() || (!self.asked && self.carry.is_empty())
    }

    /// Ends the connection for whoever comes later; gives the socket to be dropped without the lock.
    pub(super) fn close(&mut self) -> Transport {
        self.closed = true;
        self.output = Output::default();
        self.carry = Vec::new();
        self.preceding = Vec::new();
        self.task = None;
        std::mem::replace(&mut self.transport, Transport::None)
    }
}

pub(crate) struct Connection {
    pub(crate) id: u32,
    pub(super) role: proto::Role,
    /// The I/O thread that owns the socket; none for driver two.
    thread: Option<Arc<Shared>>,
    pub(super) listener: Option<Arc<Listener>>,
    /// Body bytes in the event queue.
    unread: AtomicUsize,
    /// The I/O thread reads, or has not told yet what it read.
    pub(super) reading: AtomicBool,
    state: Mutex<State>,
}

impl Connection {
    pub(crate) fn new(
        id: u32,
        role: proto::Role,
        config: proto::Config,
        thread: Option<Arc<Shared>>,
        listener: Option<Arc<Listener>>,
        transport: Transport,
    ) -> Self {
        let idle = listener
            .as_ref()
            .map_or(Duration::ZERO, |listener| listener.idle());
        let paused = listener.as_ref().is_some_and(|listener| listener.holds());
        Self {
            id,
            role,
            thread,
            listener,
            unread: AtomicUsize::new(0),
            reading: AtomicBool::new(false),
            state: Mutex::new(State {
                proto: proto::Connection::new(role, config),
                transport,
                lending: Lending::None,
                output: Output::default(),
                writing: false,
                flying: 0,
                in_flight: 0,
                blocked: false,
                carry: Vec::new(),
                held: false,
                preceding: Vec::new(),
                raw: false,
                tapped: false,
                asked: role == proto::Role::Server,
                expected: false,
                broken: None,
                paused,
                eof: false,
                fin: false,
                fin_sent: false,
                ending: Ending::None,
                closed: false,
                lost: 0,
                failure: None,
                notify_drain: false,
                attention: false,
                task: None,
                timing: Timing::new(Instant::now(), idle),
                virgin: true,
                bytes_read: 0,
                bytes_written: 0,
            }),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // After a panic under the lock the state may be half changed; the driver of this connection closes it
        // (see `io_thread::guarded`), so going on with what is there harms nobody else.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn thread(&self) -> Option<&Arc<Shared>> {
        self.thread.as_ref()
    }

    // What JavaScript asks for besides; what it says is in `send.rs`.

    /// Limits for the messages to come.
    pub(crate) fn configure(&self, config: proto::Config) {
        self.lock().proto.configure(config);
    }

    /// DRAIN follows the flush that leaves nothing to write. True: what is there counts as taken, and there will be
    /// no DRAIN.
    pub(crate) fn notify_drain(&self) -> bool {
        let mut state = self.lock();
        let accepted = !state.blocked && !state.closed && state.output.accept();
        state.notify_drain |= !accepted;
        accepted
    }

    pub(crate) fn pause(&self) {
        self.lock().paused = true;
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.lock().paused
    }

    pub(crate) fn resume(&self) {
        let mut state = self.lock();
        state.attention |= state.paused;
        state.paused = false;
    }

    pub(crate) fn shutdown(&self) {
        let mut state = self.lock();
        state.fin = true;
        state.attention = true;
    }

    pub(crate) fn close(&self) {
        self.end(Ending::AfterOutput);
    }

    /// Ends the connection at once. What counts as taken still reaches the peer: see `linger`.
    ///
    /// The peer learns of it in this call, as where sockets close in the call: it may be about to use the connection
    /// again, or to hear of something else first. Not so where something is on its way out, or waits to be read and
    /// would not be: the peer then learns of that when the socket closes, by RST.
    pub(crate) fn destroy(&self) {
        let quiet = {
            let state = self.lock();
            let quiet = state.output.is_empty() && !state.writing && !state.fin_sent;
            quiet.then(|| state.transport.clone())
        };
        if let Some(transport) = quiet
            && let Some(socket) = transport.socket()
            && !staleness::has_unread(socket)
        {
            // A socket that is not connected any more has told its peer already.
            let _ = socket.shutdown(Shutdown::Write);
        }
        self.end(Ending::Now);
    }

    pub(crate) fn reset(&self) {
        self.end(Ending::Reset);
    }

    fn end(&self, ending: Ending) {
        let mut state = self.lock();
        state.ending = state.ending.max_with(ending);
        state.attention = true;
    }

    /// Reports TIMEOUT after this idle time; zero for never.
    pub(crate) fn set_timeout(&self, idle: Duration) {
        let mut state = self.lock();
        state.timing.idle = idle;
        state.timing.keep_alive_set = false;
        state.timing.active(Instant::now());
        state.attention = true;
    }

    /// 0 busy, 1 between messages, 2 no byte ever came.
    pub(crate) fn idleness(&self) -> i32 {
        let state = self.lock();
        if state.virgin {
            2
        } else {
            i32::from(state.proto.is_idle() && state.carry.is_empty() && !state.raw)
        }
    }

    pub(crate) fn bytes_read(&self) -> u64 {
        self.lock().bytes_read
    }

    /// All that was said, whether it has left or not.
    pub(crate) fn bytes_said(&self) -> u64 {
        let state = self.lock();
        state.bytes_written + (state.flying + state.output.len() + state.lost) as u64
    }

    /// Our end of the socket, from the beginning of the dial on.
    pub(crate) fn local_address(&self) -> Option<SockAddr> {
        if let Transport::Dialled(dial) = self.transport()
            && let Some(address) = dial.local_address()
        {
            return address.ok();
        }
        match self.transport() {
            Transport::Refused(address) => Some(*address),
            transport => transport.socket()?.local_addr().ok(),
        }
    }

    pub(crate) fn peer_address(&self) -> Option<SockAddr> {
        self.transport().socket()?.peer_addr().ok()
    }

    /// The socket, while there is one.
    pub(crate) fn transport(&self) -> Transport {
        self.lock().transport.clone()
    }

    // Driver two, and tapped connections.

    /// Parses what the JS stream brought; `None` at its end. There nothing is held back.
    pub(crate) fn receive(&self, packet: Option<&[u8]>, batch: &mut Batch) {
        let mut state = self.lock();
        let now = Instant::now();
        match packet {
            Some(packet) => {
                let carry = std::mem::take(&mut state.carry);
                if !carry.is_empty() {
                    self.parse(&mut state, &carry, batch, now);
                }
                if !packet.is_empty() {
                    self.parse(&mut state, packet, batch, now);
                }
            }
            None => self.parse_eof(&mut state, batch),
        }
    }

    /// What must be written to the JS stream.
    pub(crate) fn take_output(&self) -> Vec<u8> {
        self.lock().output.take_all()
    }

    // The event queue.

    /// `len` body bytes go into the event queue.
    pub(super) fn queued(&self, len: usize) {
        self.unread.fetch_add(len, Ordering::Relaxed);
    }

    /// `len` body bytes reached JavaScript. True if reading had stopped for them and may go on.
    pub(crate) fn delivered(&self, len: usize) -> bool {
        let before = self.unread.fetch_sub(len, Ordering::Relaxed);
        if before < WINDOW || before - len >= WINDOW {
            return false;
        }
        self.lock().attention = true;
        true
    }

    pub(super) fn window_is_open(&self) -> bool {
        self.unread.load(Ordering::Relaxed) < WINDOW
    }

    // The life of the socket.

    /// The dialled socket.
    pub(super) fn opened(&self, socket: Arc<AsyncFd<Socket>>) {
        self.lock().transport = Transport::Reactor(socket);
    }

    /// There is no socket, and there will be none.
    pub(super) fn failed(&self) {
        drop(self.lock().close());
    }

    /// Reports a message that takes too long.
    pub(super) fn expire(
        &self,
        now: Instant,
        headers: Duration,
        request: Duration,
        queue: &EventQueue,
    ) {
        let mut state = self.lock();
        if let Some(deadline) = state.timing.expire(now, headers, request) {
            queue.push(Event::Expired {
                id: self.id,
                deadline,
            });
        }
    }
}

/// An I/O error as libuv numbers it: negative errno.
pub(crate) fn errno(error: &io::Error) -> i32 {
    // EIO for the few errors that std makes up without an errno.
    -error.raw_os_error().unwrap_or(5)
}
