//! How JavaScript ends a connection: behind its output, at once, or with a reset.

use http_native_proto as proto;

use super::clock;
use super::connection::{Connection, Event};
use super::event::{BROKEN, Syscall};
use super::socket::{Unread, peek, send_fin};
use super::state::{Ending, Fin};
#[cfg(test)]
use super::tests::model::{self, Fault};

impl Connection {
    /// Ends our side of the stream when all output is written. With `tells` the event FIN follows, behind what was read
    /// before it went out.
    pub(crate) fn shutdown(&self, tells: bool) {
        let mut state = self.lock();
        if state.is_over() {
            // CLOSED tells.
            return;
        }
        if tells && state.fin == Fin::Sent {
            self.tell_fin();
        } else {
            state.tells_fin |= tells;
        }
        if state.fin == Fin::None {
            state.fin = Fin::Wanted;
        }
    }

    pub(super) fn tell_fin(&self) {
        if let Some(queue) = self.queue() {
            queue.push(Event::Fin { id: self.id });
        }
    }

    pub(crate) fn close(&self) {
        self.end(Ending::AfterOutput);
    }

    /// Ends the connection at once. What counts as taken still reaches the peer: see `linger`.
    ///
    /// The peer learns of it in this call, as where sockets close in the call: it may be about to use the connection
    /// again, or to hear of something else first. Not so where the kernel does not take what is on its way out, or something waits to be
    /// read and would not be: the peer then learns of that when the socket closes, by RST. With `unheard` JavaScript has been
    /// given more of what was read, and will not look at it: where sockets are read in the loop, the kernel still has
    /// that.
    pub(crate) fn destroy(&self, unheard: bool) {
        if unheard && self.role == proto::Role::Server && self.lock().is_refused() {
            self.end(Ending::Reset);
            return;
        }
        if self.has_output() {
            // Where sockets are written in the call, the kernel has what was said before.
            self.flush_last();
            self.take(0, false);
        }
        let quiet = {
            let state = self.lock();
            let quiet =
                state.is_written() && state.fin != Fin::Sent && !self.closes_at_once(&state);
            if quiet { state.socket() } else { None }
        };
        // Closing a socket with unread bytes resets it, whatever was sent before.
        if let Some(socket) = quiet
            && peek(&socket) != Unread::Bytes
        {
            send_fin(&socket);
        }
        self.end(Ending::Now);
    }

    pub(crate) fn reset(&self) {
        if self.has_output() {
            // As for `destroy`: what was written in the call has left before the RST.
            self.flush_last();
        }
        self.end(Ending::Reset);
    }

    /// Writes what the kernel takes, behind what the I/O thread may be writing: its peer may have that already, and would not hear of the
    /// end in the call. On the JS thread.
    pub(super) fn flush_last(&self) {
        let has_landed = || {
            // Refused while the I/O thread writes, which may begin with it at any time as long as there is anything. It writes all.
            self.flush_from_js();
            !self.lock().is_in_flight()
        };
        #[cfg(test)]
        let has_landed = || has_landed() || model::is_put_back(Fault::FlightUnseen);
        clock::give_way_until(has_landed);
    }

    /// Ends the connection after a panic in what was being done with it: EIO is what JavaScript sees. What was on its way out is lost,
    /// and nothing counts as taken any more. The caller has the I/O thread attend.
    pub(crate) fn break_off(&self) {
        let mut state = self.lock();
        if state.is_over() {
            return;
        }
        // Behind what waits for ever a writer does not go on as if all were well.
        let lost = state.forget_in_flight().max(1);
        state.lose(lost);
        state.end(Ending::Failed(BROKEN, Syscall::Read));
    }

    fn end(&self, ending: Ending) {
        self.lock().end(ending);
    }
}
