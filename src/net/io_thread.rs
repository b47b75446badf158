//! The threads that own the sockets: each runs one current-thread tokio runtime and shares nothing with the
//! others but the wake of the JS thread.

use std::future::{Future, poll_fn};
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};
use std::thread::JoinHandle;

use http_native_proto::{Config, Role};
use socket2::Socket;

use super::admission::Admission;
use super::connection::{Connection, EventQueue};
use super::gate::admit;
use super::ids::Ids;
use super::options::ServerOptions;
use super::reactor::{self, Registered};
use super::shared::{Command, Shared};
use super::stats::Stats;
use super::transport::Transport;
use crate::panics::{self, Place};

/// An I/O thread. It ends with this, and its sockets close.
pub(crate) struct IoThread {
    pub(crate) shared: Arc<Shared>,
    /// To put sockets on its reactor from the JS thread. Not in `shared`, which the runtime refers to.
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
                // Ends the tasks; the sockets close with the last owner of each.
                working.connections().clear();
                // Wakers refer to the runtime, whose hooks refer to what the wakers are in.
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

    /// Runs a task on the thread.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(task);
    }

    /// Puts a socket on the thread's reactor.
    ///
    /// # Errors
    /// The reactor is full.
    pub(super) fn register(&self, socket: Arc<Socket>) -> io::Result<Registered> {
        let _reactor = self.runtime.enter();
        reactor::register(socket)
    }

    /// Lets a socket that JavaScript has brought in, or turns it away: then there is nothing.
    pub(super) fn admit(
        &self,
        socket: &Arc<Socket>,
        server: &ServerOptions,
    ) -> Option<Option<Admission>> {
        let _reactor = self.runtime.enter();
        admit(socket, server, &self.shared)
    }

    /// Makes a connected socket, which does not block, a client's connection of this thread, and gives the command by which the
    /// thread begins to drive it. Passed on behind what is said in the turn, it has that written before the thread reads, as in
    /// core, which writes in the event of the connection: of a peer that has gone the write tells, or does not know yet.
    ///
    /// # Errors
    /// The reactor is full.
    pub(crate) fn carry(
        &self,
        id: u32,
        socket: Arc<Socket>,
        config: Config,
        stats: Arc<Stats>,
    ) -> io::Result<(Arc<Connection>, Command)> {
        panics::at(Place::Carry);
        let socket = self.register(socket)?;
        let transport = Transport::Socket(Arc::clone(socket.get_ref()));
        let connection = Arc::new(self.client(id, config, stats, transport));
        let drive = Command::Drive {
            connection: Arc::clone(&connection),
            socket: Some(socket),
        };
        Ok((connection, drive))
    }

    /// The same, with the socket lent to the JS thread from the beginning on: this thread does not know of it yet.
    pub(crate) fn carry_undriven(
        &self,
        id: u32,
        socket: Arc<Socket>,
        config: Config,
        stats: Arc<Stats>,
    ) -> Arc<Connection> {
        panics::at(Place::Carry);
        let mut connection = self.client(id, config, stats, Transport::Socket(socket));
        connection.begin_undriven();
        Arc::new(connection)
    }

    fn client(
        &self,
        id: u32,
        config: Config,
        stats: Arc<Stats>,
        transport: Transport,
    ) -> Connection {
        Connection::new(
            id,
            Role::Client,
            config,
            Some(Arc::clone(&self.shared.queue)),
            None,
            stats,
            transport,
        )
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
