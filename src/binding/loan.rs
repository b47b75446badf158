//! The one connection that is busy while nothing else is: its socket is lent to the JS thread, whose event loop
//! watches it. `net::connection::Lending` says what for.

use std::cell::Cell;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use super::environment::Environment;
use super::uv::Watch;
use super::value::Scope;
use crate::net::connection::{Connection, Received, Transport};
use crate::net::mailbox::Command;

/// Exchanges that a connection must have had all to itself before its socket is lent. Lending and returning
/// cost about as much as one exchange each.
const STREAK: u32 = 8;

/// Heads of other connections, less its own, after which the socket is returned.
const STRIKES: u32 = 8;

/// Bytes a read of a lent socket takes at most. Who sends more at once is better served by the I/O thread.
const READ: usize = 64 * 1024;

/// Who is busy, and whether it is alone.
#[derive(Default)]
pub(super) struct Load {
    /// The connection that had the last head, and how many it had in a row, each alone in its batch.
    last: Cell<Option<u32>>,
    streak: Cell<u32>,
    /// Heads of the batch being encoded.
    heads: Cell<u32>,
    /// The connection that a loan was asked for, or runs, for.
    asked: Cell<Option<u32>>,
    strikes: Cell<u32>,
}

impl Load {
    pub(super) fn begin_batch(&self) {
        self.heads.set(0);
    }

    fn end_loan(&self) {
        self.asked.set(None);
        self.streak.set(0);
        self.strikes.set(0);
    }
}

/// A running loan.
pub(super) struct Loan {
    id: u32,
    watch: Watch,
}

impl Environment {
    /// A head is on its way to JavaScript.
    pub(super) fn saw_head(&self, id: u32) {
        let load = &self.load;
        load.heads.set(load.heads.get() + 1);
        if load.heads.get() == 1 && load.last.get() == Some(id) {
            load.streak.set(load.streak.get().saturating_add(1));
        } else {
            load.streak.set(0);
        }
        load.last.set(Some(id));
        if self.is_lent(id) {
            load.strikes.set(load.strikes.get().saturating_sub(1));
        } else if self.loan.borrow().is_some() {
            load.strikes.set(load.strikes.get() + 1);
        }
    }

    pub(super) fn is_lent(&self, id: u32) -> bool {
        self.loan
            .borrow()
            .as_ref()
            .is_some_and(|loan| loan.id == id)
    }

    /// An answer was written from the JS thread with nothing left to do: has the connection been alone long enough?
    pub(super) fn consider_loan(&self, connection: &Arc<Connection>) {
        let load = &self.load;
        let alone = load.streak.get() >= STREAK && load.last.get() == Some(connection.id);
        if !alone || load.asked.get().is_some() {
            return;
        }
        load.asked.set(Some(connection.id));
        connection.ask_loan();
        self.attend(connection);
    }

    /// Others want the I/O thread's batches too: is the loan still worth it?
    pub(super) fn reconsider_loan(&self) {
        if self.load.strikes.get() > STRIKES {
            self.end_loan();
        }
    }

    /// The I/O thread answered the request for a loan.
    pub(super) fn begin_loan(&self, scope: Scope, id: u32) {
        let Ok(connection) = self.connection(id) else {
            self.load.end_loan();
            return;
        };
        let Transport::Lent(socket) = connection.transport() else {
            // Refused: there was something left to do.
            self.load.end_loan();
            return;
        };
        match Watch::start(scope, self, socket.as_raw_fd()) {
            Ok(watch) => *self.loan.borrow_mut() = Some(Loan { id, watch }),
            Err(_) => self.give_back(&connection),
        }
    }

    /// The connection is gone.
    pub(super) fn forget_loan(&self, id: u32) {
        if self.load.asked.get() == Some(id) {
            self.load.end_loan();
        }
    }

    /// Gives the lent socket back to its I/O thread.
    pub(super) fn end_loan(&self) {
        let Some(loan) = self.loan.borrow_mut().take() else {
            return;
        };
        loan.watch.stop();
        match self.connection(loan.id) {
            Ok(connection) => self.give_back(&connection),
            Err(_) => self.load.end_loan(),
        }
    }

    fn give_back(&self, connection: &Arc<Connection>) {
        self.load.end_loan();
        connection.return_loan();
        self.attend(connection);
    }

    fn attend(&self, connection: &Arc<Connection>) {
        if let Some(thread) = connection.thread() {
            thread
                .mailbox
                .deliver([Command::Attend(Arc::clone(connection))]);
        }
    }

    /// The lent socket has something to read. Called by the event loop.
    pub(super) fn readable(&self, scope: Scope) {
        let Some(id) = self.loan.borrow().as_ref().map(|loan| loan.id) else {
            return;
        };
        let received = {
            let mut scratch = self.lent_scratch.borrow_mut();
            scratch.resize(READ, 0);
            self.with(id, |connection| {
                connection.receive_lent(&mut scratch, &self.queue)
            })
        };
        match received {
            Ok(Received::Events) => self.drain(scope),
            Ok(Received::Nothing) => {}
            Ok(Received::Return) | Err(_) => self.end_loan(),
        }
    }
}
