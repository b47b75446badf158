//! What happened on a connection, for JavaScript.

use std::sync::Arc;

use super::head_flags::ANSWERED;
use crate::numbers::Table;

/// What an event weighs besides its bytes: its place in the queue, and what it becomes in JavaScript at least.
pub(super) const EVENT: usize = 96;

/// EIO, negative: what a connection ends with that a bug of ours has hit.
pub(crate) const BROKEN: i32 = -5;

/// Which deadline passed; the number is record[2] of EXPIRED.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deadline {
    Headers = 1,
    Request = 2,
}

/// Deadlines as JavaScript knows them.
pub(crate) const DEADLINES: Table = &[
    ("HEADERS", Deadline::Headers as i32),
    ("REQUEST", Deadline::Request as i32),
];

/// The system call that ended a connection; the number is record[3] of CLOSED.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(crate) enum Syscall {
    None = 0,
    Read = 1,
    Write = 2,
    Connect = 3,
}

/// System calls as JavaScript knows them.
pub(crate) const SYSCALLS: Table = &[
    ("NONE", Syscall::None as i32),
    ("READ", Syscall::Read as i32),
    ("WRITE", Syscall::Write as i32),
    ("CONNECT", Syscall::Connect as i32),
];

/// Where bytes of an event are.
pub(crate) enum Payload {
    /// Small ones share memory: `batch.bytes[start..start + len]`.
    Batch { start: usize, len: usize },
    /// In the read buffer that brought them: `batch.buffers[buffer][start..start + len]`.
    Read {
        buffer: usize,
        start: usize,
        len: usize,
    },
    /// Memory of its own.
    Owned(Vec<u8>),
}

impl Payload {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Batch { len, .. } | Self::Read { len, .. } => *len,
            Self::Owned(bytes) => bytes.len(),
        }
    }
}

/// One thing that happened; `docs/BOUNDARY.md` has the table. `C` is the connection: what an ACCEPT brings, of which
/// nothing is known here.
pub(crate) enum Event<C> {
    Accept {
        connection: Arc<C>,
        listener: u32,
    },
    Closed {
        id: u32,
        errno: i32,
        syscall: Syscall,
        /// JavaScript has destroyed the connection, and tells of its end by itself.
        is_destroyed: bool,
    },
    Data {
        id: u32,
        payload: Payload,
    },
    /// A socket has connected, or has not: a negative errno.
    Dialled {
        id: u32,
        errno: i32,
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
        /// There is something to fetch with `takeNoted`.
        noted: bool,
    },
    Eof {
        id: u32,
    },
    Expired {
        id: u32,
        deadline: Deadline,
    },
    /// Of a stream: what arrives is beyond a limit of the server, and nothing more is parsed. JavaScript gives the answer and ends it.
    Cut {
        id: u32,
    },
    /// Something was turned away by the limits of the server whose stats have this number.
    Limited {
        owner: u32,
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

impl<C> Event<C> {
    /// Marks a head that is not for the application: JavaScript gives the answer that was made here.
    pub(super) fn answered(&mut self) {
        if let Self::Head { numbers, .. } = self {
            numbers[0] |= ANSWERED;
        }
    }

    /// True for CLOSED of a connection that JavaScript has destroyed.
    pub(crate) fn ends_destroyed(&self) -> bool {
        matches!(
            self,
            Self::Closed {
                is_destroyed: true,
                ..
            }
        )
    }

    /// The connection, if it is what reading from its socket has brought.
    pub(super) fn read_from(&self) -> Option<u32> {
        match self {
            Self::Cut { id }
            | Self::Data { id, .. }
            | Self::End { id, .. }
            | Self::Eof { id }
            | Self::Head { id, .. }
            | Self::ParseError { id, .. }
            | Self::Raw { id, .. } => Some(*id),
            _ => None,
        }
    }

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
