//! The end of a turn of the event loop, where libuv tells of closed handles.
//!
//! Core's connections are libuv's handles: that one was closed is told behind the immediates (`uv_close`), and what its
//! peer makes of that in the next turn, even if the peer is in this process. So JavaScript has its own callbacks called
//! there, and what the I/O threads say after something was destroyed waits until then. What libuv does at once and tells
//! later, the end of a shutdown, has a phase too.

use std::cell::Cell;
use std::rc::Rc;

use super::ffi::{ClosePhase, Failure, Host, PendingPhase, Scope};

/// Whether this turn of the event loop has something to tell at its end, and something that waits for that.
#[derive(Default)]
pub(super) struct Closing {
    phase: Rc<ClosePhase>,
    /// Events wait for it.
    postponed: Cell<bool>,
    pending: Rc<PendingPhase>,
}

impl Closing {
    /// Has [`Host::close_phase`] called in this turn of the event loop: something was closed.
    pub(super) fn closes<H: Host>(&self, scope: Scope<'_>, host: &H) -> Result<(), Failure> {
        self.phase.ask(scope, host)
    }

    /// Has [`Host::pending_phase`] called behind this phase of the event loop.
    pub(super) fn pends<H: Host>(&self, scope: Scope<'_>, host: &H) -> Result<(), Failure> {
        self.pending.ask(scope, host)
    }

    /// True if what was closed in this turn has not been told. It is now: what is closed from now on belongs to the next.
    pub(super) fn takes_early(&self) -> bool {
        self.phase.forget()
    }

    /// True if something was closed in this turn: then what came behind that waits.
    pub(super) fn postpones(&self) -> bool {
        let postpones = self.phase.is_asked();
        self.postponed.set(self.postponed.get() || postpones);
        postpones
    }

    /// True if events waited for the phase, which has come.
    pub(super) fn take_postponed(&self) -> bool {
        self.postponed.take()
    }

    /// Has nothing called: the environment is being torn down.
    pub(super) fn forget(&self) {
        self.phase.forget();
        self.pending.forget();
    }
}
