//! The one way up: everything that happened on the I/O threads, in order, until JavaScript takes it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::batch::{Batch, Payload};
use super::connection::{Connection, WINDOW};

/// Which deadline passed; the number is record[2] of EXPIRED.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deadline {
    Headers = 1,
    Request = 2,
}

/// The system call that ended a connection; the number is record[3] of CLOSED.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Written bodies whose JS memory waits in the release list; nothing for JavaScript.
    Release,
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

/// The queue between the I/O threads and the JS thread of one environment.
pub(crate) struct EventQueue {
    batch: Mutex<Batch>,
    /// A wake is on its way to the JS thread.
    signaled: AtomicBool,
    signal: Box<dyn Fn() + Send + Sync>,
}

/// Events after which the JS thread is woken though the I/O thread is still busy.
const EAGER: usize = 64;

/// Bytes of bodies after which it is: half of what one connection may have waiting, so that reading goes on while
/// JavaScript takes them.
const EAGER_BYTES: usize = WINDOW / 2;

impl EventQueue {
    /// `signal` wakes the JS thread; it must not block.
    pub(crate) fn new(signal: Box<dyn Fn() + Send + Sync>) -> Self {
        Self {
            batch: Mutex::default(),
            signaled: AtomicBool::new(false),
            signal,
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

    /// Wakes the JS thread if there is something to take and no wake is on its way.
    pub(crate) fn publish(&self) {
        if !self.lock().events.is_empty() && !self.signaled.swap(true, Ordering::SeqCst) {
            (self.signal)();
        }
    }

    /// `publish`, once many events or bytes wait: the I/O thread is too busy to park.
    pub(crate) fn publish_if_many(&self) {
        let many = {
            let batch = self.lock();
            batch.events.len() >= EAGER || batch.weight() >= EAGER_BYTES
        };
        if many && !self.signaled.swap(true, Ordering::SeqCst) {
            (self.signal)();
        }
    }

    /// Takes everything, leaving the emptied `batch` in its place. JS thread only.
    pub(crate) fn take(&self, batch: &mut Batch) {
        self.signaled.store(false, Ordering::SeqCst);
        std::mem::swap(&mut *self.lock(), batch);
    }
}
