//! What Node and libuv call, and the end of an environment.

use super::environment::Environment;
use super::ffi::{Exports, Failure, Host, Scope};

/// libuv tells of what it has finished at once, and what that leads to, so often (`uv_run`).
const PENDING_AT_MOST: u32 = 8;

impl Host for Environment {
    fn exports(&self) -> &Exports<Self> {
        &self.exports
    }

    fn drain(&self, scope: Scope<'_>) {
        self.loans.load.begin_turn();
        self.take_events(scope);
    }

    fn drain_again(&self) {
        self.wake.taken();
        self.wake.give();
    }

    fn readable(&self, scope: Scope<'_>) {
        self.receive_lent(scope);
    }

    fn connects(&self, scope: Scope<'_>, listener: u32) {
        self.accept_waiting(scope, listener);
    }

    fn leaves(&self, listener: u32) {
        self.leave_listener(listener);
        // What was accepted is told.
        self.drain_again();
    }

    fn time_is_up(&self, scope: Scope<'_>) {
        self.end_trials(scope);
    }

    fn behind_events(&self, scope: Scope<'_>) {
        let _polls = self.polls();
        self.end_dials(scope);
        for _ in 0..PENDING_AT_MOST {
            if !self.closing.takes_pending() || self.tell_pending(scope).is_err() {
                return;
            }
        }
        // The loop's next turn's.
        if self.closing.takes_pending() {
            let _ = self.closing.pends(scope, self);
        }
    }

    fn unwatch(&self) {
        self.end_loans(self.loans.running());
        self.lose_dials();
        self.loans.unwatch();
    }

    fn close_phase(&self, scope: Scope<'_>) -> Result<(), Failure> {
        self.tell_closed(scope)
    }

    fn pending_phase(&self, scope: Scope<'_>) -> Result<(), Failure> {
        self.tell_pending(scope)
    }

    fn next_turn(&self, scope: Scope<'_>) -> Result<(), Failure> {
        if self.closing.takes_early() {
            self.tell_closed(scope)?;
        }
        self.pending_phase(scope)
    }

    fn end_turn(&self, idle: u64) {
        self.blocks.end_turn(idle);
        self.accepts_at.begin_turn();
        self.closing.begin_events();
    }

    /// Ends the I/O threads.
    fn tear_down(&self) {
        self.closing.forget();
        self.dials.clear();
        self.accepts_at.clear();
        self.unwatch();
        self.blocks.unwatch();
        self.flush_now();
        // Joined here, so that no signal is given afterwards.
        self.threads.borrow_mut().clear();
        // Events that are not fetched any more refer to connections, and those to their queue.
        for queue in self.queues.borrow_mut().drain(..) {
            queue.clear();
        }
        self.encoder.borrow_mut().clear();
        for (_, bound) in self.listeners.borrow_mut().drain() {
            bound.listener.close();
        }
        self.known.borrow_mut().clear();
        self.signal.release();
    }
}
