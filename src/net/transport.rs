//! The socket of a connection, and which of its two threads watches it.

use std::net::SocketAddr;
use std::sync::Arc;

use socket2::{SockAddr, Socket};

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

/// What is known of a connection's two ends once its socket has closed.
#[derive(Default)]
pub(super) struct Ends {
    pub(super) were_unix: bool,
    pub(super) local: Option<SocketAddr>,
    pub(super) peer: Option<SocketAddr>,
}

impl Ends {
    /// Asks a socket that is about to close; for the peer only if it is `wanted`, and not known.
    pub(super) fn note(&mut self, socket: &Socket, wanted: bool) {
        let local = socket.local_addr().ok();
        self.were_unix = local.as_ref().is_some_and(SockAddr::is_unix);
        self.local = local.and_then(|address| address.as_socket());
        if wanted && self.peer.is_none() && !self.were_unix {
            let peer = socket.peer_addr().ok();
            self.peer = peer.and_then(|address| address.as_socket());
        }
    }
}

/// A request that wakes the I/O thread only for that one to wake the JS thread arrives one wake (20 to 30 µs on a sleeping
/// machine) later than core would see it. So while little comes at a time sockets are lent: the JS thread's event loop
/// watches them, reads and writes by itself, with the same state and the same code. Only the JS thread asks for a loan. It ends
/// it, too; the sockets of a server with limits the I/O thread recalls when JavaScript is busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lending {
    None,
    Asked,
    Lent,
    /// Lent, and being read at this moment, without the lock: the I/O thread does not recall it.
    Reading,
    /// To be put back on the reactor.
    Returned,
}
