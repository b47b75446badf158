//! What one Node environment (the main thread or a worker) has of the addon: its I/O threads, its connections,
//! its listeners and the queues between them and JavaScript. Lives on the JS thread only.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use socket2::Socket;

use super::closing::Closing;
use super::encode::Encoder;
use super::ffi::{
    Exported, Failure, Records, Reference, Releases, Scope, Signal, Value, waits_for_turn,
};
use super::loan::Loans;
use crate::net::connection::{Batch, Connection, EventQueue, Wake};
use crate::net::ids::Ids;
use crate::net::io_thread::IoThread;
use crate::net::listener::Listener;
use crate::net::shared::{Command, Shared};

/// A connection as the JS thread knows it.
struct Known {
    connection: Arc<Connection>,
    /// Something was said on it since the last flush.
    marked: bool,
    /// It keeps the process alive, being referenced.
    held: bool,
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
}

pub(super) struct Environment {
    wake: Arc<Wake>,
    /// One for each I/O thread.
    queues: RefCell<Vec<Arc<EventQueue>>>,
    pub(super) ids: Arc<Ids>,
    pub(super) releases: Arc<Releases>,
    signal: Cell<Option<Signal>>,
    threads: RefCell<Vec<IoThread>>,
    known: RefCell<Vec<Option<Known>>>,
    marked: RefCell<Vec<u32>>,
    listeners: RefCell<HashMap<u32, Bound>>,
    next_listener: Cell<u32>,
    holds: Cell<u32>,
    pub(super) dispatch: RefCell<Option<Dispatch>>,
    encoder: RefCell<Encoder>,
    /// Strings on their way from JavaScript to the output.
    pub(super) scratch: RefCell<(Vec<u8>, Vec<u8>)>,
    slot: Arc<OnceLock<Signal>>,
    pub(super) loans: Loans,
    pub(super) closing: Rc<Closing>,
    /// What the raw functions point to.
    pub(super) exported: RefCell<Vec<Rc<Exported>>>,
}

impl Environment {
    pub(super) fn new() -> Self {
        let slot = Arc::new(OnceLock::<Signal>::new());
        let wake = Arc::clone(&slot);
        let wake = Arc::new(Wake::new(Box::new(move || {
            if let Some(signal) = wake.get() {
                signal.give();
            }
        })));
        Self {
            releases: Arc::new(Releases::new(Arc::clone(&wake))),
            wake,
            queues: RefCell::default(),
            ids: Arc::default(),
            signal: Cell::new(None),
            threads: RefCell::default(),
            known: RefCell::default(),
            marked: RefCell::default(),
            listeners: RefCell::default(),
            next_listener: Cell::new(0),
            holds: Cell::new(0),
            dispatch: RefCell::new(None),
            encoder: RefCell::default(),
            scratch: RefCell::default(),
            slot,
            loans: Loans::default(),
            closing: Rc::default(),
            exported: RefCell::default(),
        }
    }

    pub(super) fn set_signal(&self, signal: Signal) {
        self.signal.set(Some(signal));
        // A second start of the same environment keeps the first signal.
        let _ = self.slot.set(signal);
    }

    /// Has [`Environment::drain`] called in the next turn of the event loop.
    pub(super) fn give_signal(&self) {
        if let Some(signal) = self.signal.get() {
            signal.give();
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

    /// Listens on a bound socket, on the first of the I/O threads.
    pub(super) fn listen(
        &self,
        listener: &Arc<Listener>,
        socket: Socket,
        backlog: i32,
    ) -> io::Result<()> {
        self.threads()?;
        listener.listen(socket, backlog, &self.threads.borrow()[0])
    }

    // Connections.

    /// A connection on a socket that JavaScript was given.
    pub(super) fn adopt(
        &self,
        scope: Scope,
        socket: Socket,
        listener: &Arc<Listener>,
    ) -> io::Result<u32> {
        let connection = listener.adopt(socket, &self.threads.borrow())?;
        let id = connection.id;
        self.know(scope, connection, true);
        Ok(id)
    }

    /// Makes a connection known under its id.
    pub(super) fn know(&self, scope: Scope, connection: Arc<Connection>, held: bool) {
        let mut known = self.known.borrow_mut();
        let index = connection.id as usize;
        if known.len() <= index {
            known.resize_with(index + 1, || None);
        }
        known[index] = Some(Known {
            connection,
            marked: false,
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

    /// Connections that a listener has accepted and JavaScript has not heard of. It does now.
    pub(super) fn know_accepted(&self, scope: Scope, listener: &Listener) -> Vec<u32> {
        let mut ids = Vec::new();
        for thread in listener.threads() {
            for connection in thread.accepted_by(listener.options.id) {
                if !self.knows(&connection) {
                    ids.push(connection.id);
                    self.know(scope, connection, true);
                }
            }
        }
        ids
    }

    /// The connection with this id.
    pub(super) fn connection(&self, id: u32) -> Result<Arc<Connection>, Failure> {
        self.with(id, Arc::clone)
    }

    /// Runs `body` on the connection with this id, without counting a reference.
    pub(super) fn with<T>(
        &self,
        id: u32,
        body: impl FnOnce(&Arc<Connection>) -> T,
    ) -> Result<T, Failure> {
        match self.known.borrow().get(id as usize) {
            Some(Some(known)) => Ok(body(&known.connection)),
            _ => Err(Failure::Throw(
                "ERR_INVALID_ARG_VALUE",
                "no such connection",
            )),
        }
    }

    /// The next flush is to take this connection along.
    pub(super) fn mark(&self, id: u32) {
        if let Some(Some(known)) = self.known.borrow_mut().get_mut(id as usize)
            && !known.marked
        {
            known.marked = true;
            self.marked.borrow_mut().push(id);
        }
    }

    /// Events of a connection, of this weight, reached JavaScript.
    pub(super) fn delivered(&self, id: u32, weight: usize) {
        if self
            .with(id, |connection| connection.delivered(weight))
            .unwrap_or(false)
        {
            self.mark(id);
        }
    }

    /// Lets connections be read from that were not because too much waited in all.
    fn relieve(&self) {
        for connection in self.wake.relieved() {
            connection.relieve();
            self.attend(&connection);
        }
    }

    /// A connection that is not referenced holds the process while it is being made or has something to write.
    pub(super) fn hold_while_working(&self, scope: Scope, id: u32) {
        let mut known = self.known.borrow_mut();
        if let Some(Some(known)) = known.get_mut(id as usize)
            && !known.working
            && known.connection.is_working()
        {
            known.working = true;
            self.hold(scope, true);
        }
    }

    /// It is made, and everything is written.
    pub(super) fn rest(&self, scope: Scope, id: u32) {
        if let Some(Some(known)) = self.known.borrow_mut().get_mut(id as usize)
            && std::mem::take(&mut known.working)
        {
            self.hold(scope, false);
        }
    }

    pub(super) fn hold_connection(&self, scope: Scope, id: u32, hold: bool) {
        if let Some(Some(known)) = self.known.borrow_mut().get_mut(id as usize)
            && known.held != hold
        {
            known.held = hold;
            self.hold(scope, hold);
        }
    }

    /// Forgets a connection; its id may be used again.
    pub(super) fn forget(&self, scope: Scope, id: u32) {
        let known = self
            .known
            .borrow_mut()
            .get_mut(id as usize)
            .and_then(Option::take);
        if let Some(known) = known {
            self.ids.give_back(id);
            self.forget_loan(id);
            for holds in [known.held, known.working] {
                if holds {
                    self.hold(scope, false);
                }
            }
        }
    }

    /// Counts what keeps the process alive.
    fn hold(&self, scope: Scope, hold: bool) {
        let before = self.holds.get();
        let after = if hold {
            before + 1
        } else {
            before.saturating_sub(1)
        };
        self.holds.set(after);
        if let Some(signal) = self.signal.get()
            && (before == 0) != (after == 0)
        {
            signal.hold(scope, after != 0);
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

    pub(super) fn hold_listener(&self, scope: Scope, id: u32, hold: bool) {
        let mut listeners = self.listeners.borrow_mut();
        if let Some(bound) = listeners.get_mut(&id)
            && bound.held != hold
        {
            bound.held = hold;
            self.hold(scope, hold);
        }
    }

    /// Stops listening at once. Connections live on.
    pub(super) fn close_listener(&self, scope: Scope, id: u32) {
        let Some(bound) = self.listeners.borrow_mut().remove(&id) else {
            return;
        };
        bound.listener.close();
        if bound.held {
            self.hold(scope, false);
        }
    }

    // The two ways.

    /// Hands everything marked to the I/O threads, with at most one wake each.
    pub(super) fn flush(&self, scope: Scope) {
        let marked = std::mem::take(&mut *self.marked.borrow_mut());
        for id in &marked {
            if self.is_unreferenced(*id) {
                self.hold_while_working(scope, *id);
            }
            // A driver two has no thread, and nothing to write.
            let _ = self.with(*id, |connection| {
                if connection.is_asked_for() {
                    connection.flush_from_js();
                }
            });
        }
        if let [id] = marked[..] {
            if let Some(connection) = self.unmark(id) {
                self.flush_one(&connection);
            }
        } else {
            self.flush_many(&marked);
        }
        // Keeps its memory for the next turn, unless JavaScript marked more meanwhile, which it cannot.
        let mut empty = marked;
        empty.clear();
        *self.marked.borrow_mut() = empty;
    }

    fn is_unreferenced(&self, id: u32) -> bool {
        match self.known.borrow().get(id as usize) {
            Some(Some(known)) => !known.held && known.connection.thread().is_some(),
            _ => false,
        }
    }

    fn flush_one(&self, connection: &Arc<Connection>) {
        let Some(thread) = connection.thread() else {
            return;
        };
        let lent = self.loans.includes(connection.id);
        // Waking a sleeping thread would cost as much as writing, and reach the peer later.
        if !lent && !self.threads.borrow()[thread].shared.mailbox.is_asleep() {
            self.attend(connection);
            return;
        }
        let done = connection.flush_from_js();
        if lent && !done {
            self.end_loan(connection.id);
        } else if !done {
            self.attend(connection);
        } else if !lent {
            self.consider_loan(connection);
        }
    }

    fn flush_many(&self, marked: &[u32]) {
        for id in marked {
            if self.loans.includes(*id)
                && let Some(connection) = self.unmark(*id)
            {
                self.flush_one(&connection);
            }
        }
        for (index, thread) in self.threads.borrow().iter().enumerate() {
            let commands = marked.iter().filter_map(|id| {
                let known = self.known.borrow();
                let known = known.get(*id as usize)?.as_ref()?;
                let ours = known.marked && known.connection.thread() == Some(index);
                ours.then(|| Command::Attend(Arc::clone(&known.connection)))
            });
            let commands: Vec<_> = commands.collect();
            if !commands.is_empty() {
                thread.shared.mailbox.deliver(commands);
            }
        }
        for id in marked {
            self.unmark(*id);
        }
    }

    /// Has the I/O thread look at a connection.
    pub(super) fn attend(&self, connection: &Arc<Connection>) {
        if let Some(thread) = connection.thread() {
            self.threads.borrow()[thread]
                .shared
                .mailbox
                .deliver([Command::Attend(Arc::clone(connection))]);
        }
    }

    fn unmark(&self, id: u32) -> Option<Arc<Connection>> {
        let mut known = self.known.borrow_mut();
        let known = known.get_mut(id as usize)?.as_mut()?;
        known.marked = false;
        Some(Arc::clone(&known.connection))
    }

    /// Writes all that waits, as far as the kernel takes it, and has what counts as taken reach the kernel: the process, or
    /// the worker, is about to end.
    pub(super) fn flush_now(&self) {
        for known in self.known.borrow().iter().flatten() {
            if known.connection.has_output() && !known.connection.flush_from_js() {
                // The driver, which waits for room in the kernel's buffer.
                self.attend(&known.connection);
            }
        }
        self.await_promised();
    }

    /// Waits until the I/O threads have written what counts as taken, for as long as peers read it.
    fn await_promised(&self) {
        let began = Instant::now();
        let (mut least, mut since) = (usize::MAX, began);
        loop {
            let promised = self.promised();
            let now = Instant::now();
            if promised < least {
                (least, since) = (promised, now);
            }
            if promised == 0 || now - since > STANDSTILL || now - began > FAREWELL {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn promised(&self) -> usize {
        let known = self.known.borrow();
        let connections = known.iter().flatten();
        let promised: usize = connections.map(|known| known.connection.promised()).sum();
        let threads = self.threads.borrow();
        let lingering = threads.iter().map(|thread| thread.shared.lingering());
        promised + lingering.sum::<usize>()
    }

    /// Gives JavaScript what happened. Called on the JS thread by the signal.
    pub(super) fn drain(&self, scope: Scope) {
        self.wake.taken();
        self.releases.release(scope);
        // A refusal means that the environment is going away: there is nobody left to tell.
        let _ = self.drain_queues(scope);
    }

    fn drain_queues(&self, scope: Scope) -> Result<(), Failure> {
        self.reconsider_loans();
        let began = Instant::now();
        // Twice: what came while JavaScript ran is taken along; more waits, so that timers get their turn.
        for _ in 0..2 * self.queues.borrow().len() {
            if self.closing.postpones() {
                return Ok(());
            }
            if !self.encoder.borrow_mut().refill(&self.queues.borrow()) {
                return Ok(());
            }
            loop {
                let more = scope.nested(|| self.dispatch_some(scope))?;
                if !self.marked.borrow().is_empty() {
                    self.flush(scope);
                }
                self.relieve();
                if !more {
                    break;
                }
                if self.encoder.borrow().is_at_end_of_stream() && waits_for_turn(scope) {
                    // What the bytes before it led to, immediates included, comes first.
                    self.closes(scope)?;
                    self.closing.postpones();
                    return Ok(());
                }
                if began.elapsed() > TURN {
                    self.wake.give();
                    return Ok(());
                }
            }
            self.end_round(scope)?;
        }
        if self.queues.borrow().iter().any(|queue| !queue.is_empty()) {
            self.wake.give();
        }
        Ok(())
    }

    /// Encodes and dispatches as many events as the records hold. False when none are left.
    fn dispatch_some(&self, scope: Scope) -> Result<bool, Failure> {
        let (function, count) = {
            let mut dispatch = self.dispatch.borrow_mut();
            let Some(dispatch) = &mut *dispatch else {
                return Ok(false);
            };
            let values = scope.dereference(&dispatch.values)?;
            self.loans.begin_batch();
            let count = self.encoder.borrow_mut().encode(
                self,
                scope,
                dispatch.records.numbers(),
                values,
            )?;
            (scope.dereference(&dispatch.function)?, count)
        };
        if count == 0 {
            return Ok(false);
        }
        scope.call(function, scope.integer(count)?)?;
        Ok(!self.encoder.borrow().is_empty())
    }

    /// Encodes the events of one connection that were not queued (driver two) into fresh arrays.
    pub(super) fn encode_now(
        &self,
        scope: Scope,
        batch: Batch,
    ) -> Result<(Vec<i32>, Value), Failure> {
        let values = scope.array()?;
        let mut encoder = Encoder::from(batch);
        let mut numbers = vec![0; encoder.remaining() * super::encode::STRIDE];
        encoder.encode(self, scope, &mut numbers, values)?;
        Ok((numbers, values))
    }

    /// Ends the I/O threads: the environment is being torn down.
    pub(super) fn close(&self) {
        self.closing.forget();
        self.end_loans();
        self.flush_now();
        // Joined here, so that nobody signals afterwards.
        self.threads.borrow_mut().clear();
        // What nobody will hear of holds connections, which hold their queue.
        for queue in self.queues.borrow_mut().drain(..) {
            queue.clear();
        }
        self.encoder.borrow_mut().clear();
        for (_, bound) in self.listeners.borrow_mut().drain() {
            bound.listener.close();
        }
        self.known.borrow_mut().clear();
        if let Some(signal) = self.signal.take() {
            signal.release();
        }
    }
}

/// How long one call of the event loop may dispatch, about: then others have their turn, as with a flood of one peer's.
const TURN: Duration = Duration::from_millis(10);

/// How long the end of the process waits for what counts as taken: while peers read on, and in all.
const STANDSTILL: Duration = Duration::from_millis(500);
const FAREWELL: Duration = Duration::from_secs(5);

/// I/O threads an environment has: `HTTP_NATIVE_IO_THREADS`, 1 to 64; one if unset or not a number.
fn wanted_threads() -> usize {
    std::env::var("HTTP_NATIVE_IO_THREADS")
        .ok()
        .and_then(|wanted| wanted.parse::<usize>().ok())
        .map_or(1, |wanted| wanted.clamp(1, 64))
}
