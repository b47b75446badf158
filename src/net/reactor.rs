//! Sockets on the reactor of the running I/O thread.
#![allow(unsafe_code, reason = "tokio asks its caller to promise I/O safety")]

use std::io;

use socket2::Socket;
use tokio::io::unix::AsyncFd;

/// Registers a non-blocking socket for readiness in both directions. One type for TCP and Unix sockets,
/// accepted, dialled or adopted; and the JS thread can write to it without the reactor.
///
/// # Errors
/// The reactor takes no more (epoll's limits).
pub(super) fn register(socket: Socket) -> io::Result<AsyncFd<Socket>> {
    // SAFETY: a `Socket` owns its descriptor and names the same one until dropped, and the `AsyncFd` owns it;
    // nobody takes it out or changes it.
    unsafe { AsyncFd::register(socket) }.map_err(Into::into)
}
