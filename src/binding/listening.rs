//! Which thread accepts: the JS thread while little comes at a time, as `net::load` says, or the first of the I/O threads.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use socket2::Socket;

use super::environment::Environment;
use super::ffi::{Scope, Watch};
use super::listeners::Watched;
use crate::net::listener::Listener;

impl Environment {
    /// Listens on a bound socket. Connections of one that other listeners have, too, and those of a server with limits, are accepted on
    /// the first of the I/O threads.
    pub(super) fn listen(
        &self,
        scope: Scope<'_>,
        listener: &Arc<Listener>,
        socket: Socket,
        backlog: i32,
        is_shared: bool,
    ) -> io::Result<()> {
        self.threads()?;
        listener.listen(socket, backlog)?;
        let is_ours = !is_shared && listener.may_be_lent();
        if is_ours && self.may_accept() && self.watch_listener(scope, listener) {
            return Ok(());
        }
        let begun = listener.accept_on(&self.threads.borrow()[0]);
        if begun.is_err() {
            listener.close();
        } else if is_ours {
            let mut resting = self.accepts_at.resting.borrow_mut();
            resting.push(listener.options.id);
        }
        begun
    }

    fn may_accept(&self) -> bool {
        self.loans.may_begin() && self.loans.load.may_accept()
    }

    /// Has the event loop watch a listening socket that is lent. False if it cannot.
    fn watch_listener(&self, scope: Scope<'_>, listener: &Listener) -> bool {
        let id = listener.options.id;
        let Some(socket) = listener.lent() else {
            return false;
        };
        // The set of lent sockets is there from now on: that what comes first uses a descriptor is not seen later.
        if !self
            .loans
            .prepare(|set| Watch::start(scope, self, set.as_raw_fd()).ok())
        {
            return false;
        }
        let Ok(watch) = Watch::listen(scope, self, socket.as_raw_fd(), id) else {
            return false;
        };
        let watched = Watched {
            watch,
            told_in: 0,
            at_once: 1,
        };
        self.accepts_at.watched.borrow_mut().insert(id, watched);
        true
    }

    /// Has the I/O thread accept from now on.
    pub(super) fn leave_listener(&self, id: u32) {
        self.accepts_at.unwatch(id);
        let listener = self.with_listener(id, |bound| Arc::clone(&bound.listener));
        if let Some(listener) = listener
            && listener.accept_on(&self.threads.borrow()[0]).is_err()
        {
            // As for a socket that has failed: nothing is accepted any more.
            listener.close();
        }
    }

    /// The same, until load is low.
    pub(super) fn rest_listener(&self, id: u32) {
        self.leave_listener(id);
        self.accepts_at.resting.borrow_mut().push(id);
    }

    /// Moves the listening sockets to the thread that should accept now.
    pub(super) fn reconsider_listeners(&self, scope: Scope<'_>) {
        let listeners = &self.accepts_at;
        if !listeners.watched.borrow().is_empty() && self.loans.load.should_not_accept() {
            let watched: Vec<u32> = listeners.watched.borrow().keys().copied().collect();
            for id in watched {
                self.rest_listener(id);
            }
        } else if !listeners.resting.borrow().is_empty() && self.may_accept() {
            for id in listeners.resting.take() {
                let listener = self.with_listener(id, |bound| Arc::clone(&bound.listener));
                if let Some(listener) = listener
                    && listener.lend()
                    && !self.watch_listener(scope, &listener)
                {
                    self.leave_listener(id);
                }
            }
        }
    }

    /// Connections that a listener has accepted and JavaScript has not heard of. It does now.
    pub(super) fn know_accepted(&self, scope: Scope<'_>, listener: &Listener) -> Vec<u32> {
        let mut ids = self.take_untold(listener.options.id);
        for thread in listener.threads() {
            for connection in thread.accepted_by(listener.options.id) {
                if !self.knows(&connection) {
                    ids.push(connection.id);
                    self.know(scope, connection, true);
                }
            }
        }
        ids
    }

    /// Connections of a listener that were accepted here and of which JavaScript has not heard. It does now.
    fn take_untold(&self, listener: u32) -> Vec<u32> {
        let mut untold = self.accepts_at.untold.borrow_mut();
        let is_of = |id: &mut u32| {
            self.with(*id, |connection| connection.listener() == Some(listener))
                .unwrap_or(false)
        };
        untold.extract_if(.., is_of).collect()
    }
}
