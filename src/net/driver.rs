//! The driver of one connection: socket readiness and deadlines on one side, proto and the event queue on the
//! other. One tokio task each; everything it knows beyond the timer is in the connection's shared state.

use std::cell::RefCell;
use std::future::Future;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use socket2::Socket;
use tokio::time::Sleep;

use super::batch::{READ, ReadBuffer, read_buffer};
use super::clock;
use super::connection::{Connection, Event};
use super::event::Syscall;
use super::limits::READS_PER_TURN;
use super::line::InLine;
use super::linger;
use super::reactor::{self, ReadReadiness, Registered};
use super::shared::Shared;
use super::socket::{Unread, errno, peek, send_fin};
use super::state::{Duty, Ending, Fin, Flow, State};
use super::stats::Timeout;
#[cfg(test)]
use super::tests::model::{self, Fault};
use super::transport::Lending;
use super::waiting;
use crate::panics::{self, Place};

thread_local! {
    /// One read buffer an I/O thread: an idle connection has none.
    static SCRATCH: RefCell<ReadBuffer> = RefCell::new(read_buffer());
}

pub(super) struct Driver {
    connection: Arc<Connection>,
    shared: Arc<Shared>,
    /// None while the socket is lent.
    socket: Option<Registered>,
    timer: Option<Pin<Box<Sleep>>>,
    timer_at: Instant,
    readiness: ReadReadiness,
    /// Something was not done in this poll, since JavaScript had no room for it.
    lacked_room: bool,
    /// In the line of connections that wait for the limits of the server.
    place: Option<InLine>,
}

/// The connection has ended, which this event, CLOSED, is to tell.
struct Finished(Event);

impl Driver {
    pub(super) fn new(
        connection: Arc<Connection>,
        shared: Arc<Shared>,
        socket: Option<Registered>,
    ) -> Self {
        Self {
            connection,
            shared,
            socket,
            timer: None,
            timer_at: clock::now(),
            readiness: ReadReadiness::default(),
            lacked_room: false,
            place: None,
        }
    }

    /// Lets go of the socket; [`linger`] does what is left to do with it. The callers may have it, too: it is closed when they have
    /// returned, and only then JavaScript may be told.
    fn finish(&mut self, state: MutexGuard<'_, State>) -> Finished {
        let over = self.connection.finish(state);
        let closed = over.closed(self.connection.id);
        if let Some(socket) = over.socket {
            linger::leave(&self.shared, socket, self.socket.take(), over.leave);
        }
        #[cfg(test)]
        model::tells_early(&self.shared, &closed);
        Finished(closed)
    }

    fn fail(&mut self, error: &io::Error, syscall: Syscall) -> Finished {
        let connection = Arc::clone(&self.connection);
        let mut state = connection.lock();
        state.end(Ending::Failed(errno(error), syscall));
        self.finish(state)
    }

    /// Does its duties until none is left: registers a returned socket or lends it, parses what waited, sends FIN.
    /// `Err(Finished)` once the connection has ended.
    fn act(&mut self) -> Result<(), Finished> {
        let connection = Arc::clone(&self.connection);
        loop {
            let mut state = connection.lock();
            state.attention = false;
            panics::at(Place::Act);
            let has_window = connection.has_window();
            self.lacked_room |= waiting::lacks(has_window);
            match state.duty(has_window && !connection.is_held(&state)) {
                Duty::Rest => return Ok(()),
                Duty::TakeBack => self.take_back(&mut state),
                Duty::Finish => return Err(self.finish(state)),
                Duty::Parse => {
                    let mut batch = self.shared.queue.lock();
                    connection.parse_waiting(&mut state, &mut batch, clock::now());
                }
                Duty::Fin => {
                    let socket = state.socket();
                    if state.reads_before_fin() && connection.has_window() {
                        drop(state);
                        if let Some(socket) = socket {
                            self.read_on(&socket);
                        }
                        continue;
                    }
                    state.fin = Fin::Sent;
                    if std::mem::take(&mut state.tells_fin) {
                        connection.tell_fin();
                    }
                    drop(state);
                    if let Some(socket) = socket {
                        send_fin(&socket);
                    }
                }
                Duty::EndCut => {
                    connection.end_cut(&mut state);
                    // What was said is written before anything else is done.
                    if !state.is_written() {
                        return Ok(());
                    }
                }
                Duty::Lend => {
                    self.lend(&mut state);
                    // The caller may have the socket on the reactor: it cannot be put back before that is let go.
                    return Ok(());
                }
            }
        }
    }

    /// Lends the socket to the JS thread, unless there is anything left to do here, or too much is ahead of LENT, which tells
    /// either.
    fn lend(&mut self, state: &mut State) {
        let connection = &self.connection;
        state.lending = Lending::None;
        if state.is_plain()
            && connection.is_within_limits(state)
            && !self.shared.queue.wake.is_behind()
        {
            // Removes the socket from the reactor. What arrives in between stays readable for the event loop.
            self.socket = None;
            state.lending = Lending::Lent;
            if connection.loan_begins(state)
                && let Some(limits) = &connection.limits
            {
                tokio::spawn(Arc::clone(&limits.loans).watch());
            }
        }
        self.shared.queue.push(Event::Lent {
            id: self.connection.id,
        });
    }

    fn take_back(&mut self, state: &mut State) {
        state.lending = Lending::None;
        if self.socket.is_some() {
            // Returned before it was lent.
            return;
        }
        let Some(socket) = state.socket() else {
            return;
        };
        match reactor::register(socket) {
            Ok(socket) => self.socket = Some(socket),
            Err(error) => state.end(Ending::Failed(errno(&error), Syscall::Read)),
        }
    }

    /// Reads once, and appends what that brought to the event queue. Returns the number of bytes; 0 is the end of the
    /// stream.
    fn read(&self, socket: &Socket) -> io::Result<usize> {
        self.connection.reading.store(true, Ordering::SeqCst);
        let result = SCRATCH.with_borrow_mut(|scratch| {
            // Asked behind the note that this thread reads: one of the two threads sees the other's.
            if self.connection.is_wanted.load(Ordering::SeqCst) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let len = (&*socket).read(&mut scratch[..])?;
            let mut state = self.connection.lock();
            let now = clock::now();
            state.timing.active(now);
            state.bytes_read += len as u64;
            self.connection.stats.received(len);
            state.filled = len == READ;
            let mut batch = self.shared.queue.lock();
            if len == 0 {
                state.eof = true;
                self.connection.receive_eof(&mut state, &mut batch);
            } else {
                batch.read(scratch, len, |batch, packet| {
                    self.connection
                        .receive_packet(&mut state, packet, batch, now);
                });
            }
            Ok(len)
        });
        self.connection.reading.store(false, Ordering::SeqCst);
        result
    }

    /// Reads what the kernel has before FIN goes out, for as long as reads fill their buffer (libuv's `uv__read`).
    fn read_on(&self, socket: &Socket) {
        for _ in 0..READS_PER_TURN {
            let fills = matches!(self.read(socket), Ok(READ));
            if !fills {
                break;
            }
        }
        // Of an error the reactor tells, and more than that is read with what comes later.
        self.connection.lock().filled = false;
    }

    /// Reads until there is no more, no more is wanted, or other connections should be read.
    fn poll_read(
        &mut self,
        socket: &Registered,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Finished>> {
        for _ in 0..READS_PER_TURN {
            if !self.may_read() {
                return self.poll_hang_up(socket, cx);
            }
            let readable = match ready!(self.readiness.poll_readable(socket, cx)) {
                Ok(readable) => readable,
                Err(error) => return Poll::Ready(Err(self.fail(&error, Syscall::Read))),
            };
            match self.read(socket.get_ref()) {
                // What is answered here is written at once.
                Ok(_) if self.has_answered() => {
                    return Poll::Ready(Ok(()));
                }
                Ok(READ) => self.shared.queue.publish_if_many(),
                Ok(len) => {
                    // The kernel has no more: spare the read that would say so. An end of stream stays ready.
                    self.readiness.is_drained(readable);
                    if len == 0 {
                        return Poll::Ready(Ok(()));
                    }
                }
                Err(error) => match io::Error::kind(&error) {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => self.readiness.is_drained(readable),
                    _ => return Poll::Ready(Err(self.fail(&error, Syscall::Read))),
                },
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Where answers that are owed, or limits, stop the reading, sees whether the peer has hung up. Answers do so no longer then;
    /// limits have the rest wait, but not an end behind which there is nothing: room may come only from the connections that end.
    fn poll_hang_up(
        &mut self,
        socket: &Registered,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Finished>> {
        let (is_held, has_rest) = {
            let state = self.connection.lock();
            let is_held = self.connection.awaits_limits(&state);
            if !is_held && !state.awaits_answers() {
                return Poll::Pending;
            }
            // A packet without bytes waits where the limit was met behind the last: what it gives belongs to what was accepted.
            (is_held, state.input.has_bytes())
        };
        if let Err(error) = ready!(self.readiness.poll_hang_up(socket, cx)) {
            return Poll::Ready(Err(self.fail(&error, Syscall::Read)));
        }
        if is_held && (has_rest || peek(socket.get_ref()) == Unread::Bytes) {
            // Behind a reset no answer reaches the peer.
            return match socket.get_ref().take_error() {
                Ok(Some(error)) => Poll::Ready(Err(self.fail(&error, Syscall::Read))),
                Ok(None) | Err(_) => Poll::Pending,
            };
        }
        let mut state = self.connection.lock();
        state.hung_up = true;
        if is_held {
            state.metered.has_only_end = true;
        }
        Poll::Ready(Ok(()))
    }

    /// True if bytes may be read, of which JavaScript has room for what they mean.
    fn may_read(&mut self) -> bool {
        let connection = &self.connection;
        let mut state = connection.lock();
        let has_room = connection.has_room_to_read();
        if !has_room {
            connection.await_narrow_room();
        }
        // The last read may have filled the room, with a rest behind it, though there is some again by now.
        let has_rest = state.duty(true) == Duty::Parse && !connection.is_held(&state);
        #[cfg(test)]
        let has_rest = has_rest && !model::is_put_back(Fault::RestUnseen);
        self.lacked_room |= waiting::lacks(has_room) || has_rest;
        let may_read = state.may_read() && has_room && !connection.is_held(&state);
        if connection.limits.is_some() {
            state.metered.note_reading(may_read);
        }
        may_read
    }

    /// True if the last read has led to an answer, or an end, of this thread's own.
    fn has_answered(&self) -> bool {
        if self.connection.limits.is_none() {
            return false;
        }
        std::mem::take(&mut self.connection.lock().metered.has_acted)
    }

    /// Looks at the limits that are times: when to look next, unless one was over, which the driver then acts on.
    fn check_pace(&self, state: &mut State, now: Instant, cx: &Context<'_>) -> Option<Instant> {
        match self.connection.check_pace(state, now) {
            Ok(next) => next,
            Err(hit) => {
                let mut batch = self.shared.queue.lock();
                self.connection.cut(state, hit, &mut batch);
                cx.waker().wake_by_ref();
                None
            }
        }
    }

    /// Arms the timer if a deadline lies before it, and reports the deadline that passed.
    fn poll_timer(&mut self, cx: &mut Context<'_>) {
        loop {
            let now = clock::now();
            let deadline = {
                let mut state = self.connection.lock();
                let pace = self.check_pace(&mut state, now, cx);
                let idle = match state.timing.idle_deadline() {
                    Some(deadline) if deadline <= now => {
                        panics::at(Place::Timer);
                        state.timing.timed_out = true;
                        self.connection
                            .stats
                            .timed_out(if state.timing.is_keep_alive() {
                                Timeout::KeepAlive
                            } else {
                                Timeout::Idle
                            });
                        self.shared.queue.push(Event::Timeout {
                            id: self.connection.id,
                        });
                        continue;
                    }
                    None => self.earliest(state.timing.rearmed(now), now),
                    other => self.earliest(other, now),
                };
                match (idle, pace) {
                    (Some(idle), Some(pace)) => Some(idle.min(pace)),
                    (idle, pace) => idle.or(pace),
                }
            };
            let Some(deadline) = deadline else { return };
            match &mut self.timer {
                // A deadline that moved away costs nothing: the timer fires early and looks again.
                Some(timer) if self.timer_at <= deadline => {
                    if timer.as_mut().poll(cx).is_pending() {
                        return;
                    }
                    timer.as_mut().reset(deadline.into());
                }
                Some(timer) => timer.as_mut().reset(deadline.into()),
                None => self.timer = Some(Box::pin(tokio::time::sleep_until(deadline.into()))),
            }
            self.timer_at = deadline;
        }
    }

    /// The time at which to look at the deadline again: `idle`, or before that the end of a keep-alive time that would
    /// begin now, since the JS thread ends an exchange without waking this thread.
    fn earliest(&self, idle: Option<Instant>, now: Instant) -> Option<Instant> {
        #[cfg(test)]
        if model::is_put_back(Fault::LateKeepAlive) {
            return idle;
        }
        let server = self.connection.server.as_ref();
        let keep_alive = server.map_or(Duration::ZERO, |server| server.keep_alive());
        if keep_alive.is_zero() {
            return idle;
        }
        let possible = now + keep_alive;
        Some(idle.map_or(possible, |idle| idle.min(possible)))
    }

    /// Writes, does its duties and reads until each has to wait. Ready when the connection has ended.
    fn poll_socket(&mut self, socket: &Registered, cx: &mut Context<'_>) -> Poll<Finished> {
        loop {
            // Writing first: an answer goes out before more requests come in.
            let flow = {
                let state = self.connection.lock();
                (state.flow, state.output.is_empty())
            };
            match flow {
                (Flow::Blocked, _) => match socket.poll_write_ready(cx) {
                    Poll::Ready(Ok(mut guard)) => {
                        if !self.connection.unblock() {
                            guard.clear_ready();
                            continue;
                        }
                    }
                    Poll::Ready(Err(_)) | Poll::Pending => {}
                },
                (Flow::Open, false) => {
                    self.connection.attend_output();
                    if self.connection.lock().flow == Flow::Blocked {
                        continue;
                    }
                }
                _ => {}
            }
            if let Err(finished) = self.act() {
                return Poll::Ready(finished);
            }
            if self.socket.is_none() {
                return Poll::Pending;
            }
            if self.has_answered() {
                continue;
            }
            match self.poll_read(socket, cx) {
                // End of stream: see whether that ends the connection. Or it is known to come, and what waits may be parsed.
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(finished)) => return Poll::Ready(finished),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl Driver {
    fn poll_driver(&mut self, cx: &mut Context<'_>) -> Poll<Finished> {
        {
            let mut state = self.connection.lock();
            match &mut state.task {
                Some(task) => task.clone_from(cx.waker()),
                None => state.task = Some(cx.waker().clone()),
            }
        }
        if let Err(finished) = self.act() {
            return Poll::Ready(finished);
        }
        if let Some(socket) = self.socket.clone() {
            if let Poll::Ready(finished) = self.poll_socket(&socket, cx) {
                return Poll::Ready(finished);
            }
        } else if self.connection.is_stuck() {
            // The JS thread wrote before it knew of the loan, and so through this thread.
            self.shared.queue.push(Event::Lent {
                id: self.connection.id,
            });
        }
        let has_lacked = std::mem::take(&mut self.lacked_room);
        waiting::for_room(&self.connection, has_lacked, cx);
        waiting::for_limits(&self.connection, &mut self.place, cx);
        self.poll_timer(cx);
        self.shared.queue.publish_if_many();
        self.shared.mailbox.look();
        Poll::Pending
    }
}

impl Drop for Driver {
    /// A wake in line that was not used is the next one's.
    fn drop(&mut self) {
        if let (Some(place), Some(limits)) = (&self.place, &self.connection.limits)
            && !place.leave()
        {
            limits.line.wake_next();
        }
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let driver = self.get_mut();
        let Finished(closed) = ready!(driver.poll_driver(cx));
        driver.shared.closed(driver.connection.id, closed);
        Poll::Ready(())
    }
}
