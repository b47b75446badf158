//! A socket on loan to the JS thread.

use std::io::{self, Read};
use std::sync::{Arc, MutexGuard};

use socket2::Socket;

use super::batch::{READ, ReadBuffer};
use super::clock;
use super::connection::{Connection, EventQueue};
use super::event::{Event, Syscall};
use super::limits::READS_PER_TURN;
use super::socket::errno;
use super::state::{Duty, Ending, Flow, State};
use super::transport::Lending;
use super::watched_loans::Loan;
use crate::panics::{self, Place};

#[cfg(test)]
use super::tests::model;

/// What came of [`Connection::receive_lent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// Events were appended; with `filled` the read was as long as it can be: there may be more.
    Events {
        filled: bool,
    },
    /// Events were appended, and the I/O thread should have the connection back.
    Last,
    Nothing,
    /// Nothing more will come, of which events may have been appended: there may be something to do.
    End,
    /// The I/O thread should have the connection back.
    Return,
}

impl Connection {
    /// Asks the I/O thread to lend the socket; LENT follows, whether it does or not. False if the socket is on its way
    /// back from another loan: then it is not asked for.
    pub(crate) fn ask_loan(&self) -> bool {
        let mut state = self.lock();
        let is_here = state.lending == Lending::None;
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
        matches!(state.lending, Lending::Lent | Lending::Reading) && state.flow == Flow::Blocked
    }

    /// True if the JS thread may read by itself, as far as the limits of the server are concerned: nothing has come of which they
    /// measure the time, and nothing is to be done that they have led to.
    pub(super) fn is_within_limits(&self, state: &State) -> bool {
        let metered = &state.metered;
        self.limits.is_none()
            || !metered.is_refused
                && !metered.has_acted
                && metered.pending.is_none()
                && !state.proto.receiving()
                && state.timing.head_began().is_none()
                && !self.is_held(state)
    }

    /// Notes that the socket of a server with limits is lent. True if the caller has to have the loans watched.
    pub(super) fn loan_begins(self: &Arc<Self>, state: &mut State) -> bool {
        let Some(limits) = &self.limits else {
            return false;
        };
        if std::mem::replace(&mut state.metered.is_watched, true) {
            return false;
        }
        let loan: Arc<dyn Loan> = Arc::clone(self) as _;
        limits.loans.add(Arc::downgrade(&loan))
    }

    /// Reads from the socket, which is lent and stays so meanwhile.
    fn read_lent(
        &self,
        mut state: MutexGuard<'_, State>,
        socket: &Socket,
        scratch: &mut ReadBuffer,
    ) -> (MutexGuard<'_, State>, io::Result<usize>) {
        state.lending = Lending::Reading;
        drop(state);
        panics::at(Place::Lent);
        let mut socket = socket;
        let result = socket.read(&mut scratch[..]);
        #[cfg(test)]
        model::step();
        let mut state = self.lock();
        if state.lending == Lending::Reading {
            state.lending = Lending::Lent;
        }
        (state, result)
    }

    /// Reads from a lent socket, on the JS thread, and appends what that brought to the queue: as a driver does, and libuv's `uv__read`,
    /// for as long as reads fill their buffer and JavaScript has room. What it hears of then, it hears of at once.
    pub(crate) fn receive_lent(&self, scratch: &mut ReadBuffer, queue: &EventQueue) -> Received {
        let mut last = self.receive_once(scratch, queue);
        for _ in 1..READS_PER_TURN {
            if last != (Received::Events { filled: true }) || !self.has_ample_room() {
                break;
            }
            last = match self.receive_once(scratch, queue) {
                Received::Nothing => Received::Events { filled: false },
                Received::Return => Received::Last,
                more => more,
            };
        }
        last
    }

    /// Reads once.
    fn receive_once(&self, scratch: &mut ReadBuffer, queue: &EventQueue) -> Received {
        let state = self.lock();
        if state.lending != Lending::Lent
            || !state.is_plain()
            || !self.has_room_to_read()
            || !self.is_within_limits(&state)
        {
            return Received::Return;
        }
        let Some(socket) = state.socket() else {
            return Received::Return;
        };
        let (mut state, result) = self.read_lent(state, &socket, scratch);
        match result {
            Ok(0) if self.is_undriven() => {
                state.timing.active(clock::now());
                state.filled = false;
                state.eof = true;
                self.receive_eof(&mut state, &mut queue.lock());
                Received::End
            }
            // The end of the stream stays readable: the driver will see it.
            Ok(0) => Received::Return,
            Ok(len) => {
                let now = clock::now();
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
                if let Some(limits) = &self.limits {
                    limits.loans.was_read();
                    if !self.is_within_limits(&state) {
                        return Received::Last;
                    }
                }
                if state.duty(true) == Duty::Parse {
                    // Other connections have filled it meanwhile, and only the driver waits for room.
                    return Received::Last;
                }
                Received::Events {
                    filled: len == READ,
                }
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => Received::Nothing,
                // The poll set tells of what was not read no second time.
                io::ErrorKind::Interrupted => Received::Return,
                _ => {
                    state.end(Ending::Failed(errno(&error), Syscall::Read));
                    if self.is_undriven() {
                        Received::End
                    } else {
                        Received::Return
                    }
                }
            },
        }
    }
}

/// Of a server with limits, whose connections are driven from their beginning on.
impl Loan for Connection {
    fn goes_on(&self, recalls: bool) -> bool {
        let mut state = self.lock();
        let is_taken = recalls && state.lending == Lending::Lent && !state.is_over();
        if is_taken {
            state.lending = Lending::Returned;
            // The JS thread lets go of it when it has time. Not behind CLOSED, and so with the state locked.
            if let Some(queue) = self.queue() {
                queue.push(Event::Lent { id: self.id });
            }
        }
        let goes_on = matches!(state.lending, Lending::Lent | Lending::Reading) && !state.is_over();
        state.metered.is_watched = goes_on;
        drop(state);
        if is_taken {
            self.wake_driver();
        }
        goes_on
    }
}
