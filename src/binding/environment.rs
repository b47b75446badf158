//! What one Node environment (the main thread or a worker) has of the addon: its I/O threads, its connections,
//! its listeners and the queues between them and JavaScript. Lives on the JS thread only.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use socket2::Socket;

use super::closing::Closing;
use super::dials::Dials;
use super::encoder::Encoder;
use super::ffi::{
    Exports, Failure, LoopWatch, PANIC, Records, Reference, Releases, Scope, Signal, Wakes,
};
use super::listeners::Listeners;
use super::loans::Loans;
use super::stats::Blocks;
use crate::net::connection::{Connection, EventQueue, Wake};
use crate::net::ids::Ids;
use crate::net::io_thread::IoThread;
use crate::net::listener::Listener;
use crate::net::shared::{Command, Shared};

/// A connection as the JS thread knows it.
pub(super) struct Known {
    pub(super) connection: Arc<Connection>,
    /// Something was said on it since the last flush.
    pub(super) marked: bool,
    /// Its I/O thread attends to it in this round at the latest ([`Shared::put`]).
    pub(super) put: Option<usize>,
    /// It keeps the process alive, being referenced.
    pub(super) held: bool,
    /// It keeps the process alive, whatever was said about that, until it is made and what was said is written: in libuv
    /// requests to connect and to write do.
    working: bool,
}

/// A listener as the JS thread knows it.
pub(super) struct Bound {
    pub(super) listener: Arc<Listener>,
    /// It listens, and keeps the process alive.
    held: bool,
}

/// Where batches go.
pub(super) struct Dispatch {
    pub(super) function: Reference,
    pub(super) values: Reference,
    pub(super) records: Records,
    /// Where the events go of a call that fed bytes.
    pub(super) fed_values: Reference,
    pub(super) fed_records: Records,
}

impl Wakes for Wake {
    fn give(&self) {
        Self::give(self);
    }
}

pub(super) struct Environment {
    pub(super) wake: Arc<Wake>,
    /// One for each I/O thread.
    pub(super) queues: RefCell<Vec<Arc<EventQueue>>>,
    pub(super) ids: Arc<Ids>,
    pub(super) releases: Arc<Releases<Wake>>,
    pub(super) signal: Signal,
    pub(super) threads: RefCell<Vec<IoThread>>,
    pub(super) known: RefCell<Vec<Option<Known>>>,
    pub(super) marked: RefCell<Vec<u32>>,
    /// Connections carried since the last flush, with which their I/O threads begin: by the threads' places.
    pub(super) carried: RefCell<Vec<(usize, Command)>>,
    pub(super) listeners: RefCell<HashMap<u32, Bound>>,
    next_listener: Cell<u32>,
    holds: Cell<u32>,
    pub(super) dispatch: RefCell<Option<Dispatch>>,
    pub(super) encoder: RefCell<Encoder>,
    /// What the event loop has found is being told: its pending phase comes behind that.
    pub(super) polls: Cell<bool>,
    /// The events of the call that feeds bytes.
    pub(super) fed: RefCell<Encoder>,
    /// Strings on their way from JavaScript to the output.
    pub(super) scratch: RefCell<(Vec<u8>, Vec<u8>)>,
    pub(super) loans: Loans,
    pub(super) dials: Dials,
    /// Those at which this thread accepts.
    pub(super) accepts_at: Listeners,
    pub(super) blocks: Blocks,
    pub(super) closing: Closing,
    /// What the raw functions point to.
    pub(super) exports: Exports<Self>,
}

impl Environment {
    pub(super) fn new() -> Self {
        let signal = Signal::default();
        let given = signal.clone();
        let wake = Arc::new(Wake::new(Box::new(move || given.give())));
        Self {
            releases: Arc::new(Releases::new(Arc::clone(&wake))),
            wake,
            queues: RefCell::default(),
            ids: Arc::default(),
            signal,
            threads: RefCell::default(),
            known: RefCell::default(),
            marked: RefCell::default(),
            carried: RefCell::default(),
            listeners: RefCell::default(),
            next_listener: Cell::new(0),
            holds: Cell::new(0),
            dispatch: RefCell::new(None),
            encoder: RefCell::default(),
            polls: Cell::new(false),
            fed: RefCell::default(),
            scratch: RefCell::default(),
            loans: Loans::default(),
            dials: Dials::default(),
            accepts_at: Listeners::default(),
            blocks: Blocks::default(),
            closing: Closing::default(),
            exports: Exports::default(),
        }
    }

    /// The I/O threads, started at the first use.
    pub(super) fn threads(&self) -> io::Result<Vec<Arc<Shared>>> {
        let mut threads = self.threads.borrow_mut();
        if threads.is_empty() {
            for index in 0..wanted_threads() {
                let queue = Arc::new(EventQueue::new(index, Arc::clone(&self.wake)));
                self.queues.borrow_mut().push(Arc::clone(&queue));
                threads.push(IoThread::start(index, queue, Arc::clone(&self.ids))?);
            }
        }
        Ok(threads
            .iter()
            .map(|thread| Arc::clone(&thread.shared))
            .collect())
    }

    /// Measures the turns of the event loop from now on.
    pub(super) fn watch_turns(&self, scope: Scope<'_>) {
        let mut watch = self.blocks.watch.borrow_mut();
        if watch.is_none() {
            *watch = LoopWatch::start(scope, self).ok();
        }
    }

    // Connections.

    /// A connection on a socket that JavaScript was given.
    pub(super) fn adopt(
        &self,
        scope: Scope<'_>,
        socket: Socket,
        listener: &Arc<Listener>,
    ) -> io::Result<u32> {
        let connection = caught(|| listener.adopt(socket, &self.threads.borrow()))?;
        let id = connection.id;
        self.know(scope, connection, true);
        Ok(id)
    }

    /// Has the I/O threads drive what was carried.
    pub(super) fn drive_carried(&self) {
        let mut carried = self.carried.borrow_mut();
        for (thread, drive) in carried.drain(..) {
            self.threads.borrow()[thread]
                .shared
                .mailbox
                .deliver([drive]);
        }
    }

    /// Makes a connection known under its id.
    pub(super) fn know(&self, scope: Scope<'_>, connection: Arc<Connection>, held: bool) {
        let mut known = self.known.borrow_mut();
        let index = connection.id as usize;
        if known.len() <= index {
            known.resize_with(index + 1, || None);
        }
        known[index] = Some(Known {
            connection,
            marked: false,
            put: None,
            held,
            working: false,
        });
        drop(known);
        if held {
            self.hold(scope, true);
        }
    }

    pub(super) fn knows(&self, connection: &Arc<Connection>) -> bool {
        self.with(connection.id, |known| Arc::ptr_eq(known, connection))
            .unwrap_or(false)
    }

    /// The connection with this id.
    pub(super) fn connection(&self, id: u32) -> Result<Arc<Connection>, Failure> {
        self.with(id, Arc::clone)
    }

    /// Runs `body` on the connection with this id, without counting a reference. If it panics, the connection ends.
    pub(super) fn with<T>(
        &self,
        id: u32,
        body: impl FnOnce(&Arc<Connection>) -> T,
    ) -> Result<T, Failure> {
        match self.known.borrow().get(id as usize) {
            Some(Some(known)) => self.guarded(&known.connection, body),
            _ => Err(Failure::Throw(
                "ERR_INVALID_ARG_VALUE",
                "no such connection",
            )),
        }
    }

    // A panic on the JS thread ends the connection that it hit, and nothing else. A native one ends as if its socket had failed:
    // with CLOSED, and EIO. The call that hit it gives nothing then, and throws nothing, since the application that it comes from
    // has done nothing wrong. Of a driver two no event can tell: there the call throws.

    /// Does something with a connection, which ends if that panics.
    pub(super) fn guarded<T>(
        &self,
        connection: &Arc<Connection>,
        body: impl FnOnce(&Arc<Connection>) -> T,
    ) -> Result<T, Failure> {
        std::panic::catch_unwind(AssertUnwindSafe(|| body(connection)))
            .map_err(|_| self.break_off(connection))
    }

    /// Ends a connection that a panic has hit, and gives what the call comes to.
    #[cold]
    pub(super) fn break_off(&self, connection: &Arc<Connection>) -> Failure {
        connection.break_off();
        self.attend(connection);
        if connection.thread().is_some() {
            Failure::Broken
        } else {
            PANIC
        }
    }

    /// Has the next flush include this connection. There is nothing in it for one of driver two.
    pub(super) fn mark(&self, id: u32) {
        if let Some(Some(known)) = self.known.borrow_mut().get_mut(id as usize)
            && !known.marked
            && known.connection.thread().is_some()
        {
            known.marked = true;
            self.marked.borrow_mut().push(id);
        }
    }

    /// Counts events of a connection, of this weight and with so many heads, that reached JavaScript.
    pub(super) fn delivered(&self, id: u32, weight: usize, heads: usize) {
        if self
            .with(id, |connection| connection.delivered(weight, heads))
            .unwrap_or(false)
        {
            self.mark(id);
        }
    }

    /// Keeps the process alive for a connection that is not referenced, while it is being made or has something to write.
    pub(super) fn hold_while_working(&self, scope: Scope<'_>, id: u32) {
        let mut known = self.known.borrow_mut();
        if let Some(Some(known)) = known.get_mut(id as usize)
            && !known.working
            && known.connection.is_working()
        {
            known.working = true;
            self.hold(scope, true);
        }
    }

    /// Ends that: the connection is made, and everything is written.
    pub(super) fn rest(&self, scope: Scope<'_>, id: u32) {
        if let Some(Some(known)) = self.known.borrow_mut().get_mut(id as usize)
            && std::mem::take(&mut known.working)
        {
            self.hold(scope, false);
        }
    }

    pub(super) fn hold_connection(&self, scope: Scope<'_>, id: u32, hold: bool) {
        if let Some(Some(known)) = self.known.borrow_mut().get_mut(id as usize)
            && known.held != hold
        {
            known.held = hold;
            self.hold(scope, hold);
        }
    }

    /// Forgets a connection; its id may be used again. `written` is what its stream has written, of a driver two.
    pub(super) fn forget(&self, scope: Scope<'_>, id: u32, written: u64) {
        let known = self
            .known
            .borrow_mut()
            .get_mut(id as usize)
            .and_then(Option::take);
        if let Some(known) = known {
            // Not known any more: nothing hears that it ends.
            let _ = self.guarded(&known.connection, |connection| connection.released(written));
            self.ids.give_back(id);
            self.loans.forget(id);
            self.accepts_at.tells(id);
            for holds in [known.held, known.working] {
                if holds {
                    self.hold(scope, false);
                }
            }
        }
    }

    /// Counts what keeps the process alive: one more, or one less.
    pub(super) fn hold(&self, scope: Scope<'_>, hold: bool) {
        let before = self.holds.get();
        let after = if hold {
            before + 1
        } else {
            before.saturating_sub(1)
        };
        self.holds.set(after);
        if (before == 0) != (after == 0) {
            self.signal.hold(scope, after != 0);
        }
    }

    // Listeners.

    pub(super) fn next_listener(&self) -> u32 {
        let id = self.next_listener.get();
        self.next_listener.set(id + 1);
        id
    }

    pub(super) fn add_listener(&self, listener: Arc<Listener>) {
        self.listeners.borrow_mut().insert(
            listener.options.id,
            Bound {
                listener,
                held: false,
            },
        );
    }

    pub(super) fn with_listener<T>(&self, id: u32, body: impl FnOnce(&Bound) -> T) -> Option<T> {
        self.listeners.borrow().get(&id).map(body)
    }

    pub(super) fn hold_listener(&self, scope: Scope<'_>, id: u32, hold: bool) {
        let mut listeners = self.listeners.borrow_mut();
        if let Some(bound) = listeners.get_mut(&id)
            && bound.held != hold
        {
            bound.held = hold;
            self.hold(scope, hold);
        }
    }

    /// Stops listening at once. Connections live on.
    pub(super) fn close_listener(&self, scope: Scope<'_>, id: u32) {
        let Some(bound) = self.listeners.borrow_mut().remove(&id) else {
            return;
        };
        self.accepts_at.unwatch(id);
        bound.listener.close();
        if bound.held {
            self.hold(scope, false);
        }
    }

    /// Has the I/O thread look at a connection.
    pub(super) fn attend(&self, connection: &Arc<Connection>) {
        if let Some(thread) = connection.thread() {
            self.threads.borrow()[thread]
                .shared
                .deliver(Command::attend(connection));
        }
    }
}

/// EIO for a panic.
pub(super) fn caught<T>(body: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let result = std::panic::catch_unwind(AssertUnwindSafe(body));
    result.unwrap_or_else(|_| Err(io::Error::from_raw_os_error(5)))
}

/// I/O threads an environment has: `HTTP_NATIVE_IO_THREADS`, 1 to 64; one if unset or not a number.
fn wanted_threads() -> usize {
    std::env::var("HTTP_NATIVE_IO_THREADS")
        .ok()
        .and_then(|wanted| wanted.parse::<usize>().ok())
        .map_or(1, |wanted| wanted.clamp(1, 64))
}
