//! The one way up: everything that happened on an I/O thread, in order, until JavaScript takes it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::batch::{Batch, Payload};
use super::connection::{Connection, WINDOW};

/// What an event weighs besides its bytes: its place in the queue, and what it becomes in JavaScript at least.
const EVENT: usize = 96;

/// Bytes of events that may wait for the JS thread in all, besides one read of each I/O thread. No connection is read
/// from while there are more.
pub(crate) const WINDOW_IN_ALL: usize = 8 * 1024 * 1024;

/// Which deadline passed; the number is record[2] of EXPIRED.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deadline {
    Headers = 1,
    Request = 2,
}

/// The system call that ended a connection; the number is record[3] of CLOSED.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(crate) enum Syscall {
    None = 0,
    Read = 1,
    Write = 2,
    Connect = 3,
    /// The same, of which core tells in the call.
    ConnectAtOnce = 4,
}

/// One thing that happened; `docs/BOUNDARY.md` has the table.
pub(crate) enum Event {
    Accept {
        connection: Arc<Connection>,
        listener: u32,
    },
    Closed {
        id: u32,
        errno: i32,
        syscall: Syscall,
    },
    Connected {
        id: u32,
    },
    Data {
        id: u32,
        payload: Payload,
    },
    Drain {
        id: u32,
    },
    End {
        id: u32,
        field_count: u32,
        trailers: Option<Payload>,
        /// It was the end of the connection that ended the message.
        at_eof: bool,
    },
    Eof {
        id: u32,
    },
    Expired {
        id: u32,
        deadline: Deadline,
    },
    /// FIN went out, behind what was read before.
    Fin {
        id: u32,
    },
    /// The I/O thread lends the socket, or refuses to, or wants it back; nothing for JavaScript.
    Lent {
        id: u32,
    },
    ParseError {
        id: u32,
        kind: u8,
        /// Offset in the packet; negative when it lies in an earlier one.
        bytes_parsed: i64,
        packet: Option<Payload>,
    },
    Raw {
        id: u32,
        payload: Payload,
    },
    /// Nothing connects or waits to be written any more; nothing for JavaScript.
    Rest {
        id: u32,
    },
    /// It has been encoded already.
    Encoded,
    /// A request or response head: `numbers` are record[2..7].
    Head {
        id: u32,
        response: bool,
        numbers: [i32; 5],
        text: Payload,
    },
    Timeout {
        id: u32,
    },
}

impl Event {
    /// What it counts as while it waits for JavaScript, in bytes; zero for what no peer can have come in numbers.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Data { payload, .. }
            | Self::Raw { payload, .. }
            | Self::Head { text: payload, .. } => EVENT + payload.len(),
            Self::End { trailers, .. } => EVENT + trailers.as_ref().map_or(0, Payload::len),
            Self::ParseError { packet, .. } => EVENT + packet.as_ref().map_or(0, Payload::len),
            _ => 0,
        }
    }
}

/// The wake of the JS thread of one environment, and what waits for it in all queues.
pub(crate) struct Wake {
    /// A wake is on its way to the JS thread.
    signaled: AtomicBool,
    signal: Box<dyn Fn() + Send + Sync>,
    /// What the events in all queues weigh.
    weight: AtomicUsize,
    /// Connections that are not read from because too much waits in all.
    starved: Mutex<Vec<Arc<Connection>>>,
}

impl Wake {
    /// `signal` wakes the JS thread; it must not block.
    pub(crate) fn new(signal: Box<dyn Fn() + Send + Sync>) -> Self {
        Self {
            signaled: AtomicBool::new(false),
            signal,
            weight: AtomicUsize::new(0),
            starved: Mutex::default(),
        }
    }

    /// Wakes the JS thread if no wake is on its way.
    pub(crate) fn give(&self) {
        if !self.signaled.swap(true, Ordering::SeqCst) {
            (self.signal)();
        }
    }

    /// The JS thread is awake and looks: what comes from now on needs another wake.
    pub(crate) fn taken(&self) {
        self.signaled.store(false, Ordering::SeqCst);
        #[cfg(test)]
        super::tests::model::step();
    }

    pub(super) fn add(&self, weight: usize) {
        self.weight.fetch_add(weight, Ordering::SeqCst);
    }

    pub(super) fn subtract(&self, weight: usize) {
        self.weight.fetch_sub(weight, Ordering::SeqCst);
    }

    pub(super) fn is_full(&self) -> bool {
        self.weight.load(Ordering::SeqCst) >= WINDOW_IN_ALL
    }

    fn starved(&self) -> MutexGuard<'_, Vec<Arc<Connection>>> {
        self.starved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection waits for room. False: there is some.
    pub(super) fn wait_for_room(&self, connection: &Arc<Connection>) -> bool {
        let mut starved = self.starved();
        // Asked under the lock: the JS thread makes room first and then looks here.
        let full = self.is_full();
        if full {
            starved.push(Arc::clone(connection));
        }
        full
    }

    /// Those who may go on, for there is room.
    pub(crate) fn relieved(&self) -> Vec<Arc<Connection>> {
        if self.is_full() {
            return Vec::new();
        }
        std::mem::take(&mut *self.starved())
    }
}

/// What happened on one I/O thread, or on the sockets that it lends, until the JS thread takes it.
pub(crate) struct EventQueue {
    batch: Mutex<Batch>,
    /// How often the I/O thread has looked at what waits and left it there.
    passes: AtomicUsize,
    pub(crate) wake: Arc<Wake>,
}

/// How often it may: a thread that never parks, since peers keep it busy with what makes no events, must not keep the
/// events of others.
const PASSES: usize = 64;

/// Events after which the JS thread is woken though the I/O thread is still busy.
const EAGER: usize = 64;

/// Bytes of bodies after which it is: half of what one connection may have waiting, so that reading goes on while
/// JavaScript takes them.
const EAGER_BYTES: usize = WINDOW / 2;

impl EventQueue {
    pub(crate) fn new(wake: Arc<Wake>) -> Self {
        Self {
            batch: Mutex::default(),
            passes: AtomicUsize::new(0),
            wake,
        }
    }

    /// The batch being filled. Keep the guard short: the JS thread waits for it.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Batch> {
        // A panic while appending leaves at worst one event incomplete in a Vec: still valid.
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends one event.
    pub(crate) fn push(&self, event: Event) {
        self.lock().events.push(event);
    }

    /// Is there nothing to take?
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().events.is_empty()
    }

    /// Wakes the JS thread if there is something to take and no wake is on its way.
    pub(crate) fn publish(&self) {
        if !self.is_empty() {
            #[cfg(test)]
            super::tests::model::step();
            self.wake.give();
        }
    }

    /// `publish`, once many events or bytes wait, or a few for long: the I/O thread is too busy to park.
    pub(crate) fn publish_if_many(&self) {
        let (count, weight) = {
            let batch = self.lock();
            (batch.events.len(), batch.weight())
        };
        if count == 0 {
            return;
        }
        let passes = self.passes.fetch_add(1, Ordering::Relaxed);
        if count >= EAGER || weight >= EAGER_BYTES || passes >= PASSES {
            self.passes.store(0, Ordering::Relaxed);
            self.wake.give();
        }
    }

    /// The environment is gone: lets go of all connections.
    pub(crate) fn clear(&self) {
        *self.lock() = Batch::default();
        self.wake.starved().clear();
    }

    /// Takes everything, leaving the emptied `batch` in its place. JS thread only.
    pub(crate) fn take(&self, batch: &mut Batch) {
        std::mem::swap(&mut *self.lock(), batch);
    }
}
