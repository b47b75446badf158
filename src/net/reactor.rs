//! Sockets on the reactor of the running I/O thread.
#![allow(unsafe_code, reason = "tokio asks its caller to promise I/O safety")]

use std::io;
use std::sync::Arc;

use socket2::Socket;
use tokio::io::unix::AsyncFd;

/// A socket whose readiness the reactor tells. The last one to let go of this takes the socket off the reactor; it stays
/// open for its other holders, so that lending it needs no other descriptor.
pub(crate) type Registered = Arc<AsyncFd<Arc<Socket>>>;

/// Registers a non-blocking socket for readiness in both directions. One type for TCP and Unix sockets,
/// accepted or carried; and the JS thread can write to it without the reactor.
///
/// # Errors
/// The reactor takes no more (epoll's limits).
pub(super) fn register(socket: Arc<Socket>) -> io::Result<Registered> {
    // SAFETY: a `Socket` owns its descriptor and names the same one until dropped, and the `AsyncFd` shares it;
    // it is neither taken out nor changed.
    let registered = unsafe { AsyncFd::register(socket) };
    registered.map(Arc::new).map_err(Into::into)
}
