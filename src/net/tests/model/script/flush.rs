//! What the I/O thread is told of a turn: at its end, as in `binding/flush.rs`, and before that of one that goes on.

use super::super::step;
use super::Script;
use crate::net::mailbox::LOOK;
use crate::net::shared::Command;

impl Script {
    pub(super) fn attend(&mut self) {
        let is_put = self.is_put();
        self.put = None;
        let attend = (!is_put).then(|| Command::attend(&self.connection));
        self.shared.deliver(attend.into_iter().flatten());
    }

    fn is_put(&self) -> bool {
        let mailbox = &self.shared.mailbox;
        self.put.is_some_and(|round| !mailbox.has_taken(round))
    }

    /// Has the I/O thread write what was just said, which it has the socket for, though the turn goes on.
    pub(super) fn put(&mut self) {
        if self.lent.is_none() && !self.is_put() {
            self.put = self.shared.put(&self.connection);
        }
    }

    /// Computes for longer than the I/O thread leaves alone what was put in.
    pub(super) fn compute(&mut self) {
        if self.lent.is_some() || self.closed {
            return;
        }
        self.put();
        if self.put.is_none() {
            return;
        }
        for says in [true, true, false, false] {
            self.progress.pass(LOOK.as_millis() as u64);
            let before = self.progress.now().io_turns;
            while self.progress.now().io_turns < before + 3 {
                if says && self.random.once_in(4) {
                    self.answer();
                    self.put();
                }
                step();
            }
        }
        if self.connection.is_left_unwritten() {
            self.wrong.push("not written in its turn".to_owned());
        }
    }

    /// Lets connections be read from that were not because too much waited in all.
    pub(super) fn relieve(&self) {
        for connection in self.shared.queue.wake.relieved() {
            connection.relieve();
            self.shared.mailbox.deliver([Command::Attend(connection)]);
        }
    }

    pub(super) fn flush(&mut self) {
        if self.connection.is_asked_for() {
            self.connection.flush_from_js();
        }
        let is_elsewhere = self.ends_in_flight || self.random.is_so(self.leaves);
        if self.lent.is_none() && !self.shared.mailbox.is_asleep() && is_elsewhere {
            self.attend();
            return;
        }
        let done = self.connection.flush_from_js();
        self.put = self.put.filter(|_| self.is_put());
        if self.lent.is_some() && (!done || self.connection.is_undriven()) {
            self.act_on_lent();
        } else if !done {
            self.attend();
        } else if self.lent.is_none() && self.random.once_in(4) {
            self.ask_loan();
        }
    }
}
