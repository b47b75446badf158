//! Connections that are busy while hardly anything else is: their sockets are lent to the JS thread, whose event
//! loop watches them. `net::transport::Lending` says what for.

use std::cell::{Cell, RefCell};
use std::os::fd::AsRawFd;
use std::sync::Arc;

use socket2::Socket;

use super::environment::Environment;
use super::ffi::Scope;
use super::ffi::Watch;
use crate::net::batch::{ReadBuffer, read_buffer};
use crate::net::connection::Connection;
use crate::net::lending::Received;

/// Sockets lent at a time. With a few more connections busy at once the I/O thread's batches cost less than the
/// system calls that the JS thread makes for each request of a lent socket.
const LOANS: usize = 4;

/// Batches in a row that brought one or two heads, after which load counts as low.
const CALM: u32 = 8;

/// Heads from the I/O threads, less those of lent sockets, after which the loans end: the load is elsewhere.
const STRIKES: u32 = 16;

/// Heads to wait after such an end before lending again; twice as many each time.
const COOLDOWN: u32 = 1024;
const COOLDOWN_MAX: u32 = 64 * COOLDOWN;

/// A running loan.
struct Loan {
    id: u32,
    watch: Watch,
    /// libuv aborts the process when a descriptor that it watches is closed under it. The connection may end on
    /// its I/O thread meanwhile; this keeps the descriptor open until the watch has stopped.
    socket: Arc<Socket>,
}

impl Loan {
    fn stop(self) {
        self.watch.stop();
        drop(self.socket);
    }
}

/// Who is lent, and what speaks for or against it.
#[derive(Default)]
pub(super) struct Loans {
    running: RefCell<Vec<Loan>>,
    /// Connections that a loan was asked for.
    asked: RefCell<Vec<u32>>,
    /// Made by the first loan.
    scratch: RefCell<Option<ReadBuffer>>,
    /// Heads of the batch being encoded.
    heads: Cell<u32>,
    calm: Cell<u32>,
    strikes: Cell<u32>,
    cooldown: Cell<u32>,
    next_cooldown: Cell<u32>,
}

impl Loans {
    pub(super) fn includes(&self, id: u32) -> bool {
        self.running.borrow().iter().any(|loan| loan.id == id)
    }

    pub(super) fn begin_batch(&self) {
        self.heads.set(0);
    }

    /// A head is on its way to JavaScript.
    pub(super) fn saw_head(&self, id: u32) {
        let heads = self.heads.get() + 1;
        self.heads.set(heads);
        self.calm.set(if heads > 2 {
            0
        } else {
            self.calm.get().saturating_add(1)
        });
        self.cooldown.set(self.cooldown.get().saturating_sub(1));
        if self.includes(id) {
            self.strikes.set(self.strikes.get().saturating_sub(1));
        } else if !self.running.borrow().is_empty() {
            self.strikes.set(self.strikes.get() + 1);
        }
    }

    fn take(&self, id: u32) -> Option<Loan> {
        let mut running = self.running.borrow_mut();
        let index = running.iter().position(|loan| loan.id == id)?;
        Some(running.swap_remove(index))
    }

    fn answered(&self, id: u32) {
        self.asked.borrow_mut().retain(|asked| *asked != id);
    }
}

impl Environment {
    /// An answer was written from the JS thread with nothing left to do: is there little enough to do to lend?
    pub(super) fn consider_loan(&self, connection: &Arc<Connection>) {
        let loans = &self.loans;
        if loans.calm.get() < CALM || loans.cooldown.get() > 0 {
            return;
        }
        let mut asked = loans.asked.borrow_mut();
        let room = loans.running.borrow().len() + asked.len() < LOANS;
        if !room || asked.contains(&connection.id) {
            return;
        }
        if connection.ask_loan() {
            asked.push(connection.id);
            self.attend(connection);
        }
    }

    /// Ends the loans if most heads come from elsewhere.
    pub(super) fn reconsider_loans(&self) {
        let loans = &self.loans;
        if loans.strikes.get() < STRIKES {
            return;
        }
        let cooldown = loans.next_cooldown.get().clamp(COOLDOWN, COOLDOWN_MAX);
        loans.cooldown.set(cooldown);
        loans.next_cooldown.set(cooldown * 2);
        self.end_loans();
    }

    /// The I/O thread answered the request for a loan, or wants the socket back.
    pub(super) fn answer_loan(&self, scope: Scope, id: u32) {
        self.loans.answered(id);
        if self.loans.includes(id) {
            self.end_loan(id);
            return;
        }
        let Ok(connection) = self.connection(id) else {
            return;
        };
        let Some(socket) = connection.lent() else {
            // Refused: there was something left to do. Or given back already.
            return;
        };
        match Watch::start(scope, self, id, socket.as_raw_fd()) {
            Ok(watch) => self
                .loans
                .running
                .borrow_mut()
                .push(Loan { id, watch, socket }),
            Err(_) => self.give_back(&connection),
        }
    }

    /// Gives a lent socket back to its I/O thread.
    pub(super) fn end_loan(&self, id: u32) {
        let Some(loan) = self.loans.take(id) else {
            return;
        };
        loan.stop();
        if let Ok(connection) = self.connection(id) {
            self.give_back(&connection);
        }
    }

    pub(super) fn end_loans(&self) {
        self.loans.strikes.set(0);
        let ids: Vec<u32> = self
            .loans
            .running
            .borrow()
            .iter()
            .map(|loan| loan.id)
            .collect();
        for id in ids {
            self.end_loan(id);
        }
    }

    /// The connection is gone.
    pub(super) fn forget_loan(&self, id: u32) {
        self.loans.answered(id);
        if let Some(loan) = self.loans.take(id) {
            loan.stop();
        }
    }

    fn give_back(&self, connection: &Arc<Connection>) {
        connection.return_loan();
        self.attend(connection);
    }

    /// A lent socket has something to read. Called by the event loop.
    pub(super) fn readable(&self, scope: Scope, id: u32) {
        let received = {
            let mut scratch = self.loans.scratch.borrow_mut();
            let scratch = scratch.get_or_insert_with(read_buffer);
            self.with(id, |connection| match connection.queue() {
                Some(queue) => connection.receive_lent(scratch, queue),
                None => Received::Nothing,
            })
        };
        match received {
            Ok(Received::Events) => self.drain(scope),
            Ok(Received::Nothing) => {}
            Ok(Received::Return) | Err(_) => self.end_loan(id),
        }
    }
}
