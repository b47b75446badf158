//! Sockets that connect, on the JS thread: what libuv does for its handles (`uv__tcp_connect`).

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};

use super::socket::errno;

/// A socket that connects.
pub(crate) struct Dialled {
    /// Writable when it has, or has failed: then it has the error.
    pub(crate) socket: Socket,
    /// It was refused at once, which is told later: a negative errno, or 0.
    pub(crate) refused: i32,
}

/// Has a new socket connect.
///
/// # Errors
/// There is no socket, or no way to the address.
pub(crate) fn dial(address: SocketAddr) -> io::Result<Dialled> {
    let socket = stream(Domain::for_address(address))?;
    let refused = match socket.connect(&address.into()) {
        Ok(()) => 0,
        Err(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused => errno(&error),
            io::ErrorKind::Interrupted => 0,
            _ if is_in_progress(&error) => 0,
            _ => return Err(error),
        },
    };
    Ok(Dialled { socket, refused })
}

#[cfg(target_os = "linux")]
fn stream(domain: Domain) -> io::Result<Socket> {
    Socket::new(domain, Type::STREAM.nonblocking(), None)
}

#[cfg(not(target_os = "linux"))]
fn stream(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// True for EINPROGRESS, which has no stable `ErrorKind`.
fn is_in_progress(error: &io::Error) -> bool {
    let number = if cfg!(target_os = "linux") { 115 } else { 36 };
    error.raw_os_error() == Some(number)
}

/// How it has ended: 0, or a negative errno.
pub(crate) fn outcome(socket: &Socket) -> i32 {
    match socket.take_error() {
        Ok(None) => 0,
        Ok(Some(error)) | Err(error) => errno(&error),
    }
}
