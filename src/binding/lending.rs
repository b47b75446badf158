//! Connections that are busy while hardly anything else is: their sockets are lent to the JS thread, whose event
//! loop watches them. `net::transport::Lending` says what for.

use std::os::fd::AsRawFd;
use std::sync::Arc;

use super::environment::Environment;
use super::ffi::{Scope, Watch};
use super::loans::{CALM, COOLDOWN, COOLDOWN_MAX, LOANS, Loan, STRIKES};
use crate::net::connection::Connection;

impl Environment {
    /// Asks for a loan, if load is low: an answer was written from the JS thread with nothing left to do.
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

    /// Begins the loan that the I/O thread has granted, or ends the one of which it wants the socket back.
    pub(super) fn answer_loan(&self, scope: Scope<'_>, id: u32) {
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

    fn give_back(&self, connection: &Arc<Connection>) {
        connection.return_loan();
        self.attend(connection);
    }
}
