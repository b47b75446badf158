//! The driver of one connection: socket readiness and deadlines on one side, proto and the event queue on the
//! other. One tokio task each; everything it knows beyond the timer is in the connection's shared state.

use std::cell::RefCell;
use std::future::Future;
use std::io::{self, Read};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use socket2::Socket;
use tokio::io::unix::AsyncFd;
use tokio::time::Sleep;

use super::batch::{READ, ReadBuffer, read_buffer};
use super::connection::{Connection, Ending, State, errno};
use super::event::{Event, Syscall};
use super::io_thread::Shared;
use super::lending::{Lending, Transport};
use super::output::Output;
use super::{linger, reactor};

/// Reads of one connection before the others get their turn.
const READS_PER_TURN: u32 = 16;

thread_local! {
    /// One read buffer an I/O thread: an idle connection holds none.
    static SCRATCH: RefCell<ReadBuffer> = RefCell::new(read_buffer());
}

pub(super) struct Driver {
    connection: Arc<Connection>,
    shared: Arc<Shared>,
    /// None while the socket is lent.
    socket: Option<Arc<AsyncFd<Socket>>>,
    /// The dial has not been answered yet.
    connecting: bool,
    timer: Option<Pin<Box<Sleep>>>,
    timer_at: Instant,
}

/// The connection is over and CLOSED was reported.
struct Finished;

impl Driver {
    pub(super) fn new(
        connection: Arc<Connection>,
        shared: Arc<Shared>,
        socket: Arc<AsyncFd<Socket>>,
        connecting: bool,
    ) -> Self {
        Self {
            connection,
            shared,
            socket: Some(socket),
            connecting,
            timer: None,
            timer_at: Instant::now(),
        }
    }

    fn finish(&self, mut state: MutexGuard<'_, State>, errno: i32, syscall: Syscall) -> Finished {
        let reset = state.ending == Ending::Reset;
        state.bytes_written += state.output.len() as u64;
        let rest = if state.ending == Ending::Now {
            state.output.take_accepted()
        } else {
            Output::default()
        };
        let transport = state.close();
        if syscall == Syscall::Connect
            && let Some(socket) = transport.socket()
            && let Ok(local) = socket.local_addr()
        {
            state.transport = Transport::Refused(Box::new(local));
        }
        drop(state);
        linger::deliver(&transport, rest);
        if let Some(socket) = transport.socket()
            && reset
        {
            // RST instead of FIN; a failure leaves the orderly close, which is all there is to do.
            let _ = socket.set_linger(Some(Duration::ZERO));
        }
        self.shared.closed(self.connection.id, errno, syscall);
        Finished
    }

    fn poll_connect(
        &mut self,
        socket: &AsyncFd<Socket>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Finished>> {
        let result = match ready!(socket.poll_write_ready(cx)) {
            Ok(_) => socket.get_ref().take_error(),
            Err(error) => Err(error),
        };
        self.connecting = false;
        Poll::Ready(match result {
            Ok(None) => {
                let mut state = self.connection.lock();
                state.timing.active(Instant::now());
                state.attention = false;
                self.shared.queue.push(Event::Connected {
                    id: self.connection.id,
                });
                Ok(())
            }
            Ok(Some(error)) | Err(error) => {
                let state = self.connection.lock();
                Err(self.finish(state, errno(&error), Syscall::Connect))
            }
        })
    }

    /// What JavaScript wants besides writing. Ready when the connection is over.
    fn act(&mut self) -> Result<(), Finished> {
        let connection = Arc::clone(&self.connection);
        let mut state = connection.lock();
        state.attention = false;
        if state.lending == Lending::Returned {
            self.take_back(&mut state);
        }
        if state.ending >= Ending::Now {
            return Err(self.finish(state, 0, Syscall::None));
        }
        if self.connecting {
            return Ok(());
        }
        if let Some((errno, syscall)) = state.failure {
            return Err(self.finish(state, errno, syscall));
        }
        if !state.carry.is_empty() && state.may_parse() && !state.tapped {
            let carry = std::mem::take(&mut state.carry);
            let mut batch = self.shared.queue.lock();
            self.connection
                .receive_packet(&mut state, &carry, &mut batch, Instant::now());
        }
        if state.output.is_empty() && !Connection::is_writing(&state) {
            if state.ending == Ending::AfterOutput || (state.fin_sent && state.eof) {
                return Err(self.finish(state, 0, Syscall::None));
            }
            if state.fin && !state.fin_sent {
                state.fin_sent = true;
                let transport = state.transport.clone();
                drop(state);
                if let Some(socket) = transport.socket() {
                    // ENOTCONN: the peer is gone already, which reading will tell.
                    let _ = socket.shutdown(Shutdown::Write);
                }
                return self.act();
            }
            if state.lending == Lending::Asked {
                self.lend(&mut state);
            }
        }
        Ok(())
    }

    /// Lends the socket to the JS thread, unless there is anything left to do here; LENT tells either.
    fn lend(&mut self, state: &mut State) {
        state.lending = Lending::None;
        let busy = state.paused
            || state.eof
            || state.broken.is_some()
            || state.raw
            || state.tapped
            || state.fin
            || !state.may_parse();
        // A descriptor of its own: dropping ours takes the socket off the reactor. What arrives in between
        // stays readable for the event loop.
        if !busy
            && state.carry.is_empty()
            && let Some(socket) = self.socket.take()
        {
            match socket.get_ref().try_clone() {
                Ok(lent) => {
                    state.transport = Transport::Lent(Arc::new(lent));
                    state.lending = Lending::Lent;
                }
                Err(_) => self.socket = Some(socket),
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
        let Some(socket) = state.transport.socket() else {
            return;
        };
        match socket.try_clone().and_then(reactor::register) {
            Ok(socket) => {
                let socket = Arc::new(socket);
                state.transport = Transport::Reactor(Arc::clone(&socket));
                self.socket = Some(socket);
            }
            Err(error) => state.failure = Some((errno(&error), Syscall::Read)),
        }
    }

    fn wants_read(&self, state: &State) -> bool {
        !state.paused
            && !state.eof
            && (state.tapped || !state.held)
            && state.may_read()
            && self.connection.window_is_open()
    }

    /// Reads until there is no more, nobody wants more, or others should have their turn.
    fn poll_read(
        &self,
        socket: &AsyncFd<Socket>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Finished>> {
        for _ in 0..READS_PER_TURN {
            if !self.wants_read(&self.connection.lock()) {
                return Poll::Pending;
            }
            let mut guard = match ready!(socket.poll_read_ready(cx)) {
                Ok(guard) => guard,
                Err(error) => {
                    let state = self.connection.lock();
                    return Poll::Ready(Err(self.finish(state, errno(&error), Syscall::Read)));
                }
            };
            self.connection.reading.store(true, Ordering::SeqCst);
            let result = SCRATCH.with_borrow_mut(|scratch| {
                let len = socket.get_ref().read(&mut scratch[..])?;
                if len < READ {
                    // The kernel has no more: spare the read that would say so. An end of stream stays ready.
                    guard.clear_ready();
                }
                let mut state = self.connection.lock();
                let now = Instant::now();
                state.timing.active(now);
                state.bytes_read += len as u64;
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
            match result {
                Ok(0) => return Poll::Ready(Ok(())),
                Ok(READ) => self.shared.queue.publish_if_many(),
                Ok(_) => {}
                Err(error) => match io::Error::kind(&error) {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => guard.clear_ready(),
                    _ => {
                        let state = self.connection.lock();
                        return Poll::Ready(Err(self.finish(state, errno(&error), Syscall::Read)));
                    }
                },
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Arms the timer if a deadline lies before it, and reports the deadline that passed.
    fn poll_timer(&mut self, cx: &mut Context<'_>) {
        loop {
            let now = Instant::now();
            let deadline = {
                let mut state = self.connection.lock();
                match state.timing.idle_deadline() {
                    Some(deadline) if deadline <= now => {
                        state.timing.timed_out = true;
                        self.shared.queue.push(Event::Timeout {
                            id: self.connection.id,
                        });
                        continue;
                    }
                    other => self.earliest(other, now),
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

    /// The JS thread ends an exchange without waking this thread, and then the keep-alive time counts: be
    /// there before it can have passed.
    fn earliest(&self, idle: Option<Instant>, now: Instant) -> Option<Instant> {
        let listener = self.connection.listener.as_ref();
        let keep_alive = listener.map_or(Duration::ZERO, |listener| listener.keep_alive());
        if keep_alive.is_zero() {
            return idle;
        }
        let possible = now + keep_alive;
        Some(idle.map_or(possible, |idle| idle.min(possible)))
    }

    fn poll_socket(&mut self, socket: &AsyncFd<Socket>, cx: &mut Context<'_>) -> Poll<Finished> {
        if self.connecting {
            if let Err(finished) = ready!(self.poll_connect(socket, cx)) {
                return Poll::Ready(finished);
            }
            self.connection.attend();
        }
        loop {
            // Writing first: an answer goes out before more questions come in.
            if self.connection.lock().blocked {
                match socket.poll_write_ready(cx) {
                    Poll::Ready(Ok(mut guard)) => {
                        if !self.connection.unblock() {
                            guard.clear_ready();
                            continue;
                        }
                    }
                    Poll::Ready(Err(_)) | Poll::Pending => {}
                }
            } else if !self.connection.lock().output.is_empty() {
                self.connection.attend_output();
                if self.connection.lock().blocked {
                    continue;
                }
            }
            if let Err(finished) = self.act() {
                return Poll::Ready(finished);
            }
            if self.socket.is_none() {
                return Poll::Pending;
            }
            match self.poll_read(socket, cx) {
                // End of stream: see whether that ends the connection.
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(finished)) => return Poll::Ready(finished),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

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
        self.poll_timer(cx);
        self.shared.queue.publish_if_many();
        self.shared.mailbox.look();
        Poll::Pending
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let driver = self.get_mut();
        driver.poll_driver(cx).map(|Finished| ())
    }
}
