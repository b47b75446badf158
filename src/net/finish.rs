//! The end of a connection, on the thread that has its socket.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use socket2::Socket;

use super::connection::{Connection, Event};
use super::event::{Deadline, Syscall};
use super::linger::Leave;
use super::output::Output;
use super::state::{Ending, Fin, State};
use super::stats::{self, Close};
use super::transport::Lending;
use crate::panics::{self, Place};

/// A connection that is over for JavaScript, which CLOSED is to tell.
pub(super) struct Over {
    /// As CLOSED has them.
    pub(super) errno: i32,
    pub(super) syscall: Syscall,
    pub(super) is_destroyed: bool,
    pub(super) socket: Option<Arc<Socket>>,
    /// What is left to do with the socket.
    pub(super) leave: Leave,
}

impl Over {
    /// Gives CLOSED.
    pub(super) fn closed(&self, id: u32) -> Event {
        Event::Closed {
            id,
            errno: self.errno,
            syscall: self.syscall,
            is_destroyed: self.is_destroyed,
        }
    }
}

impl State {
    fn is_orderly(&self) -> bool {
        matches!(
            self.ending,
            Ending::None | Ending::AfterOutput | Ending::Now
        )
    }

    /// True if the peer is in the middle of a message, and must be able to read the answer that came before its end.
    pub(super) fn is_cut_short(&self) -> bool {
        self.is_orderly()
            && self.fin != Fin::None
            && !self.eof
            && (self.proto.receiving()
                || !self.input.is_empty()
                || self.proto.leaves_unread()
                || self.metered.is_refused)
    }

    /// Why the connection is closed, now that it is about to be.
    pub(super) fn close_reason(&self) -> Close {
        if let Ending::Failed(errno, _) = self.ending {
            return Close::for_error(errno);
        }
        if let Some(noted) = self.close_noted {
            return noted;
        }
        Close::for_reason(if self.timing.timed_out || self.timing.is_heard {
            if self.timing.is_keep_alive() {
                stats::KEEP_ALIVE
            } else {
                stats::IDLE
            }
        } else if let Some(deadline) = self.timing.expired {
            match deadline {
                Deadline::Headers => stats::HEADERS_TIMEOUT,
                Deadline::Request => stats::REQUEST_TIMEOUT,
            }
        } else if self.input.met_fault() {
            stats::PARSE_ERROR
        } else if self.eof {
            stats::PEER
        } else {
            stats::LOCAL
        })
    }

    /// True if the socket is still to be written or read behind the end of the connection.
    pub(super) fn lingers(&self) -> bool {
        self.is_cut_short() || self.ending == Ending::Now && self.output.has_accepted()
    }
}

impl Connection {
    /// True if no I/O thread drives it: see `undriven`.
    pub(crate) fn is_undriven(&self) -> bool {
        !self.is_driven.load(Ordering::Relaxed)
    }

    /// True if the socket is closed in the call that destroys the connection.
    pub(super) fn closes_at_once(&self, state: &State) -> bool {
        self.is_undriven() && state.lending == Lending::Lent && !state.is_cut_short()
    }

    /// Ends the connection. The caller lets go of the socket, and tells.
    pub(super) fn finish(&self, mut state: MutexGuard<'_, State>) -> Over {
        panics::at(Place::Finish);
        let ending = state.ending;
        let (errno, syscall) = match ending {
            Ending::Failed(errno, syscall) => (errno, syscall),
            _ => (0, Syscall::None),
        };
        let close = state.close_reason();
        self.count_close(&mut state, close);
        let fin = state.is_orderly() && state.fin == Fin::Wanted;
        let reads = state.is_cut_short();
        let taken_at_end = state.taken();
        let rest = if ending == Ending::Now {
            state.output.take_accepted()
        } else {
            Output::default()
        };
        let transport = state.close();
        // What is left to be written counts as taken.
        state.taken_at_end = taken_at_end;
        self.tell_written(&mut state);
        drop(state);
        let socket = transport.socket().map(Arc::clone);
        if let Some(socket) = &socket
            && ending == Ending::Reset
        {
            // RST instead of FIN; where that fails the close is orderly, which is all there is to do.
            let _ = socket.set_linger(Some(Duration::ZERO));
        }
        Over {
            errno,
            syscall,
            is_destroyed: ending >= Ending::Now,
            socket,
            leave: Leave {
                place: None,
                rest,
                fin,
                reads,
                stats: Arc::clone(&self.stats),
            },
        }
    }
}
