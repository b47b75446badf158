//! The one way up: everything that happened on the I/O threads, in order, until JavaScript takes it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::connection::Connection;

/// Where bytes of an event are: small ones share the buffer of the batch.
pub(crate) enum Payload {
    /// `batch.bytes[start..start + len]`.
    Batch { start: usize, len: usize },
    /// Memory of its own.
    Owned(Vec<u8>),
}

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

/// Events and the bytes that their [`Payload`]s point into.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) events: Vec<Event>,
    /// Where in `events` packets begin, in order: what one read of a connection brought.
    packets: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

/// Body pieces from this size on travel in memory of their own.
const OWNED: usize = 4 * 1024;

/// A batch buffer that grew past this is given back.
const KEPT: usize = 256 * 1024;

impl Batch {
    pub(crate) fn payload(&mut self, bytes: &[u8]) -> Payload {
        if bytes.len() >= OWNED {
            return Payload::Owned(bytes.to_vec());
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        Payload::Batch {
            start,
            len: bytes.len(),
        }
    }

    /// What is appended meanwhile came in one packet.
    pub(super) fn packet(&mut self, append: impl FnOnce(&mut Self)) {
        let first = self.events.len();
        append(self);
        if self.events.len() > first {
            self.packets.push(first);
        }
    }

    /// Where packets begin in `events`.
    pub(crate) fn packets(&self) -> &[usize] {
        &self.packets
    }

    /// Empties the batch and keeps its memory, within bounds.
    pub(crate) fn clear(&mut self) {
        self.events.clear();
        self.packets.clear();
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
    }
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

    /// `publish`, once many events wait: the I/O thread is too busy to park.
    pub(crate) fn publish_if_many(&self) {
        if self.lock().events.len() >= EAGER && !self.signaled.swap(true, Ordering::SeqCst) {
            (self.signal)();
        }
    }

    /// Takes everything, leaving the emptied `batch` in its place. JS thread only.
    pub(crate) fn take(&self, batch: &mut Batch) {
        self.signaled.store(false, Ordering::SeqCst);
        std::mem::swap(&mut *self.lock(), batch);
    }
}
