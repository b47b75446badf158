//! A socket on loan to the JS thread.

use std::io::{self, Read};
use std::sync::Arc;

use socket2::Socket;

use super::batch::{READ, ReadBuffer};
use super::clock;
use super::connection::{Connection, EventQueue};
use super::event::Syscall;
use super::socket::errno;
use super::state::{Ending, Flow};
use super::transport::Lending;
use crate::panics::{self, Place};

/// What came of [`Connection::receive_lent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// Events were appended; with `filled` the read was as long as it can be: there may be more.
    Events {
        filled: bool,
    },
    Nothing,
    /// The I/O thread should have the connection back.
    Return,
}

impl Connection {
    /// Asks the I/O thread to lend the socket; LENT follows, whether it does or not. False if the socket is on its way
    /// back from another loan: then it is not asked for.
    pub(crate) fn ask_loan(&self) -> bool {
        let mut state = self.lock();
        // What a server with limits does while JavaScript is busy, its I/O thread does.
        let is_here = state.lending == Lending::None && self.limits.is_none();
        if is_here {
            state.lending = Lending::Asked;
        }
        is_here
    }

    /// Ends the loan. The caller has the I/O thread attend.
    pub(crate) fn return_loan(&self) {
        let mut state = self.lock();
        if state.lending != Lending::None {
            state.lending = Lending::Returned;
        }
    }

    /// The socket, while it is lent.
    pub(crate) fn lent(&self) -> Option<Arc<Socket>> {
        let state = self.lock();
        if state.lending == Lending::Lent {
            state.socket()
        } else {
            None
        }
    }

    /// True if the socket is lent and the kernel takes no more: only the reactor can tell when it will.
    pub(super) fn is_stuck(&self) -> bool {
        let state = self.lock();
        state.lending == Lending::Lent && state.flow == Flow::Blocked
    }

    /// Reads from a lent socket once, on the JS thread, and appends what that brought to the queue.
    pub(crate) fn receive_lent(&self, scratch: &mut ReadBuffer, queue: &EventQueue) -> Received {
        let socket = {
            let state = self.lock();
            if state.lending != Lending::Lent || !state.is_plain() || !self.has_window() {
                return Received::Return;
            }
            state.socket()
        };
        let Some(socket) = socket else {
            return Received::Return;
        };
        panics::at(Place::Lent);
        match (&*socket).read(&mut scratch[..]) {
            // The end of the stream stays readable: the driver will see it.
            Ok(0) => Received::Return,
            Ok(len) => {
                let now = clock::now();
                let mut state = self.lock();
                if state.is_over() {
                    // It was ended meanwhile, and nothing comes behind CLOSED.
                    return Received::Return;
                }
                state.timing.active(now);
                state.bytes_read += len as u64;
                self.stats.received(len);
                state.filled = len == READ;
                queue.lock().read(scratch, len, |batch, packet| {
                    self.receive_packet(&mut state, packet, batch, now);
                });
                Received::Events {
                    filled: len == READ,
                }
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => Received::Nothing,
                // The poll set tells of what was not read no second time.
                io::ErrorKind::Interrupted => Received::Return,
                _ => {
                    let failed = Ending::Failed(errno(&error), Syscall::Read);
                    self.lock().end(failed);
                    Received::Return
                }
            },
        }
    }
}
