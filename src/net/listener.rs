//! Listening sockets: Node binds them, we listen on a duplicate, on the JS thread (its errors are the caller's), and
//! accept on an I/O thread. A listener without a socket is what connections share that others accept for us.

use std::cell::RefCell;
use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use http_native_proto as proto;
use socket2::{Socket, TcpKeepalive};

use super::io_thread::{self, IoThread, Shared};
use super::mailbox::Command;
use super::reactor::{self, Registered};

/// How long accepting rests when the process or the system is out of file descriptors or memory.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// What accepted sockets get.
pub(crate) struct Accepted {
    pub(crate) no_delay: bool,
    /// TCP keep-alive and its initial delay.
    pub(crate) keep_alive: Option<Duration>,
}

/// The listening socket's life.
enum Slot {
    /// Not listening, or no longer.
    None,
    Accepting(Registered),
}

/// What the connections of one server share, and its listening socket, if it accepts them here.
pub(crate) struct Listener {
    pub(crate) id: u32,
    pub(crate) config: proto::Config,
    accepted: Accepted,
    /// Milliseconds; see [`Listener::configure`].
    keep_alive: AtomicU64,
    idle: AtomicU64,
    /// Connections are read from only when JavaScript says so.
    hold: AtomicBool,
    slot: Mutex<Slot>,
    task: Mutex<Option<Waker>>,
    /// The I/O threads that connections are dealt to, in turn.
    threads: Vec<Arc<Shared>>,
    next: AtomicUsize,
}

impl Listener {
    pub(crate) fn new(
        id: u32,
        config: proto::Config,
        accepted: Accepted,
        threads: Vec<Arc<Shared>>,
    ) -> Self {
        Self {
            id,
            config,
            accepted,
            keep_alive: AtomicU64::new(0),
            idle: AtomicU64::new(0),
            hold: AtomicBool::new(true),
            slot: Mutex::new(Slot::None),
            task: Mutex::default(),
            threads,
            next: AtomicUsize::new(0),
        }
    }

    /// Idle time between exchanges and during them, in milliseconds; zero for no limit. With `hold` a connection is
    /// accepted as paused: somebody wants to see it before its first byte is taken.
    pub(crate) fn configure(&self, keep_alive: u64, idle: u64, hold: bool) {
        self.keep_alive.store(keep_alive, Ordering::Relaxed);
        self.idle.store(idle, Ordering::Relaxed);
        self.hold.store(hold, Ordering::Relaxed);
    }

    pub(super) fn holds(&self) -> bool {
        self.hold.load(Ordering::Relaxed)
    }

    pub(crate) fn keep_alive(&self) -> Duration {
        Duration::from_millis(self.keep_alive.load(Ordering::Relaxed))
    }

    pub(crate) fn idle(&self) -> Duration {
        Duration::from_millis(self.idle.load(Ordering::Relaxed))
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
        *self.slot() = Slot::Accepting(thread.register(socket)?);
        thread
            .shared
            .mailbox
            .deliver([Command::Listen(Arc::clone(self))]);
        Ok(())
    }

    /// The index of the I/O thread that gets the next connection.
    pub(super) fn turn(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed) % self.threads.len()
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

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Socket>>> {
        {
            let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
            match &mut *task {
                Some(task) => task.clone_from(cx.waker()),
                None => *task = Some(cx.waker().clone()),
            }
        }
        let slot = self.slot();
        let Slot::Accepting(socket) = &*slot else {
            return Poll::Ready(Ok(None));
        };
        loop {
            let mut guard = ready!(socket.poll_read_ready(cx))?;
            match socket.get_ref().accept() {
                Ok((accepted, _)) => return Poll::Ready(Ok(Some(accepted))),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => guard.clear_ready(),
                    // The peer gave up while it was queued.
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                    // The kernel says so even if there is nobody left to be accepted.
                    _ if is_out_of_descriptors(&error) && turn_away(socket.get_ref()) => {
                        guard.clear_ready();
                    }
                    _ => return Poll::Ready(Err(error)),
                },
            }
        }
    }

    /// Options of an accepted socket. Their failure leaves a slower or longer-lived connection, as in libuv.
    pub(super) fn prepare(&self, socket: &Socket) -> io::Result<()> {
        socket.set_nonblocking(true)?;
        if self.accepted.no_delay {
            let _ = socket.set_tcp_nodelay(true);
        }
        if let Some(delay) = self.accepted.keep_alive {
            let _ = set_keep_alive(socket, true, delay);
        }
        Ok(())
    }
}

/// SO_KEEPALIVE with its initial delay; a zero delay leaves the system's.
pub(crate) fn set_keep_alive(socket: &Socket, on: bool, delay: Duration) -> io::Result<()> {
    socket.set_keepalive(on)?;
    if on && !delay.is_zero() {
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(delay))?;
    }
    Ok(())
}

thread_local! {
    /// A descriptor to give up when there is no other, as libuv has one: with it those who wait to be accepted are
    /// accepted and closed, and learn that they must come another time.
    static SPARE: RefCell<Option<File>> = const { RefCell::new(None) };
}

fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

/// There is no descriptor for a connection: closes those that wait. False if that cannot be done.
fn turn_away(listening: &Socket) -> bool {
    SPARE.with_borrow_mut(|slot| {
        let has_spare = slot.take().is_some();
        while has_spare && listening.accept().is_ok() {}
        *slot = spare();
        has_spare
    })
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    // EMFILE and ENFILE have no stable ErrorKind; the same on Linux, macOS and the BSDs.
    matches!(error.raw_os_error(), Some(23 | 24))
}

/// Accepts until the listener is closed.
pub(super) async fn accept(listener: Arc<Listener>, shared: Arc<Shared>) {
    SPARE.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = spare();
        }
    });
    // Connections came that the reactor has not been asked about yet.
    let mut fresh = false;
    loop {
        let next = poll_fn(|cx| match listener.poll_accept(cx) {
            Poll::Pending if fresh => Poll::Ready(None),
            poll => poll.map(Some),
        });
        match next.await {
            Some(Ok(Some(socket))) => {
                fresh = true;
                let owner = &listener.threads[listener.turn()];
                if Arc::ptr_eq(owner, &shared) {
                    adopt(socket, &listener, &shared);
                } else {
                    owner.mailbox.deliver([Command::Adopt {
                        socket,
                        listener: Arc::clone(&listener),
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

/// Makes an accepted socket a connection of this I/O thread.
pub(super) fn adopt(socket: Socket, listener: &Arc<Listener>, shared: &Arc<Shared>) {
    // A socket that cannot be registered is dropped, which closes it: the peer sees a reset.
    if listener.prepare(&socket).is_err() {
        return;
    }
    let Ok(socket) = reactor::register(Arc::new(socket)) else {
        return;
    };
    io_thread::serve(socket, listener, shared);
}
