//! Bytes that JavaScript wants to see itself: all of a socket, which leaves with its descriptor, or what is read from
//! it, which then comes back to be parsed.

use std::os::fd::OwnedFd;

use super::connection::{Connection, Ending};

impl Connection {
    /// Gives the socket away, if HTTP is over here and nothing is on its way in either direction: a descriptor for
    /// Node's event loop, which it owns. The connection is closed without the peer's noticing.
    pub(crate) fn surrender(&self) -> Option<OwnedFd> {
        let mut state = self.lock();
        // While a head is held nobody reads: what comes from now on is the new owner's.
        let quiet = state.held
            && !state.eof
            && !state.tapped
            && !state.fin
            && state.ending == Ending::None
            && state.failure.is_none()
            && state.output.is_empty()
            && !Self::is_writing(&state);
        if !quiet {
            return None;
        }
        // A descriptor of its own: dropping ours takes the socket off the reactor, and no more.
        let socket = state.transport.socket()?.try_clone().ok()?;
        state.ending = Ending::Now;
        state.attention = true;
        Some(socket.into())
    }

    /// From now on packets go up as they are, as RAW; what JavaScript gives back with `receive` is parsed.
    pub(crate) fn tap(&self) {
        self.lock().tapped = true;
    }
}
