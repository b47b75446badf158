//! Listening sockets: Node binds them, we listen on a duplicate, on the JS thread (its errors are the caller's), and
//! accept on an I/O thread. A listener without a socket deals connections that are accepted elsewhere.

use std::cell::RefCell;
use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use socket2::Socket;

use super::arriving::Arriving;
use super::clock;
use super::connection::Connection;
use super::gate::admit;
use super::io_thread::IoThread;
use super::options::ServerOptions;
use super::reactor::Registered;
use super::server_limits::ServerLimits;
use super::shared::{Command, Shared};
use super::socket::is_out_of_descriptors;
use super::worker::{accepted, adopt, ends_soundly};

/// How long accepting rests when the process or the system is out of file descriptors or memory, and behind a bug.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// ECONNREFUSED, by which JavaScript knows a connection that the limits have refused.
const REFUSED: i32 = if cfg!(target_os = "linux") { 111 } else { 61 };

/// Connections that are taken off the kernel's queue when accepting ends, at most: as many as Linux lets wait (`somaxconn`). Others may
/// listen on the same socket, and more come meanwhile.
const REST: usize = 4096;

/// How long the JS thread waits for connections that an I/O thread is just making, at most. It takes microseconds.
const SETTLING: Duration = Duration::from_millis(100);

/// The listening socket's life.
enum Slot {
    /// Not listening, or no longer.
    None,
    Accepting(Registered),
}

/// The listening socket of a server, if it accepts here, and the I/O threads that its connections are dealt to.
pub(crate) struct Listener {
    pub(crate) options: Arc<ServerOptions>,
    slot: Mutex<Slot>,
    /// How many are [`Arriving`].
    arriving: Arc<AtomicUsize>,
    task: Mutex<Option<Waker>>,
    /// Connections are dealt to them in turn.
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
            threads,
            next: AtomicUsize::new(0),
        }
    }

    /// The I/O threads that may own connections of this listener.
    pub(crate) fn threads(&self) -> &[Arc<Shared>] {
        &self.threads
    }

    /// Listens on a bound socket, and accepts on this thread, the first of its I/O threads.
    ///
    /// # Errors
    /// The system refuses to listen, or the reactor takes no more.
    pub(crate) fn listen(
        self: &Arc<Self>,
        socket: Socket,
        backlog: i32,
        thread: &IoThread,
    ) -> io::Result<()> {
        socket.listen(backlog)?;
        socket.set_nonblocking(true)?;
        *self.slot() = Slot::Accepting(thread.register(Arc::new(socket))?);
        let (listener, shared) = (Arc::clone(self), Arc::clone(&thread.shared));
        thread.spawn(async move {
            // A bug ends the connection that is being accepted, not the listener.
            while !ends_soundly(accept(Arc::clone(&listener), Arc::clone(&shared))).await {
                tokio::time::sleep(EXHAUSTED).await;
            }
        });
        Ok(())
    }

    /// The index of the I/O thread that gets the next connection.
    fn turn(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed) % self.threads.len()
    }

    /// Makes a socket that was accepted elsewhere a connection of one of the I/O threads. JavaScript, which brought it,
    /// can speak on it at once; no ACCEPT follows.
    ///
    /// # Errors
    /// The socket cannot be used, the reactor takes no more, or the server's limits refuse it ([`REFUSED`]).
    pub(crate) fn adopt(
        &self,
        socket: Socket,
        threads: &[IoThread],
    ) -> io::Result<Arc<Connection>> {
        let thread = &threads[self.turn()];
        self.options.prepare(&socket)?;
        let socket = Arc::new(socket);
        let Some(admission) = thread.admit(&socket, &self.options) else {
            return Err(io::Error::from_raw_os_error(REFUSED));
        };
        let socket = thread.register(socket)?;
        let connection = accepted(&socket, &self.options, &thread.shared, admission);
        thread.shared.mailbox.deliver([Command::Drive {
            connection: Arc::clone(&connection),
            socket: Some(socket),
        }]);
        Ok(connection)
    }

    /// Closes our listening socket at once.
    pub(crate) fn close(&self) {
        *self.slot() = Slot::None;
        let task = self
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Closes our listening socket, and gives what waits in its queue: the kernel would reset those connections.
    pub(crate) fn close_behind(&self) -> Vec<Socket> {
        let rest = match &*self.slot() {
            Slot::Accepting(socket) => waiting(socket.get_ref()),
            Slot::None => Vec::new(),
        };
        self.close();
        rest
    }

    /// Waits until all that was accepted is among the connections of the I/O threads. Those wait for nothing of the JS thread's.
    pub(crate) fn settle(&self) {
        let end = Instant::now() + SETTLING;
        while self.arriving.load(Ordering::SeqCst) != 0 && Instant::now() < end {
            std::thread::yield_now();
        }
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

    /// Ready when the limits have room for a connection, or the listener is closed. What waits stays in the kernel's queue.
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
        let Slot::Accepting(socket) = &*slot else {
            return Poll::Ready(Ok(None));
        };
        loop {
            let mut guard = ready!(socket.poll_read_ready(cx))?;
            match socket.get_ref().accept() {
                Ok((accepted, _)) => {
                    let arriving = Arriving::among(&self.arriving);
                    return Poll::Ready(Ok(Some((accepted, arriving))));
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => guard.clear_ready(),
                    // The peer gave up while it was queued.
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                    // The kernel says so even if no connection is left to be accepted.
                    _ if is_out_of_descriptors(&error) && turn_away(socket.get_ref()) => {
                        guard.clear_ready();
                    }
                    _ => return Poll::Ready(Err(error)),
                },
            }
        }
    }
}

/// The connections that wait in the queue of a listening socket, which must not block.
pub(crate) fn waiting(listening: &Socket) -> Vec<Socket> {
    let mut rest = Vec::new();
    while rest.len() < REST {
        match listening.accept() {
            Ok((accepted, _)) => rest.push(accepted),
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                _ => break,
            },
        }
    }
    rest
}

thread_local! {
    /// A descriptor to give up when there is no other, as libuv has one (`uv__emfile_trick`): with it the connections
    /// that wait are accepted and closed, and their peers learn that they must come another time.
    static SPARE: RefCell<Option<File>> = const { RefCell::new(None) };
}

fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

/// Closes the connections that wait, for which there is no descriptor. False if that cannot be done.
fn turn_away(listening: &Socket) -> bool {
    SPARE.with_borrow_mut(|slot| {
        let has_spare = slot.take().is_some();
        while has_spare && listening.accept().is_ok() {}
        *slot = spare();
        has_spare
    })
}

/// Accepts until the listener is closed.
async fn accept(listener: Arc<Listener>, shared: Arc<Shared>) {
    SPARE.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = spare();
        }
    });
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
