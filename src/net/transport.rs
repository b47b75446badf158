//! The socket of a connection, and which of its two threads watches it.

use std::sync::Arc;

use socket2::Socket;

/// The socket. The I/O thread's reactor watches it, or, while it is lent, the JS thread's event loop.
#[derive(Clone)]
pub(crate) enum Transport {
    /// Driver two, or a closed connection.
    None,
    Socket(Arc<Socket>),
}

impl Transport {
    pub(crate) fn socket(&self) -> Option<&Arc<Socket>> {
        match self {
            Self::None => None,
            Self::Socket(socket) => Some(socket),
        }
    }
}

/// A request that wakes the I/O thread only for that one to wake the JS thread arrives one wake (20 to 30 µs on a sleeping
/// machine) later than core would see it. So while little comes at a time sockets are lent: the JS thread's event loop
/// watches them, reads and writes by itself, with the same state and the same code. Only the JS thread asks for a loan. It ends
/// it, too; the sockets of a server with limits the I/O thread takes back when JavaScript is busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lending {
    None,
    Asked,
    Lent,
    /// Lent, and being read at this moment, without the lock: the I/O thread does not take it back.
    Reading,
    /// To be put back on the reactor.
    Returned,
}
