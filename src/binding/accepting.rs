//! Accepting on the JS thread, while little comes at a time: its event loop watches the listening sockets, and the connections
//! begin with their sockets lent (`net::undriven`). `net::load` says when the I/O thread has the listening sockets instead.

use std::sync::Arc;
use std::time::Duration;

use super::environment::{Environment, caught};
use super::ffi::{Scope, Timer};
use crate::net::connection::{Connection, Event};
use crate::net::undriven::TRIAL;

impl Environment {
    /// Accepts what waits at a listening socket, in the turn of the event loop that tells of it.
    pub(super) fn accept_waiting(&self, scope: Scope<'_>, id: u32) {
        let _polls = self.polls();
        self.take_overdue(scope);
        self.loans.load.begin_turn();
        if !self.loans.may_begin() {
            self.rest_listener(id);
            return;
        }
        let Some(listener) = self.with_listener(id, |bound| Arc::clone(&bound.listener)) else {
            return;
        };
        let mut accepts = false;
        for _ in 0..self.accepts_at.at_once(id) {
            match caught(|| listener.accept_lent()) {
                Ok(Some(connection)) => {
                    accepts = true;
                    self.begin_accepted(scope, &connection);
                }
                Ok(None) => break,
                Err(_) => {
                    // The I/O thread can wait until there are descriptors again.
                    self.loans.load.accept_elsewhere();
                    self.rest_listener(id);
                    break;
                }
            }
        }
        if accepts {
            self.take_read(scope);
        }
    }

    /// Begins with a connection that was accepted here. ACCEPT tells.
    fn begin_accepted(&self, scope: Scope<'_>, connection: &Arc<Connection>) {
        self.know(scope, Arc::clone(connection), true);
        self.accepts_at.untold.borrow_mut().push(connection.id);
        if let (Some(queue), Some(listener)) = (connection.queue(), connection.listener()) {
            queue.push(Event::Accept {
                connection: Arc::clone(connection),
                listener,
            });
        }
        self.begin_loan(scope, connection);
        self.act_on_lent(scope, connection);
        self.time(scope);
    }

    /// Has [`Self::end_trials`] called, if it is not about to be.
    fn time(&self, scope: Scope<'_>) {
        if self.accepts_at.is_timed.replace(true) {
            return;
        }
        let mut timer = self.accepts_at.timer.borrow_mut();
        if timer.is_none() {
            *timer = Timer::new(scope, self).ok();
        }
        if let Some(timer) = &*timer {
            timer.ask(self, TRIAL);
        }
    }

    /// Has the connections driven that were accepted here, one to two times [`TRIAL`] ago, and have not ended: their deadlines are to be
    /// watched. A socket with one exchange only goes back, too. Younger ones are left alone: most of them end by themselves.
    pub(super) fn end_trials(&self, scope: Scope<'_>) {
        self.accepts_at.is_timed.set(false);
        for connection in self.undriven_of(|listener| listener.is_some()) {
            let id = connection.id;
            if !self.loans.ages(id) {
                self.time(scope);
            } else if self.loans.is_persistent(id) {
                self.attend(&connection);
            } else {
                self.end_loan(id);
            }
        }
    }

    /// Connections without a driver whose listener is such a one.
    fn undriven_of(&self, which: impl Fn(Option<u32>) -> bool) -> Vec<Arc<Connection>> {
        let known = self.known.borrow();
        let connections = known.iter().flatten().map(|known| &known.connection);
        let undriven = connections.filter(|connection| {
            connection.is_undriven()
                && self.loans.includes(connection.id)
                && which(connection.listener())
        });
        undriven.map(Arc::clone).collect()
    }

    /// Reports connections of a listener that have no driver, and whose head or message takes longer than this.
    pub(super) fn expire_undriven(&self, id: u32, headers: Duration, request: Duration) {
        for connection in self.undriven_of(|listener| listener == Some(id)) {
            // Of one that panics the I/O thread has been told.
            let _ = self.guarded(&connection, |connection| {
                connection.expire_now(headers, request);
            });
        }
    }
}
