//! The loans, as in `binding/loans.rs`, `lending.rs` and `dispatch.rs`: a lent socket lies in the poll set, which tells of it when
//! something new comes.

use std::sync::Arc;

use super::Script;
use crate::net::lending::Received;
use crate::net::poll_set::Ready;
use crate::net::undriven::Acted;

impl Script {
    pub(super) fn ask_loan(&mut self) {
        if self.lent.is_none() && !self.awaits_lent {
            self.awaits_lent = self.connection.ask_loan();
            self.attend();
        }
    }

    /// The I/O thread has granted the loan or refused it, or wants the socket back.
    pub(super) fn answer_loan(&mut self) {
        self.awaits_lent = false;
        if self.lent.is_some() {
            self.end_loan();
            return;
        }
        self.begin_loan();
    }

    /// Has the set watch the socket, if it is lent.
    pub(super) fn begin_loan(&mut self) {
        let Some(socket) = self.connection.lent() else {
            return;
        };
        if self.set.add(self.connection.id, &socket).is_ok() {
            self.lent = Some(socket);
        } else {
            self.give_back();
        }
    }

    pub(super) fn end_loan(&mut self) {
        if self.take_from_set() {
            self.give_back();
        }
    }

    /// Removes the socket from the set. True if it was in it.
    pub(super) fn take_from_set(&mut self) -> bool {
        let Some(socket) = self.lent.take() else {
            return false;
        };
        self.set.remove(&socket);
        true
    }

    /// Does what is left to do while the socket is lent, or has the I/O thread do it.
    pub(super) fn act_on_lent(&mut self) {
        match self.connection.act_undriven() {
            Acted::Rests => {}
            Acted::NeedsClock => self.attend(),
            Acted::Ended(closed) => {
                self.take_from_set();
                self.shared.queue.push(closed);
                self.shared.queue.publish();
            }
            Acted::NeedsDriver => self.end_loan(),
        }
    }

    fn give_back(&mut self) {
        self.connection.return_loan();
        self.attend();
    }

    /// Reads once from the socket if the set tells of it.
    pub(super) fn read_lent(&mut self) {
        let mut ready = Vec::new();
        self.set.ready(&mut ready);
        for Ready { ends, .. } in ready {
            self.progress.moved();
            let queue = Arc::clone(&self.shared.queue);
            match self.connection.receive_lent(&mut self.scratch, &queue) {
                Received::Events { filled } => {
                    if (filled || ends) && !self.again() {
                        self.end_loan();
                    }
                    self.take_events();
                }
                Received::Last => {
                    self.end_loan();
                    self.take_events();
                }
                Received::End => {
                    self.act_on_lent();
                    self.take_events();
                }
                Received::Nothing => {}
                Received::Return => self.end_loan(),
            }
        }
    }

    fn again(&self) -> bool {
        let Some(socket) = &self.lent else {
            return true;
        };
        self.set.again(self.connection.id, socket).is_ok()
    }
}
