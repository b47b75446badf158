//! The threads that own the sockets: each runs one current-thread tokio runtime and shares nothing with the
//! others but the event queue.

use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::Instant;

use http_native_proto::Role;
use socket2::Socket;

use super::connection::{Connection, errno};
use super::dial::Dial;
use super::driver::Driver;
use super::event::{Event, EventQueue, Syscall};
use super::lending::Transport;
use super::listener::{self, Listener};
use super::mailbox::{Command, Mailbox};
use super::reactor::{self, Registered};

/// Connection ids of one environment, reused after release: the longest unused first, since whoever holds an id a moment
/// too long must not hit another connection.
#[derive(Default)]
pub(crate) struct Ids(Mutex<(VecDeque<u32>, u32)>);

/// Ids that rest before the first of them is used again.
const IDS_RESTING: usize = 64;

impl Ids {
    fn lock(&self) -> MutexGuard<'_, (VecDeque<u32>, u32)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn take(&self) -> u32 {
        let (free, next) = &mut *self.lock();
        if free.len() > IDS_RESTING
            && let Some(id) = free.pop_front()
        {
            return id;
        }
        let id = *next;
        *next += 1;
        id
    }

    pub(crate) fn give_back(&self, id: u32) {
        self.lock().0.push_back(id);
    }
}

/// What an I/O thread shares with the JS thread.
pub(crate) struct Shared {
    pub(crate) mailbox: Mailbox,
    pub(crate) queue: Arc<EventQueue>,
    ids: Arc<Ids>,
    connections: Mutex<HashMap<u32, Arc<Connection>>>,
    stopped: AtomicBool,
    root: Mutex<Option<Waker>>,
    /// Bytes of connections that are over which count as taken and are still to be written.
    pub(super) lingering: AtomicUsize,
}

impl Shared {
    pub(super) fn new(queue: Arc<EventQueue>, ids: Arc<Ids>) -> Self {
        Self {
            mailbox: Mailbox::default(),
            queue,
            ids,
            connections: Mutex::default(),
            stopped: AtomicBool::new(false),
            root: Mutex::default(),
            lingering: AtomicUsize::new(0),
        }
    }

    fn connections(&self) -> MutexGuard<'_, HashMap<u32, Arc<Connection>>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The connections of a listener.
    pub(crate) fn accepted_by(&self, listener: u32) -> Vec<Arc<Connection>> {
        let connections = self.connections();
        let own = |connection: &&Arc<Connection>| {
            let accepted_by = connection.listener.as_ref();
            accepted_by.is_some_and(|own| own.id == listener)
        };
        connections.values().filter(own).cloned().collect()
    }

    /// Bytes of connections that are over which count as taken and are still to be written.
    pub(crate) fn lingering(&self) -> usize {
        self.lingering.load(Ordering::SeqCst)
    }

    /// The connection has ended: its last event.
    pub(super) fn closed(&self, id: u32, errno: i32, syscall: Syscall) {
        self.connections().remove(&id);
        self.queue.push(Event::Closed { id, errno, syscall });
    }

    fn execute(self: &Arc<Self>, command: Command) {
        match command {
            Command::Adopt { socket, listener } => listener::adopt(socket, &listener, self),
            Command::Attend(connection) => connection.attend(),
            Command::Dial { connection, dial } => self.dial(connection, &dial),
            Command::Drive { connection, socket } => self.drive(connection, socket),
            Command::Expire {
                listener,
                headers,
                request,
            } => {
                let now = Instant::now();
                for connection in self.accepted_by(listener) {
                    connection.expire(now, headers, request, &self.queue);
                }
            }
            Command::Listen(listener) => {
                tokio::spawn(guarded(listener::accept(listener, Arc::clone(self)), || {}));
            }
            Command::Stop => {
                self.stopped.store(true, Ordering::SeqCst);
                let root = self
                    .root
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take();
                if let Some(root) = root {
                    root.wake();
                }
            }
        }
    }

    fn dial(self: &Arc<Self>, connection: Arc<Connection>, dial: &Dial) {
        dial.take(
            |begun| match begun.map(Arc::new).and_then(reactor::register) {
                Ok(socket) => {
                    connection.opened(Arc::clone(socket.get_ref()));
                    self.drive(connection, socket);
                }
                Err(error) => {
                    connection.failed();
                    let syscall = if dial.fails_at_once(&error) {
                        Syscall::ConnectAtOnce
                    } else {
                        Syscall::Connect
                    };
                    self.closed(connection.id, errno(&error), syscall);
                }
            },
        );
    }

    fn drive(self: &Arc<Self>, connection: Arc<Connection>, socket: Registered) {
        self.connections()
            .insert(connection.id, Arc::clone(&connection));
        let shared = Arc::clone(self);
        let id = connection.id;
        let bug = Arc::clone(&connection);
        let driver = Driver::new(connection, Arc::clone(self), socket);
        tokio::spawn(guarded(driver, move || {
            // A bug of ours costs this connection, never the process. EIO is what JavaScript sees.
            bug.failed();
            shared.closed(id, -5, Syscall::Read);
        }));
    }

    /// Takes commands as they come, until the thread is stopped.
    pub(super) async fn work(self: Arc<Self>) {
        let mut commands = Vec::new();
        poll_fn(move |cx| {
            loop {
                self.mailbox.take(cx, &mut commands);
                if commands.is_empty() {
                    return Poll::<()>::Pending;
                }
                for command in commands.drain(..) {
                    // A bug costs the connection it is about, not the commands for the others.
                    let _ = std::panic::catch_unwind(AssertUnwindSafe(|| self.execute(command)));
                }
            }
        })
        .await;
    }
}

/// A new connection on an accepted socket.
pub(super) fn serve(socket: Registered, listener: &Arc<Listener>, shared: &Arc<Shared>) {
    let connection = accepted(&socket, listener, shared);
    shared.queue.push(Event::Accept {
        connection: Arc::clone(&connection),
        listener: listener.id,
    });
    shared.drive(connection, socket);
}

fn accepted(
    socket: &Registered,
    listener: &Arc<Listener>,
    shared: &Arc<Shared>,
) -> Arc<Connection> {
    Arc::new(Connection::new(
        shared.ids.take(),
        Role::Server,
        listener.config,
        Some(Arc::clone(shared)),
        Some(Arc::clone(listener)),
        Transport::Socket(Arc::clone(socket.get_ref())),
    ))
}

/// A connection on a socket that somebody else accepted, on one of the I/O threads of its listener. JavaScript, which
/// brought it, can speak on it at once; no ACCEPT follows.
///
/// # Errors
/// The socket cannot be used, or the reactor takes no more.
pub(crate) fn adopt(
    socket: Socket,
    listener: &Arc<Listener>,
    threads: &[IoThread],
) -> io::Result<Arc<Connection>> {
    let thread = &threads[listener.turn()];
    listener.prepare(&socket)?;
    let socket = thread.register(socket)?;
    let connection = accepted(&socket, listener, &thread.shared);
    thread.shared.mailbox.deliver([Command::Drive {
        connection: Arc::clone(&connection),
        socket,
    }]);
    Ok(connection)
}

/// Runs a future to its end or its first panic, after which `bug` is called.
async fn guarded(future: impl Future<Output = ()>, bug: impl FnOnce()) {
    let mut future = pin!(future);
    let ended = poll_fn(|cx| {
        let poll = std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        poll.map_or(Poll::Ready(false), |poll| poll.map(|()| true))
    });
    if !ended.await {
        bug();
    }
}

/// An I/O thread. Dropping it ends the thread and closes its sockets.
pub(crate) struct IoThread {
    pub(crate) shared: Arc<Shared>,
    /// To put sockets on its reactor from the JS thread. Not in `shared`, which the runtime holds.
    runtime: tokio::runtime::Handle,
    thread: Option<JoinHandle<()>>,
}

impl IoThread {
    /// Starts a thread.
    ///
    /// # Errors
    /// The system gives no thread or no reactor.
    pub(crate) fn start(index: usize, queue: Arc<EventQueue>, ids: Arc<Ids>) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(queue, ids));
        let runtime = Self::runtime(&shared)?;
        let working = Arc::clone(&shared);
        let handle = runtime.handle().clone();
        let thread = std::thread::Builder::new()
            .name(format!("http-native-{index}"))
            .spawn(move || {
                runtime.block_on(async {
                    tokio::spawn(Arc::clone(&working).work());
                    poll_fn(|cx| Self::poll_stopped(&working, cx)).await;
                });
                // Drops the tasks; the sockets close with the last holder of each.
                working.connections().clear();
                // Wakers hold the runtime, whose hooks hold what the wakers are in.
                drop(runtime);
                working.mailbox.close();
                *working.root.lock().unwrap_or_else(PoisonError::into_inner) = None;
            })?;
        Ok(Self {
            shared,
            runtime: handle,
            thread: Some(thread),
        })
    }

    /// What runs a thread.
    ///
    /// # Errors
    /// The system gives no reactor.
    pub(super) fn runtime(shared: &Arc<Shared>) -> io::Result<tokio::runtime::Runtime> {
        let (parking, waking) = (Arc::clone(shared), Arc::clone(shared));
        tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .on_thread_park(move || {
                parking.queue.publish();
                parking.mailbox.fall_asleep();
            })
            .on_thread_unpark(move || waking.mailbox.wake_up())
            .build()
    }

    /// Puts a socket on the thread's reactor.
    ///
    /// # Errors
    /// The reactor takes no more.
    pub(super) fn register(&self, socket: Socket) -> io::Result<Registered> {
        let _reactor = self.runtime.enter();
        reactor::register(Arc::new(socket))
    }

    fn poll_stopped(shared: &Shared, cx: &Context<'_>) -> Poll<()> {
        *shared.root.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        if shared.stopped.load(Ordering::SeqCst) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Drop for IoThread {
    fn drop(&mut self) {
        self.shared.mailbox.deliver([Command::Stop]);
        if let Some(thread) = self.thread.take() {
            // The thread never waits for JavaScript, so it ends; a panic of its own has ended it already.
            let _ = thread.join();
        }
    }
}
