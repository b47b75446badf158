//! Connections that are busy while little comes at a time: their sockets are lent to the JS thread, whose event loop
//! watches them. `net::transport::Lending` says what for.

use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Instant;

use super::environment::Environment;
use super::ffi::{Scope, Watch, idle_time};
use crate::net::connection::Connection;
use crate::net::undriven::Acted;

impl Environment {
    /// Asks for a loan, if load is low: an answer was written from the JS thread with nothing left to do.
    pub(super) fn consider_loan(&self, connection: &Arc<Connection>) {
        let loans = &self.loans;
        let id = connection.id;
        if loans.is_due(id) && loans.are_few() && !self.wake.is_behind() && connection.ask_loan() {
            loans.asks(id);
            self.attend(connection);
        }
    }

    /// Ends the loans if too much comes at a time, most heads come from elsewhere, or JavaScript is busy.
    pub(super) fn reconsider_loans(&self, scope: Scope<'_>, now: Instant) {
        if self.loans.should_end(now, || idle_time(scope)) {
            self.end_loans(self.loans.persistent());
        }
        self.reconsider_listeners(scope);
    }

    /// Begins the loan that the I/O thread has granted, or ends the one of which it wants the socket back.
    pub(super) fn answer_loan(&self, scope: Scope<'_>, id: u32) {
        self.loans.answered(id);
        if self.loans.includes(id) {
            self.end_loan(id);
            return;
        }
        if let Ok(connection) = self.connection(id) {
            self.begin_loan(scope, &connection);
        }
    }

    /// Has the event loop watch a socket that is lent.
    pub(super) fn begin_loan(&self, scope: Scope<'_>, connection: &Arc<Connection>) {
        let Some(socket) = connection.lent() else {
            // Refused: there was something left to do. Or given back already.
            return;
        };
        let begins = self.loans.begin(connection.id, socket, |set| {
            Watch::start(scope, self, set.as_raw_fd()).ok()
        });
        if !begins {
            self.give_back(connection);
        }
    }

    /// Ends a connection in the call that destroys it, if this thread has it alone.
    pub(super) fn act_at_once(&self, scope: Scope<'_>, id: u32) {
        if self.loans.includes(id)
            && let Ok(connection) = self.connection(id)
            && connection.is_undriven()
        {
            self.act_on_lent(scope, &connection);
        }
    }

    /// Does what is left to do of a connection whose socket is lent, or has the I/O thread do it.
    pub(super) fn act_on_lent(&self, scope: Scope<'_>, connection: &Arc<Connection>) {
        let id = connection.id;
        match self.guarded(connection, |connection| connection.act_undriven()) {
            Ok(Acted::Rests) => {}
            Ok(Acted::NeedsClock) => self.attend(connection),
            Ok(Acted::Ended(closed)) => {
                self.loans.end(id);
                // Where libuv tells of a closed handle. A refusal means that the environment is going away.
                let _ = if self.closing.holds(closed) {
                    self.closing.closes(scope, self)
                } else {
                    self.pends(scope)
                };
            }
            Ok(Acted::NeedsDriver) | Err(_) => self.end_loan(id),
        }
    }

    /// Gives a lent socket back to its I/O thread.
    pub(super) fn end_loan(&self, id: u32) {
        if self.loans.end(id)
            && let Ok(connection) = self.connection(id)
        {
            self.give_back(&connection);
        }
    }

    pub(super) fn end_loans(&self, loans: Vec<u32>) {
        for id in loans {
            self.end_loan(id);
        }
    }

    fn give_back(&self, connection: &Arc<Connection>) {
        connection.return_loan();
        self.attend(connection);
    }
}
