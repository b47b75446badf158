//! One connection, as its two threads share it: the I/O thread that owns the socket and the JS thread that
//! speaks on it.
//!
//! Both change the [`State`] under the connection's lock (`state.rs` says what follows from it). Commands of the JS thread
//! take effect here at once (`send.rs` frames a response straight into the output); the flush (`flush.rs`) then writes, on
//! whichever thread it is called.

use std::io;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http_native_proto as proto;
use socket2::{SockAddr, Socket};

use super::batch::Batch;
use super::event::{Event, EventQueue};
use super::input::Mode;
use super::io_thread::Shared;
use super::lending::Transport;
use super::listener::Listener;
use super::staleness;
use super::state::{Ending, Fin, Notice, State, TAKEN_MAX};

/// Bytes of events, bodies and heads included, that may wait for the JS thread, a connection; reading and parsing stop
/// above. Eight reads: with four, the two threads of an upload mostly wait for each other.
// Small in tests, where it must fill.
pub(crate) const WINDOW: usize = if cfg!(test) { 512 } else { 512 * 1024 };

/// Events that one call of [`Connection::receive`] gives at most, or a few more.
pub(super) const EVENTS_A_CALL: usize = 512;

pub(crate) struct Connection {
    pub(crate) id: u32,
    pub(super) role: proto::Role,
    /// The I/O thread that owns the socket; none for driver two.
    thread: Option<Arc<Shared>>,
    pub(super) listener: Option<Arc<Listener>>,
    /// What its events in the queue weigh.
    unread: AtomicUsize,
    /// The I/O thread reads, or has not told yet what it read.
    pub(super) reading: AtomicBool,
    /// JavaScript asks by itself, at the end of its tick, whether what it waits for was taken: no DRAIN before. Changed by
    /// its thread alone, with the state locked, so that the I/O thread finds it as it was with the notice.
    pub(super) asks: AtomicBool,
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
            asks: AtomicBool::new(false),
            state: Mutex::new(State::new(role, config, transport, idle, paused)),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Between two holds of the lock the other thread may do anything.
        #[cfg(test)]
        super::tests::model::step();
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

    /// Counts all that was said as taken and returns zero; or has DRAIN follow when `at` bytes, of all that was ever said,
    /// count as taken, and returns that number. Zero for `at` is all that has been said. With `asks` the caller asks at
    /// the end of its tick ([`Connection::write_now`]), and DRAIN follows only behind that.
    pub(crate) fn take(&self, at: u64, asks: bool) -> u64 {
        let mut state = self.lock();
        if state.take() {
            return 0;
        }
        let at = if at == 0 { state.said() } else { at };
        state.notice = match state.notice {
            Notice::Taken(before) if before <= at => Notice::Taken(before),
            _ => Notice::Taken(at),
        };
        // What no thread can have taken in time: more in one tick than may count. A rest of earlier ticks is the I/O
        // thread's, which is behind, and whose work this thread must not take over.
        if asks && state.output.since_cork() > TAKEN_MAX {
            self.asks.store(true, Ordering::Relaxed);
        }
        at
    }

    /// Is JavaScript about to ask what was taken? Then what waits is written on its thread.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.asks.load(Ordering::Relaxed)
    }

    /// Is there room for more? If not, DRAIN follows when there is. Nobody is told that what waits was taken.
    pub(crate) fn has_room(&self) -> bool {
        let mut state = self.lock();
        let has_room = state.has_room();
        if !has_room && state.notice == Notice::None {
            state.notice = Notice::Room;
        }
        has_room
    }

    /// How many bytes, of all that was ever said, count as taken.
    pub(crate) fn taken(&self) -> u64 {
        self.lock().taken()
    }

    /// The process is held for as long as the connection is being made or something waits to be written: is that so?
    /// Then REST follows.
    pub(crate) fn is_working(&self) -> bool {
        let mut state = self.lock();
        let works = !state.is_over() && (state.connecting || !state.is_written());
        state.tells_rest |= works;
        works
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

    /// Ends our side when all output is written. With `tells` FIN follows, behind what was read before it went out.
    pub(crate) fn shutdown(&self, tells: bool) {
        let mut state = self.lock();
        if state.is_over() {
            // CLOSED tells.
            return;
        }
        if tells && state.fin == Fin::Sent {
            self.tell_fin();
        } else {
            state.tells_fin |= tells;
        }
        if state.fin == Fin::None {
            state.fin = Fin::Wanted;
        }
    }

    pub(super) fn tell_fin(&self) {
        if let Some(thread) = self.thread() {
            thread.queue.push(Event::Fin { id: self.id });
        }
    }

    pub(crate) fn close(&self) {
        self.end(Ending::AfterOutput);
    }

    /// Waits something that was read for JavaScript to look at it?
    pub(crate) fn is_unheard(&self) -> bool {
        self.unread.load(Ordering::Relaxed) > 0
    }

    /// Ends the connection at once. What counts as taken still reaches the peer: see `linger`.
    ///
    /// The peer learns of it in this call, as where sockets close in the call: it may be about to use the connection
    /// again, or to hear of something else first. Not so where something is on its way out, or waits to be read and
    /// would not be: the peer then learns of that when the socket closes, by RST. With `unheard` JavaScript has been given
    /// more of what was read, and will not look at it: where sockets are read in the loop, the kernel still has that.
    pub(crate) fn destroy(&self, unheard: bool) {
        if unheard && self.role == proto::Role::Server && self.lock().is_refused() {
            self.end(Ending::Reset);
            return;
        }
        if self.has_output() {
            // Where sockets are written in the call, the kernel has what was said before.
            self.flush_from_js();
            self.take(0, false);
        }
        let quiet = {
            let state = self.lock();
            let quiet = state.is_written() && state.fin != Fin::Sent;
            if quiet { state.socket() } else { None }
        };
        if let Some(socket) = quiet
            && !staleness::has_unread(&socket)
        {
            // A socket that is not connected any more has told its peer already.
            let _ = socket.shutdown(Shutdown::Write);
        }
        self.end(Ending::Now);
    }

    pub(crate) fn reset(&self) {
        if self.has_output() {
            // As for `destroy`: what was written in the call has left before the RST.
            self.flush_from_js();
        }
        self.end(Ending::Reset);
    }

    fn end(&self, ending: Ending) {
        self.lock().end(ending);
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
            i32::from(
                state.proto.is_idle() && state.input.is_empty() && state.input.mode != Mode::Raw,
            )
        }
    }

    pub(crate) fn bytes_read(&self) -> u64 {
        self.lock().bytes_read
    }

    /// All that was said, whether it has left or not.
    pub(crate) fn bytes_said(&self) -> u64 {
        self.lock().said()
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

    /// Is, or was, it a Unix socket?
    pub(crate) fn is_unix(&self) -> bool {
        let address = self.local_address();
        address.map_or_else(|| self.lock().was_unix, |address| address.is_unix())
    }

    pub(crate) fn peer_address(&self) -> Option<SockAddr> {
        self.transport().socket()?.peer_addr().ok()
    }

    /// The socket, while there is one.
    pub(crate) fn transport(&self) -> Transport {
        self.lock().transport.clone()
    }

    // Driver two, and tapped connections.

    /// Parses what the JS stream brought, behind what waits; `None` at its end. True: as many events as one call gives
    /// were made and more is there; the caller asks again, with nothing, when it has told of these.
    pub(crate) fn receive(&self, packet: Option<&[u8]>, batch: &mut Batch) -> bool {
        let mut state = self.lock();
        match packet {
            Some(packet) => {
                if !packet.is_empty() {
                    state.virgin = false;
                    state.input.push(packet);
                }
                self.parse_waiting(&mut state, batch, Instant::now());
                self.has_more(&state, batch)
            }
            None => {
                self.parse_eof(&mut state, batch);
                false
            }
        }
    }

    // The event queue.

    /// Events of this weight go into the queue.
    pub(super) fn queued(&self, weight: usize) {
        if let Some(thread) = &self.thread {
            self.unread.fetch_add(weight, Ordering::Relaxed);
            thread.queue.wake.add(weight);
        }
    }

    /// Events of this weight reached JavaScript. True if reading had stopped for them and may go on.
    pub(crate) fn delivered(&self, weight: usize) -> bool {
        let Some(thread) = &self.thread else {
            return false;
        };
        thread.queue.wake.subtract(weight);
        let before = self.unread.fetch_sub(weight, Ordering::Relaxed);
        if before < WINDOW || before - weight >= WINDOW {
            return false;
        }
        self.lock().attention = true;
        true
    }

    /// Has JavaScript room for more events of this connection?
    pub(super) fn has_window(&self) -> bool {
        self.unread.load(Ordering::Relaxed) < WINDOW
            && self
                .thread
                .as_ref()
                .is_none_or(|thread| !thread.queue.wake.is_full())
    }

    /// Too much waits for JavaScript in all, and the connection is told when there is room. False: there is.
    pub(super) fn waits_for_room(self: &Arc<Self>) -> bool {
        let Some(thread) = &self.thread else {
            return false;
        };
        let mut state = self.lock();
        state.starving = state.starving || thread.queue.wake.wait_for_room(self);
        state.starving
    }

    /// There is room for its events again; the I/O thread is to attend.
    pub(crate) fn relieve(&self) {
        let mut state = self.lock();
        state.starving = false;
        state.attention = true;
    }

    // The life of the socket.

    /// The dialled socket.
    pub(super) fn opened(&self, socket: Arc<Socket>) {
        self.lock().transport = Transport::Socket(socket);
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
