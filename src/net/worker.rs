//! The work of an I/O thread: it acts on commands, and makes the connections whose sockets it is given.

use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::task::{Poll, ready};

use http_native_proto::Role;
use socket2::Socket;
use tokio::time::Sleep;

use super::admission::Admission;
use super::clock;
use super::connection::{Connection, Event};
use super::driver::Driver;
use super::event::{BROKEN, Syscall};
use super::mailbox::LOOK;
use super::options::ServerOptions;
use super::reactor::{self, Registered};
use super::shared::{Command, Shared};
use super::transport::Transport;
use crate::panics::{self, Place};

impl Shared {
    /// Fetches commands as they come, until the thread is stopped.
    pub(super) async fn work(self: Arc<Self>) {
        let mut commands = Vec::new();
        let mut look: Option<Pin<Box<Sleep>>> = None;
        poll_fn(move |cx| {
            loop {
                self.mailbox.take(cx, &mut commands);
                if commands.is_empty() {
                    break;
                }
                for command in commands.drain(..) {
                    // A bug costs the connection it is about, not the commands for the others.
                    let _ = std::panic::catch_unwind(AssertUnwindSafe(|| self.execute(command)));
                }
            }
            // JavaScript speaks in a turn that may be long: what it puts in later wakes nothing.
            while self.mailbox.looks() {
                let due = look.get_or_insert_with(|| Box::pin(tokio::time::sleep(LOOK)));
                ready!(due.as_mut().poll(cx));
                look = None;
                self.mailbox.looked();
            }
            Poll::<()>::Pending
        })
        .await;
    }

    fn execute(self: &Arc<Self>, command: Command) {
        match command {
            Command::Adopt {
                socket,
                server,
                admission,
                arriving: _arriving,
            } => adopt(socket, &server, self, admission),
            Command::Attend(connection) => {
                at_its_cost(&connection, |connection| connection.attend())
            }
            Command::Drive { connection, socket } => self.drive(connection, socket),
            Command::Expire {
                server,
                headers,
                request,
            } => {
                let now = clock::now();
                for connection in self.accepted_by(server) {
                    at_its_cost(&connection, |connection| {
                        connection.expire(now, headers, request, &self.queue);
                    });
                }
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

    fn drive(self: &Arc<Self>, connection: Arc<Connection>, socket: Option<Registered>) {
        let (shared, bug) = (Arc::clone(self), Arc::clone(&connection));
        let begins = || self.begin_to_drive(connection, socket);
        if std::panic::catch_unwind(AssertUnwindSafe(begins)).is_err() {
            shared.lose(&bug);
        }
    }

    fn begin_to_drive(self: &Arc<Self>, connection: Arc<Connection>, socket: Option<Registered>) {
        self.connections()
            .insert(connection.id, Arc::clone(&connection));
        panics::at(Place::Drive);
        let (shared, bug) = (Arc::clone(self), Arc::clone(&connection));
        let driver = Driver::new(connection, Arc::clone(self), socket);
        tokio::spawn(async move {
            if !ends_soundly(driver).await {
                shared.lose(&bug);
            }
        });
    }

    /// Ends a connection whose driver met a bug of ours, or never began: that costs this connection, never the process.
    fn lose(&self, connection: &Connection) {
        connection.failed();
        let id = connection.id;
        let closed = Event::Closed {
            id,
            errno: BROKEN,
            syscall: Syscall::Read,
            is_destroyed: false,
        };
        self.closed(id, closed);
    }
}

/// Does something with a connection, which ends if that panics: its driver is told.
fn at_its_cost(connection: &Connection, body: impl FnOnce(&Connection)) {
    if std::panic::catch_unwind(AssertUnwindSafe(|| body(connection))).is_err() {
        connection.break_off();
        connection.wake_driver();
    }
}

/// Makes an accepted socket a connection of this I/O thread.
pub(super) fn adopt(
    socket: Arc<Socket>,
    server: &Arc<ServerOptions>,
    shared: &Arc<Shared>,
    admission: Option<Admission>,
) {
    panics::at(Place::Accept);
    server.prepare(&socket);
    // A socket that cannot be registered is let go of, which closes it: the peer sees a reset.
    let Ok(socket) = reactor::register(socket) else {
        return;
    };
    serve(socket, server, shared, admission);
}

/// Starts a connection on an accepted socket, and reports ACCEPT.
fn serve(
    socket: Registered,
    server: &Arc<ServerOptions>,
    shared: &Arc<Shared>,
    admission: Option<Admission>,
) {
    let socket_of = Arc::clone(socket.get_ref());
    let connection = Arc::new(accepted(socket_of, server, shared, admission));
    shared.queue.push(Event::Accept {
        connection: Arc::clone(&connection),
        listener: server.id,
    });
    shared.drive(connection, Some(socket));
}

/// A connection of a server, on a socket that was accepted.
pub(super) fn accepted(
    socket: Arc<Socket>,
    server: &Arc<ServerOptions>,
    shared: &Arc<Shared>,
    admission: Option<Admission>,
) -> Connection {
    let connection = Connection::new(
        shared.ids.take(),
        Role::Server,
        server.config,
        Some(Arc::clone(&shared.queue)),
        Some(Arc::clone(server)),
        Arc::clone(&server.stats),
        Transport::Socket(socket),
    );
    connection.lock().admission = admission;
    connection
}

/// Runs a future to its end, or its first panic: true for the end.
pub(super) async fn ends_soundly(future: impl Future<Output = ()>) -> bool {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let poll = std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        poll.map_or(Poll::Ready(false), |poll| poll.map(|()| true))
    })
    .await
}
