//! Sockets on the reactor of the running I/O thread.
#![allow(unsafe_code, reason = "tokio asks its caller to promise I/O safety")]

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use socket2::Socket;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

#[cfg(test)]
use super::tests::model::{self, Fault};

/// A socket whose readiness the reactor tells. The last one to let go of this removes the socket from the reactor; it stays
/// open for its other owners, so that lending it needs no other descriptor.
pub(crate) type Registered = Arc<AsyncFd<Arc<Socket>>>;

/// Registers a non-blocking socket for readiness in both directions. One type for TCP and Unix sockets,
/// accepted or carried; and the JS thread can write to it without the reactor.
///
/// # Errors
/// The reactor is full (epoll's limits).
pub(super) fn register(socket: Arc<Socket>) -> io::Result<Registered> {
    // SAFETY: a `Socket` owns its descriptor and names the same one until its end, and the `AsyncFd` shares it;
    // it is neither moved out nor changed.
    let registered = unsafe { AsyncFd::register(socket) };
    registered.map(Arc::new).map_err(Into::into)
}

/// Whether a registered socket may have something to read. The reactor tells of what comes only once.
#[derive(Default)]
pub(super) struct ReadReadiness {
    /// Something has come that was not read, and the reactor has forgotten it.
    is_unread: bool,
}

/// The reactor's word that there may be something to read; none of it is needed for what it has forgotten.
pub(super) type Readable<'a> = Option<AsyncFdReadyGuard<'a, Arc<Socket>>>;

impl ReadReadiness {
    /// Ready when there may be something to read.
    ///
    /// # Errors
    /// The reactor has ended.
    pub(super) fn poll_readable<'a>(
        &self,
        socket: &'a Registered,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Readable<'a>>> {
        if self.is_unread {
            return Poll::Ready(Ok(None));
        }
        socket.poll_read_ready(cx).map_ok(Some)
    }

    /// Notes that there is no more to read. An end of the stream stays readable.
    pub(super) fn is_drained(&mut self, readable: Readable<'_>) {
        match readable {
            Some(mut guard) => guard.clear_ready(),
            None => self.is_unread = false,
        }
    }

    /// Ready when the peer has ended its side or has gone, of a socket that is not read: all that will ever come is in the kernel's
    /// buffer by then. What comes before stays there.
    ///
    /// # Errors
    /// The reactor has ended.
    pub(super) fn poll_hang_up(
        &mut self,
        socket: &Registered,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        #[cfg(test)]
        if model::is_put_back(Fault::HangUpUnseen) {
            return Poll::Pending;
        }
        loop {
            let mut guard = ready!(socket.poll_read_ready(cx))?;
            if guard.ready().is_read_closed() {
                return Poll::Ready(Ok(()));
            }
            // What comes later, the end among it, is told again.
            guard.clear_ready();
            self.is_unread = true;
        }
    }
}
