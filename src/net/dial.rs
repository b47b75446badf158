//! Outgoing connections.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use super::listener::set_keep_alive;

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

impl Target {
    /// Begins to connect. The socket becomes writable when the peer has answered or refused.
    pub(super) fn connect(&self) -> io::Result<Socket> {
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

fn is_in_progress(error: &io::Error) -> bool {
    // EINPROGRESS has no stable ErrorKind: 115 on Linux, 36 on macOS and the BSDs.
    const EINPROGRESS: i32 = if cfg!(target_os = "linux") { 115 } else { 36 };
    error.raw_os_error() == Some(EINPROGRESS)
}
