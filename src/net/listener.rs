//! Listening sockets: Node binds them, we listen on a duplicate, on the JS thread (its errors are the caller's), and
//! accept there, while little comes at a time, or on an I/O thread. A listener without a socket deals connections that are
//! accepted elsewhere.

use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use socket2::Socket;

use super::arriving::Arriving;
use super::backlog::{self, keep_spare, waiting};
use super::clock;
use super::connection::Connection;
use super::gate::admit;
use super::io_thread::IoThread;
use super::options::ServerOptions;
use super::reactor::Registered;
use super::server_limits::ServerLimits;
use super::shared::{Command, Shared};
use super::worker::{accepted, adopt, ends_soundly};
use crate::panics::{self, Place};

/// How long accepting rests when the process or the system is out of file descriptors or memory, and behind a bug.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// ECONNREFUSED, by which JavaScript knows a connection that the limits have refused.
const REFUSED: i32 = if cfg!(target_os = "linux") { 111 } else { 61 };

/// The listening socket's life.
enum Slot {
    /// Not listening, or no longer.
    None,
    /// An I/O thread accepts.
    Accepting(Registered),
    /// The JS thread does.
    Lent(Arc<Socket>),
}

/// The listening socket of a server, if it accepts here, and the I/O threads that its connections are dealt to.
pub(crate) struct Listener {
    pub(crate) options: Arc<ServerOptions>,
    slot: Mutex<Slot>,
    /// How many are [`Arriving`].
    arriving: Arc<AtomicUsize>,
    task: Mutex<Option<Waker>>,
    /// There is a task that accepts whenever the socket is with the I/O thread.
    is_running: AtomicBool,
    /// Connections are dealt to them one after another.
    threads: Vec<Arc<Shared>>,
    next: AtomicUsize,
}

impl Listener {
    pub(crate) fn new(options: ServerOptions, threads: Vec<Arc<Shared>>) -> Self {
        Self {
            options: Arc::new(options),
            slot: Mutex::new(Slot::None),
            arriving: Arc::default(),
            task: Mutex::default(),
            is_running: AtomicBool::new(false),
            threads,
            next: AtomicUsize::new(0),
        }
    }

    /// The I/O threads that may own connections of this listener.
    pub(crate) fn threads(&self) -> &[Arc<Shared>] {
        &self.threads
    }

    /// Listens on a bound socket, which is lent to the JS thread.
    ///
    /// # Errors
    /// The system refuses to listen.
    pub(crate) fn listen(&self, socket: Socket, backlog: i32) -> io::Result<()> {
        socket.listen(backlog)?;
        socket.set_nonblocking(true)?;
        keep_spare();
        *self.slot() = Slot::Lent(Arc::new(socket));
        Ok(())
    }

    /// The socket, if it is lent to the JS thread.
    pub(crate) fn lent(&self) -> Option<Arc<Socket>> {
        match &*self.slot() {
            Slot::Lent(socket) => Some(Arc::clone(socket)),
            Slot::None | Slot::Accepting(_) => None,
        }
    }

    /// True if the JS thread may accept: the server has no limits, which the I/O thread enforces.
    pub(crate) fn may_be_lent(&self) -> bool {
        self.options.limits.is_none()
    }

    /// Lends the socket to the JS thread. False if it is not lent then.
    pub(crate) fn lend(&self) -> bool {
        let mut slot = self.slot();
        if self.may_be_lent()
            && let Slot::Accepting(socket) = &*slot
        {
            *slot = Slot::Lent(Arc::clone(socket.get_ref()));
        }
        matches!(*slot, Slot::Lent(_))
    }

    /// Ends that: this thread, the first of the I/O threads, accepts from now on.
    ///
    /// # Errors
    /// The reactor is full.
    pub(crate) fn accept_on(self: &Arc<Self>, thread: &IoThread) -> io::Result<()> {
        let Some(socket) = self.lent() else {
            return Ok(());
        };
        *self.slot() = Slot::Accepting(thread.register(socket)?);
        if self.is_running.swap(true, Ordering::Relaxed) {
            self.wake();
            return Ok(());
        }
        let (listener, shared) = (Arc::clone(self), Arc::clone(&thread.shared));
        thread.spawn(async move {
            // A bug ends the connection that is being accepted, not the listener.
            while !ends_soundly(accept(Arc::clone(&listener), Arc::clone(&shared))).await {
                tokio::time::sleep(EXHAUSTED).await;
            }
        });
        Ok(())
    }

    /// Accepts a connection on the JS thread, if one waits and the socket is lent: one that begins without a driver.
    ///
    /// # Errors
    /// It cannot be accepted. It stays where it is.
    pub(crate) fn accept_lent(&self) -> io::Result<Option<Arc<Connection>>> {
        let Some(listening) = self.lent() else {
            return Ok(None);
        };
        let Some((socket, peer)) = backlog::accept(&listening)? else {
            return Ok(None);
        };
        panics::at(Place::Accept);
        self.options.prepare(&socket);
        let shared = &self.threads[self.turn()];
        let mut connection = accepted(Arc::new(socket), &self.options, shared, None);
        connection.begin_undriven();
        if let Some(peer) = peer {
            connection.note_peer(peer);
        }
        Ok(Some(Arc::new(connection)))
    }

    /// The index of the I/O thread that gets the next connection.
    fn turn(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed) % self.threads.len()
    }

    /// Makes a socket that was accepted elsewhere a connection of one of the I/O threads. JavaScript, which brought it,
    /// can speak on it at once; no ACCEPT follows.
    ///
    /// # Errors
    /// The socket cannot be used, the reactor is full, or the server's limits refuse it ([`REFUSED`]).
    pub(crate) fn adopt(
        &self,
        socket: Socket,
        threads: &[IoThread],
    ) -> io::Result<Arc<Connection>> {
        let thread = &threads[self.turn()];
        socket.set_nonblocking(true)?;
        self.options.prepare(&socket);
        let socket = Arc::new(socket);
        let Some(admission) = thread.admit(&socket, &self.options) else {
            return Err(io::Error::from_raw_os_error(REFUSED));
        };
        let socket = thread.register(socket)?;
        let connection = accepted(
            Arc::clone(socket.get_ref()),
            &self.options,
            &thread.shared,
            admission,
        );
        let connection = Arc::new(connection);
        thread.shared.mailbox.deliver([Command::Drive {
            connection: Arc::clone(&connection),
            socket: Some(socket),
        }]);
        Ok(connection)
    }

    /// Closes our listening socket at once.
    pub(crate) fn close(&self) {
        *self.slot() = Slot::None;
        self.wake();
    }

    /// Has the task that accepts look at the socket.
    fn wake(&self) {
        let task = self
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Closes our listening socket, and gives what waits in its backlog: the kernel would reset those connections.
    pub(crate) fn close_behind(&self) -> Vec<Socket> {
        let rest = match &*self.slot() {
            Slot::Accepting(socket) => waiting(socket.get_ref()),
            Slot::Lent(socket) => waiting(socket),
            Slot::None => Vec::new(),
        };
        self.close();
        rest
    }

    /// Waits until all that was accepted is among the connections of the I/O threads.
    pub(crate) fn await_arrivals(&self) {
        clock::give_way_until(|| self.arriving.load(Ordering::SeqCst) == 0);
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the task woken when the listener is closed.
    fn attach(&self, cx: &Context<'_>) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *task {
            Some(task) => task.clone_from(cx.waker()),
            None => *task = Some(cx.waker().clone()),
        }
    }

    /// Ready when the listener is closed.
    fn poll_closed(&self, cx: &Context<'_>) -> Poll<()> {
        self.attach(cx);
        if matches!(*self.slot(), Slot::None) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Ready when the limits have room for a connection, or the listener is closed. What waits stays in the backlog.
    fn poll_room(&self, limits: &ServerLimits, cx: &Context<'_>) -> Poll<()> {
        if self.poll_closed(cx).is_ready() || !limits.is_full() {
            return Poll::Ready(());
        }
        limits.wait_for_end(cx.waker());
        // One may have ended meanwhile.
        if limits.is_full() {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Option<(Socket, Arriving)>>> {
        self.attach(cx);
        let slot = self.slot();
        let socket = match &*slot {
            Slot::Accepting(socket) => socket,
            Slot::Lent(_) => return Poll::Pending,
            Slot::None => return Poll::Ready(Ok(None)),
        };
        loop {
            let mut guard = ready!(socket.poll_read_ready(cx))?;
            match backlog::accept(socket.get_ref())? {
                Some((accepted, _)) => {
                    let arriving = Arriving::among(&self.arriving);
                    return Poll::Ready(Ok(Some((accepted, arriving))));
                }
                None => guard.clear_ready(),
            }
        }
    }
}

/// Accepts until the listener is closed.
async fn accept(listener: Arc<Listener>, shared: Arc<Shared>) {
    // Connections came that the reactor has not been asked about yet.
    let mut fresh = false;
    loop {
        if let Some(limits) = &listener.options.limits {
            poll_fn(|cx| listener.poll_room(limits, cx)).await;
            let rest = limits.rest(clock::now());
            if !rest.is_zero() {
                let closed = poll_fn(|cx| listener.poll_closed(cx));
                if tokio::time::timeout(rest, closed).await.is_ok() {
                    return;
                }
                continue;
            }
        }
        let next = poll_fn(|cx| match listener.poll_accept(cx) {
            Poll::Pending if fresh => Poll::Ready(None),
            poll => poll.map(Some),
        });
        match next.await {
            Some(Ok(Some((socket, arriving)))) => {
                fresh = true;
                let socket = Arc::new(socket);
                let Some(admission) = admit(&socket, &listener.options, &shared) else {
                    continue;
                };
                let owner = &listener.threads[listener.turn()];
                if Arc::ptr_eq(owner, &shared) {
                    adopt(socket, &listener.options, &shared, admission);
                } else {
                    owner.mailbox.deliver([Command::Adopt {
                        socket,
                        server: Arc::clone(&listener.options),
                        admission,
                        arriving,
                    }]);
                }
            }
            Some(Ok(None)) => return,
            Some(Err(_)) => tokio::time::sleep(EXHAUSTED).await,
            // The first request is often there already. One more look, without waiting, before the thread parks and
            // publishes, and it goes up with its ACCEPT, in one wake of the JS thread.
            None => {
                fresh = false;
                tokio::task::yield_now().await;
            }
        }
    }
}
