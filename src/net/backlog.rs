//! The connections that wait in the backlog of a listening socket, which must not block.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use socket2::Socket;

use super::socket::is_out_of_descriptors;

/// Connections that are accepted from the backlog when accepting ends, at most: as many as Linux lets wait (`somaxconn`). Other
/// listeners may have the same socket, and more come meanwhile.
const REST: usize = 4096;

/// Accepts the first connection, which does not block, and tells whether it is of TCP. None if none waits.
///
/// # Errors
/// There is no descriptor for it, and none that could be given up to turn it away; or the kernel has no memory.
pub(super) fn accept(listening: &Socket) -> io::Result<Option<(Socket, Option<SocketAddr>)>> {
    loop {
        match accept_first(listening) {
            Ok(accepted) => return Ok(Some(accepted)),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => return Ok(None),
                // The peer gave up while it waited.
                io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                // The kernel says so even if no connection is left to be accepted.
                _ if is_out_of_descriptors(&error) && turn_away(listening) => return Ok(None),
                _ => return Err(error),
            },
        }
    }
}

#[cfg(target_os = "linux")]
fn accept_first(listening: &Socket) -> io::Result<(Socket, Option<SocketAddr>)> {
    /// SOCK_NONBLOCK and SOCK_CLOEXEC, the same on all processors that Node is built for.
    const FLAGS: i32 = 0o2_004_000;
    let (accepted, peer) = listening.accept4(FLAGS)?;
    Ok((accepted, peer.as_socket()))
}

#[cfg(not(target_os = "linux"))]
fn accept_first(listening: &Socket) -> io::Result<(Socket, Option<SocketAddr>)> {
    let (accepted, peer) = listening.accept()?;
    accepted.set_nonblocking(true)?;
    Ok((accepted, peer.as_socket()))
}

/// Accepts the connections that wait.
pub(crate) fn waiting(listening: &Socket) -> Vec<Socket> {
    let mut rest = Vec::new();
    while rest.len() < REST {
        match listening.accept() {
            Ok((accepted, _)) => rest.push(accepted),
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                _ => break,
            },
        }
    }
    rest
}

/// A descriptor to give up when there is no other, as libuv has one (`uv__emfile_trick`): with it the connections that wait
/// are accepted and closed, and their peers learn that they must come another time. One for all threads of the process.
static SPARE: Mutex<Option<File>> = Mutex::new(None);

fn spare() -> MutexGuard<'static, Option<File>> {
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has the process own a descriptor to spare.
pub(super) fn keep_spare() {
    let mut spare = spare();
    if spare.is_none() {
        *spare = File::open("/dev/null").ok();
    }
}

/// Closes the connections that wait, for which there is no descriptor. False if that cannot be done.
fn turn_away(listening: &Socket) -> bool {
    let has_spare = spare().take().is_some();
    while has_spare && listening.accept().is_ok() {}
    keep_spare();
    has_spare
}
