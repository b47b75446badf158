//! The work of an I/O thread: it carries out commands, and makes the connections whose sockets it is given.

use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::task::Poll;

use http_native_proto::Role;
use socket2::Socket;

use super::admission::Admission;
use super::clock;
use super::connection::{Connection, Event};
use super::driver::Driver;
use super::event::Syscall;
use super::options::ServerOptions;
use super::reactor::{self, Registered};
use super::shared::{Command, Shared};
use super::transport::Transport;

impl Shared {
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

    fn execute(self: &Arc<Self>, command: Command) {
        match command {
            Command::Adopt {
                socket,
                server,
                admission,
            } => adopt(socket, &server, self, admission),
            Command::Attend(connection) => connection.attend(),
            Command::Drive { connection, socket } => self.drive(connection, socket),
            Command::Expire {
                server,
                headers,
                request,
            } => {
                let now = clock::now();
                for connection in self.accepted_by(server) {
                    connection.expire(now, headers, request, &self.queue);
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
}

/// Makes an accepted socket a connection of this I/O thread.
pub(super) fn adopt(
    socket: Arc<Socket>,
    server: &Arc<ServerOptions>,
    shared: &Arc<Shared>,
    admission: Option<Admission>,
) {
    // A socket that cannot be registered is dropped, which closes it: the peer sees a reset.
    if server.prepare(&socket).is_err() {
        return;
    }
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
    let connection = accepted(&socket, server, shared, admission);
    shared.queue.push(Event::Accept {
        connection: Arc::clone(&connection),
        listener: server.id,
    });
    shared.drive(connection, socket);
}

pub(super) fn accepted(
    socket: &Registered,
    server: &Arc<ServerOptions>,
    shared: &Arc<Shared>,
    admission: Option<Admission>,
) -> Arc<Connection> {
    let connection = Connection::new(
        shared.ids.take(),
        Role::Server,
        server.config,
        Some(Arc::clone(&shared.queue)),
        Some(Arc::clone(server)),
        Arc::clone(&server.stats),
        Transport::Socket(Arc::clone(socket.get_ref())),
    );
    connection.lock().admission = admission;
    Arc::new(connection)
}

/// Runs a future to its end or its first panic, after which `bug` is called.
pub(super) async fn guarded(future: impl Future<Output = ()>, bug: impl FnOnce()) {
    let mut future = pin!(future);
    let ended = poll_fn(|cx| {
        let poll = std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        poll.map_or(Poll::Ready(false), |poll| poll.map(|()| true))
    });
    if !ended.await {
        bug();
    }
}
