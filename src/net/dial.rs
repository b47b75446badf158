//! Outgoing connections.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use super::socket::{is_in_progress, set_keep_alive};

/// Where to connect to, and how.
pub(crate) enum Target {
    Tcp {
        remote: SocketAddr,
        local: Option<SocketAddr>,
        no_delay: bool,
        /// TCP keep-alive and its initial delay.
        keep_alive: Option<Duration>,
    },
    Unix(PathBuf),
}

/// The way to a target. It begins on the I/O thread, or before that on the JS thread, if JavaScript asks for what only a
/// socket knows: core begins in the call.
pub(crate) struct Dial {
    target: Target,
    /// What came of the beginning, until the I/O thread takes it. This lock is held while the kernel begins, which does
    /// not wait for the peer.
    begun: Mutex<Begun>,
}

enum Begun {
    Not,
    Yes(io::Result<Socket>),
    Taken,
}

impl Dial {
    pub(crate) fn new(target: Target) -> Self {
        Self {
            target,
            begun: Mutex::new(Begun::Not),
        }
    }

    fn begin(&self) -> MutexGuard<'_, Begun> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if let Begun::Not = *begun {
            *begun = Begun::Yes(self.target.connect());
        }
        begun
    }

    /// Gives the socket to `open`, before the JS thread can ask for it. On the I/O thread; `None` the second time.
    pub(super) fn take<T>(&self, open: impl FnOnce(io::Result<Socket>) -> T) -> Option<T> {
        let mut begun = self.begin();
        match std::mem::replace(&mut *begun, Begun::Taken) {
            Begun::Yes(result) => Some(open(result)),
            Begun::Not | Begun::Taken => None,
        }
    }

    /// Our end of the socket; `None` if the I/O thread has it.
    pub(super) fn local_address(&self) -> Option<io::Result<SockAddr>> {
        match &*self.begin() {
            Begun::Yes(Ok(socket)) => Some(socket.local_addr()),
            Begun::Yes(Err(error)) => Some(Err(error.kind().into())),
            Begun::Not | Begun::Taken => None,
        }
    }

    /// True if core tells an error of the beginning in the call, not by an event behind it (libuv's `uv__tcp_connect`).
    pub(super) fn fails_at_once(&self, error: &io::Error) -> bool {
        matches!(self.target, Target::Tcp { .. })
            && error.kind() != io::ErrorKind::ConnectionRefused
    }
}

impl Target {
    /// Begins to connect. The socket becomes writable when the peer has answered or refused.
    fn connect(&self) -> io::Result<Socket> {
        let (socket, address) = match self {
            Self::Tcp {
                remote,
                local,
                no_delay,
                keep_alive,
            } => {
                let socket = Socket::new(Domain::for_address(*remote), Type::STREAM, None)?;
                if let Some(local) = local {
                    socket.set_reuse_address(true)?;
                    socket.bind(&SockAddr::from(*local))?;
                }
                if *no_delay {
                    let _ = socket.set_tcp_nodelay(true);
                }
                if let Some(delay) = keep_alive {
                    let _ = set_keep_alive(&socket, true, *delay);
                }
                (socket, SockAddr::from(*remote))
            }
            Self::Unix(path) => (
                Socket::new(Domain::UNIX, Type::STREAM, None)?,
                SockAddr::unix(path)?,
            ),
        };
        socket.set_nonblocking(true)?;
        match socket.connect(&address) {
            Ok(()) => Ok(socket),
            Err(error) if is_in_progress(&error) => Ok(socket),
            Err(error) => Err(error),
        }
    }
}
