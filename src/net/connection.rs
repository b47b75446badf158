//! One connection, as its two threads share it: the I/O thread that owns the socket and the JS thread that
//! speaks on it.
//!
//! Both change the [`State`] under the connection's lock (`state.rs` says what follows from it). Commands of the JS
//! thread take effect here at once (`send.rs` frames a response straight into the output); the flush (`flush.rs`) then
//! writes, on whichever thread it is called.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_native_proto as proto;
use socket2::SockAddr;

use super::event::BROKEN;
use super::input::Mode;
use super::limits::TAKEN_MAX;
use super::metered::Metered;
use super::options::ServerOptions;
use super::server_limits::{Account, ServerLimits};
use super::state::{Flow, Notice, State};
use super::stats::{self, Close, Stats, Timeout};
#[cfg(test)]
use super::tests::model;
use super::transport::{Lending, Transport};
use super::{batch, clock, event, queue};
use crate::panics::{self, Place};

pub(crate) type Event = event::Event<Connection>;
pub(crate) type Batch = batch::Batch<Connection>;
pub(crate) type EventQueue = queue::EventQueue<Connection>;
pub(crate) type Wake = queue::Wake<Connection>;

/// Connections that exist in the process: those that anything still refers to.
static ALIVE: AtomicUsize = AtomicUsize::new(0);

pub(crate) struct Connection {
    pub(crate) id: u32,
    pub(super) role: proto::Role,
    /// Of the I/O thread that owns the socket; none for driver two.
    queue: Option<Arc<EventQueue>>,
    pub(super) server: Option<Arc<ServerOptions>>,
    /// Of its server, or of its agent.
    pub(super) stats: Arc<Stats>,
    /// Of its server, if that has limits.
    pub(super) limits: Option<Arc<ServerLimits>>,
    /// What its events in the queue weigh (`room.rs`).
    pub(super) unread: AtomicUsize,
    /// The driver has read up to the narrow window, and waits for room in that.
    pub(super) is_narrowed: AtomicBool,
    /// Heads among them, while there are limits.
    pub(super) unseen: AtomicUsize,
    /// The I/O thread is reading: what it read from the kernel may not be in the state yet.
    pub(super) reading: AtomicBool,
    /// JavaScript takes the socket: the I/O thread begins no read. Changed by the JS thread alone.
    pub(super) is_wanted: AtomicBool,
    /// JavaScript asks by itself, at the end of its tick, whether what it waits for was taken: no DRAIN before. Changed
    /// by its thread alone, with the state locked, so that the I/O thread finds it as it was with the notice.
    pub(super) asks: AtomicBool,
    /// An I/O thread drives it, or is about to (`undriven.rs`). Changed by the JS thread alone.
    pub(super) is_driven: AtomicBool,
    /// What was said is left to the I/O thread, which has not begun to write it. Changed by either thread, without the lock: it
    /// decides only which thread writes.
    pub(super) is_left: AtomicBool,
    state: Mutex<State>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::Relaxed);
        if let Some(limits) = &self.limits {
            limits.seen(*self.unseen.get_mut());
        }
    }
}

impl Connection {
    pub(crate) fn new(
        id: u32,
        role: proto::Role,
        config: proto::Config,
        queue: Option<Arc<EventQueue>>,
        server: Option<Arc<ServerOptions>>,
        stats: Arc<Stats>,
        transport: Transport,
    ) -> Self {
        stats.opened();
        let idle = server
            .as_ref()
            .map_or(Duration::ZERO, |server| server.idle());
        let paused = server.as_ref().is_some_and(|server| server.holds());
        let limits = server.as_ref().and_then(|server| server.limits.clone());
        let mut state = State::new(role, config, transport, idle, paused);
        state.metered = Metered::new(limits.is_some());
        ALIVE.fetch_add(1, Ordering::Relaxed);
        Self {
            id,
            role,
            queue,
            server,
            stats,
            limits,
            unread: AtomicUsize::new(0),
            is_narrowed: AtomicBool::new(false),
            unseen: AtomicUsize::new(0),
            reading: AtomicBool::new(false),
            is_wanted: AtomicBool::new(false),
            asks: AtomicBool::new(false),
            is_driven: AtomicBool::new(true),
            is_left: AtomicBool::new(false),
            state: Mutex::new(state),
        }
    }

    /// A connection whose bytes belong to a stream of JavaScript's (driver two).
    pub(crate) fn over_stream(
        id: u32,
        role: proto::Role,
        config: proto::Config,
        stats: Arc<Stats>,
    ) -> Self {
        Self::new(id, role, config, None, None, stats, Transport::None)
    }

    /// Sets the limits of the server that a connection over a stream is of.
    pub(crate) fn limit(&mut self, limits: Option<Arc<ServerLimits>>) {
        self.lock().metered = Metered::new(limits.is_some());
        self.limits = limits;
    }

    /// How many connections exist in the process.
    pub(crate) fn alive() -> usize {
        ALIVE.load(Ordering::Relaxed)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // While the state is not locked the other thread may do anything.
        #[cfg(test)]
        model::step();
        // After a panic under the lock the state may be half changed; the driver of this connection closes it
        // (see `worker::ends_soundly`), so going on with what is there harms no other.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The id of the listener that it came to; none for a client's, and for driver two.
    pub(crate) fn listener(&self) -> Option<u32> {
        self.server.as_ref().map(|server| server.id)
    }

    /// Where its events go; none for driver two.
    pub(crate) fn queue(&self) -> Option<&Arc<EventQueue>> {
        self.queue.as_ref()
    }

    /// The place of the I/O thread that owns the socket among those of the environment; none for driver two.
    pub(crate) fn thread(&self) -> Option<usize> {
        self.queue.as_ref().map(|queue| queue.thread)
    }

    // What JavaScript asks for besides; what it says is in `send.rs`, and how it ends the connection in `ending.rs`.

    /// Limits for the messages to come.
    pub(crate) fn configure(&self, config: proto::Config) {
        self.lock().proto.configure(config);
    }

    /// Gives what was let through although the RFCs forbid it, since the last call.
    pub(crate) fn take_noted(&self) -> Vec<proto::Row> {
        self.lock().proto.take_noted()
    }

    /// Counts all that was said as taken and returns 0, if the rule allows it ([`State::take`]). Otherwise DRAIN
    /// follows when `at` bytes, of all that was ever said, count as taken, and that number is returned; 0 for `at` is
    /// all that has been said. With `asks` the caller asks at the end of its tick ([`Connection::write_now`]), and
    /// DRAIN follows only behind that.
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
        // What no thread can have taken in time: more in one tick, or in those of this turn, than may count. A rest of earlier
        // turns is the I/O thread's, which is behind, and whose work this thread must not do.
        let is_new = state.flow == Flow::Open && !self.is_left.load(Ordering::Relaxed);
        let said = if is_new {
            state.output.len()
        } else {
            state.output.since_cork()
        };
        if asks && said > TAKEN_MAX {
            self.asks.store(true, Ordering::Relaxed);
        }
        at
    }

    /// Has the I/O thread write what was said, of which it is about to be told.
    pub(super) fn leave_to_thread(&self) {
        self.is_left.store(true, Ordering::Relaxed);
    }

    /// True if JavaScript is about to ask what was taken. Then what waits is written on its thread.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.asks.load(Ordering::Relaxed)
    }

    /// True if there is room for more. If not, DRAIN follows when there is; it does not tell that anything was taken.
    pub(crate) fn has_room(&self) -> bool {
        let mut state = self.lock();
        let has_room = state.has_room();
        if !has_room && state.notice == Notice::None {
            state.notice = Notice::Room;
        }
        has_room
    }

    /// True if anything is there for the kernel.
    pub(crate) fn has_output(&self) -> bool {
        !self.lock().is_written()
    }

    /// How many bytes, of all that was ever said, count as taken.
    pub(crate) fn taken(&self) -> u64 {
        self.lock().taken()
    }

    /// True if something waits to be written, which keeps the process alive. REST follows then.
    pub(crate) fn is_working(&self) -> bool {
        let mut state = self.lock();
        let works = !state.is_over() && !state.is_written();
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
        // What waits is a duty, whichever thread has the socket; reading on is for the one that has it.
        state.attention |= state.paused && state.lending != Lending::Lent;
        state.paused = false;
    }

    /// Reports TIMEOUT after this idle time; zero for never.
    pub(crate) fn set_timeout(&self, idle: Duration) {
        let mut state = self.lock();
        state.timing.set_idle(idle, clock::now());
        state.attention = true;
    }

    /// 0 if a message is under way, 1 between messages, 2 if no byte ever came.
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

    pub(crate) fn local_address(&self) -> Option<SockAddr> {
        match self.transport() {
            Transport::Socket(socket) => socket.local_addr().ok(),
            Transport::None => self.lock().ends.local.map(SockAddr::from),
        }
    }

    /// Notes that its socket is one of TCP, so that nothing has to ask.
    pub(crate) fn note_tcp(&self) {
        self.lock().is_tcp = true;
    }

    /// The same, of one that came from this address.
    pub(crate) fn note_peer(&self, peer: SocketAddr) {
        let mut state = self.lock();
        state.is_tcp = true;
        state.ends.peer = Some(peer);
    }

    /// True if it is, or was, a Unix socket.
    pub(crate) fn is_unix(&self) -> bool {
        let address = self.local_address();
        address.map_or_else(|| self.lock().ends.were_unix, |address| address.is_unix())
    }

    pub(crate) fn peer_address(&self) -> Option<SockAddr> {
        match self.transport() {
            Transport::Socket(socket) => socket.peer_addr().ok(),
            Transport::None => self.lock().ends.peer.map(SockAddr::from),
        }
    }

    /// The socket, while there is one.
    pub(crate) fn transport(&self) -> Transport {
        self.lock().transport.clone()
    }

    /// What its events in the queue weigh, bytes.
    pub(super) fn unread(&self) -> usize {
        self.unread.load(Ordering::Relaxed)
    }

    // The stats.

    /// Notes why the connection is about to be closed, where it does not show in what comes and goes here.
    pub(crate) fn note_close(&self, close: Close) {
        if self.queue.is_none() {
            // The stream's time is JavaScript's to watch.
            match close.reason {
                stats::IDLE => self.stats.timed_out(Timeout::Idle),
                stats::KEEP_ALIVE => self.stats.timed_out(Timeout::KeepAlive),
                stats::HEADERS_TIMEOUT => self.stats.timed_out(Timeout::Headers),
                stats::REQUEST_TIMEOUT => self.stats.timed_out(Timeout::Request),
                _ => {}
            }
        }
        self.lock().close_noted = Some(close);
    }

    /// Why it was closed, or would be if it were now.
    pub(crate) fn close_reason(&self) -> Close {
        let state = self.lock();
        state.close_noted.unwrap_or_else(|| state.close_reason())
    }

    /// Brings the sums of the server up to date with this connection. Called where its bytes or requests change, with the state
    /// locked.
    #[inline]
    pub(super) fn account(&self, state: &mut State) {
        if let Some(limits) = &self.limits {
            self.account_for(limits, state);
        }
    }

    #[inline(never)]
    fn account_for(&self, limits: &ServerLimits, state: &mut State) {
        let now = if state.close_counted {
            Account::default()
        } else {
            Account {
                requests: state.exchanges.len(),
                bytes: self.unread() + state.input.len() + state.output_len(),
            }
        };
        let before = std::mem::replace(&mut state.metered.account, now);
        limits.account(before, now);
    }

    /// Counts the end of the connection, once, and of the exchanges that it ends.
    pub(super) fn count_close(&self, state: &mut State, close: Close) {
        if !std::mem::replace(&mut state.close_counted, true) {
            state.close_noted = Some(close);
            state.exchanges.close(clock::now(), &self.stats);
            self.stats.closed(close);
            self.account(state);
        }
    }

    /// Counts the end of a connection that JavaScript lets go of, if that is its end: its stream has closed, or left HTTP.
    /// `written` is what the stream has written in all.
    pub(crate) fn released(&self, written: u64) {
        let mut state = self.lock();
        panics::at(Place::Release);
        self.count_written(&mut state, written);
        let close = state.close_reason();
        self.count_close(&mut state, close);
    }

    /// Counts what the stream of a driver two has written since the last time; `written` bytes in all.
    pub(super) fn count_written(&self, state: &mut State, written: u64) {
        if self.queue.is_none() && written > state.bytes_written {
            self.stats.sent(written - state.bytes_written);
            state.bytes_written = written;
        }
    }

    // The life of the socket.

    /// Ends the connection without its driver, which met a bug.
    pub(super) fn failed(&self) {
        let mut state = self.lock();
        self.count_close(&mut state, Close::for_error(BROKEN));
        drop(state.close());
    }
}
