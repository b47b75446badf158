//! The sockets that are lent to the JS thread, and the signs of whether they should be.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use socket2::Socket;

use super::ffi::Watch;
use crate::net::batch::ReadBuffer;

/// Sockets lent at a time. With a few more connections busy at once the I/O thread's batches cost less than the
/// system calls that the JS thread makes for each request of a lent socket.
pub(super) const LOANS: usize = 4;

/// Batches in a row that brought one or two heads, after which load counts as low.
pub(super) const CALM: u32 = 8;

/// Heads from the I/O threads, less those of lent sockets, after which the loans end: the load is elsewhere.
pub(super) const STRIKES: u32 = 16;

/// Heads to wait after such an end before lending again; twice as many each time.
pub(super) const COOLDOWN: u32 = 1024;
pub(super) const COOLDOWN_MAX: u32 = 64 * COOLDOWN;

/// A running loan.
pub(super) struct Loan {
    pub(super) id: u32,
    pub(super) watch: Watch,
    /// libuv aborts the process when a descriptor that it watches is closed under it. The connection may end on
    /// its I/O thread meanwhile; this keeps the descriptor open until the watch has stopped.
    pub(super) socket: Arc<Socket>,
}

impl Loan {
    pub(super) fn stop(self) {
        self.watch.stop();
        drop(self.socket);
    }
}

/// The running loans, and what speaks for or against more.
#[derive(Default)]
pub(super) struct Loans {
    pub(super) running: RefCell<Vec<Loan>>,
    /// Connections that a loan was asked for.
    pub(super) asked: RefCell<Vec<u32>>,
    /// Made by the first loan.
    pub(super) scratch: RefCell<Option<ReadBuffer>>,
    /// Heads of the batch being encoded.
    heads: Cell<u32>,
    pub(super) calm: Cell<u32>,
    pub(super) strikes: Cell<u32>,
    pub(super) cooldown: Cell<u32>,
    pub(super) next_cooldown: Cell<u32>,
}

impl Loans {
    pub(super) fn includes(&self, id: u32) -> bool {
        self.running.borrow().iter().any(|loan| loan.id == id)
    }

    pub(super) fn begin_batch(&self) {
        self.heads.set(0);
    }

    /// Counts a head that is on its way to JavaScript.
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

    pub(super) fn take(&self, id: u32) -> Option<Loan> {
        let mut running = self.running.borrow_mut();
        let index = running.iter().position(|loan| loan.id == id)?;
        Some(running.swap_remove(index))
    }

    pub(super) fn answered(&self, id: u32) {
        self.asked.borrow_mut().retain(|asked| *asked != id);
    }

    /// Ends the loan of a connection that is gone.
    pub(super) fn forget(&self, id: u32) {
        self.answered(id);
        if let Some(loan) = self.take(id) {
            loan.stop();
        }
    }
}
