//! What an I/O thread shares with the JS thread, and the commands that it fetches from there.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use socket2::Socket;

use super::admission::Admission;
use super::arriving::Arriving;
use super::connection::{Connection, Event, EventQueue};
use super::ids::Ids;
use super::mailbox::Mailbox;
use super::options::ServerOptions;
use super::reactor::Registered;

/// What the JS thread may ask an I/O thread to do.
pub(crate) enum Command {
    /// A socket accepted by another I/O thread of this environment.
    Adopt {
        socket: Arc<Socket>,
        server: Arc<ServerOptions>,
        admission: Option<Admission>,
        arriving: Arriving,
    },
    /// The connection's state was changed by the JS thread: act on it.
    Attend(Arc<Connection>),
    /// A connection to drive. Its socket is on this thread's reactor already, or is lent.
    Drive {
        connection: Arc<Connection>,
        socket: Option<Registered>,
    },
    /// Report connections of the server whose head or message took longer than this; zero: no limit.
    Expire {
        server: u32,
        headers: Duration,
        request: Duration,
    },
    /// End the thread.
    Stop,
}

/// What an I/O thread shares with the JS thread.
pub(crate) struct Shared {
    pub(crate) mailbox: Mailbox<Command>,
    pub(crate) queue: Arc<EventQueue>,
    pub(super) ids: Arc<Ids>,
    connections: Mutex<HashMap<u32, Arc<Connection>>>,
    pub(super) stopped: AtomicBool,
    /// Wakes the thread when it is to end.
    pub(super) root: Mutex<Option<Waker>>,
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

    pub(super) fn connections(&self) -> MutexGuard<'_, HashMap<u32, Arc<Connection>>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The connections of the server with this id.
    pub(crate) fn accepted_by(&self, server: u32) -> Vec<Arc<Connection>> {
        let connections = self.connections();
        let own = |connection: &&Arc<Connection>| {
            let accepted_by = connection.server.as_ref();
            accepted_by.is_some_and(|own| own.id == server)
        };
        connections.values().filter(own).cloned().collect()
    }

    /// Has the thread write what was said on a connection that it drives, soon if nothing is passed on before. Gives the round of
    /// [`Mailbox::put`]; none if it does not drive the connection yet, which the next flush is to tell of.
    pub(crate) fn put(&self, connection: &Arc<Connection>) -> Option<usize> {
        let is_driven = connection.is_driven.load(Ordering::Relaxed);
        is_driven.then(|| self.mailbox.put(Command::Attend(Arc::clone(connection))))
    }

    /// Passes commands on, and what was put in: what was said on their connections is the thread's to write.
    pub(crate) fn deliver(&self, commands: impl IntoIterator<Item = Command>) {
        self.mailbox.deliver_all(commands, |command| {
            if let Command::Attend(connection) = command {
                connection.leave_to_thread();
            }
        });
    }

    /// Bytes of connections that are over which count as taken and are still to be written.
    pub(crate) fn lingering(&self) -> usize {
        self.lingering.load(Ordering::SeqCst)
    }

    /// Lets go of a connection that has ended, and reports CLOSED, its last event.
    pub(super) fn closed(&self, id: u32, closed: Event) {
        self.connections().remove(&id);
        self.queue.push(closed);
    }
}
