//! The end of a turn of the event loop, where libuv tells of closed handles.
//!
//! Core's connections are libuv's handles: that one was closed is told behind the immediates (`uv_close`), and what its
//! peer makes of that in the loop's next turn, even if the peer is in this process. So JavaScript has its own callbacks called
//! there, and what the I/O threads say after something was destroyed waits until then. What libuv does at once and tells
//! later, the end of a shutdown, has a phase too.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::ffi::{BehindEvents, ClosePhase, Failure, Host, PendingPhase, Scope};
use crate::net::connection::Event;

/// Whether this turn of the event loop has something to tell at its end, and something that waits for that.
#[derive(Default)]
pub(super) struct Closing {
    phase: Rc<ClosePhase>,
    /// JavaScript has callbacks for it, and for the pending phase.
    has_callbacks: Cell<bool>,
    has_pending_callbacks: Cell<bool>,
    /// It was asked for since the loop has looked for events: what is told now may be what a peer makes of that.
    is_recent: Cell<bool>,
    /// It was asked for since immediates wait, which come first, whenever that was.
    is_for_immediates: Cell<bool>,
    /// Events wait for it.
    postponed: Cell<bool>,
    /// They have waited for a phase that has come.
    is_overdue: Cell<bool>,
    /// They were told in this turn of the loop.
    was_overdue: Cell<bool>,
    pending: Rc<PendingPhase>,
    /// Made when it is asked for first.
    behind_events: RefCell<Option<BehindEvents>>,
    /// The pending phase is to be told behind the events of this turn of the loop.
    pends_behind: Cell<bool>,
    /// CLOSED of connections that have ended on this thread.
    ended: RefCell<Vec<Event>>,
}

impl Closing {
    /// Has [`Host::close_phase`] called in this turn of the event loop: something was closed.
    pub(super) fn closes<H: Host>(&self, scope: Scope<'_>, host: &H) -> Result<(), Failure> {
        self.is_recent.set(true);
        self.phase.ask(scope, host)
    }

    /// Notes that JavaScript has callbacks for the close phase.
    pub(super) fn has_callback(&self) {
        self.has_callbacks.set(true);
    }

    /// True if it has.
    pub(super) fn take_callbacks(&self) -> bool {
        self.has_callbacks.take()
    }

    /// The same for the pending phase.
    pub(super) fn has_pending_callback(&self) {
        self.has_pending_callbacks.set(true);
    }

    pub(super) fn take_pending_callbacks(&self) -> bool {
        self.has_pending_callbacks.take()
    }

    /// As [`Self::closes`], since immediates wait for the end of the loop's turn.
    pub(super) fn waits_for_immediates<H: Host>(
        &self,
        scope: Scope<'_>,
        host: &H,
    ) -> Result<(), Failure> {
        self.is_for_immediates.set(true);
        self.phase.ask(scope, host)
    }

    /// The loop is about to look for events: what was closed before that is told behind them, as libuv does.
    pub(super) fn begin_events(&self) {
        self.is_recent.set(false);
        self.was_overdue.set(false);
    }

    /// Has [`Host::pending_phase`] called behind this phase of the event loop.
    pub(super) fn pends<H: Host>(&self, scope: Scope<'_>, host: &H) -> Result<(), Failure> {
        self.pending.ask(scope, host)
    }

    /// Has [`Host::behind_events`] called in this turn of the loop, while its events are told. False if there is no memory for that.
    pub(super) fn asks_behind<H: Host>(&self, scope: Scope<'_>, host: &H) -> bool {
        let mut behind_events = self.behind_events.borrow_mut();
        if behind_events.is_none() {
            *behind_events = BehindEvents::new(scope, host).ok();
        }
        if let Some(behind_events) = &*behind_events {
            behind_events.ask(host);
        }
        behind_events.is_some()
    }

    /// Has the pending phase told there.
    pub(super) fn pends_behind(&self) {
        self.pends_behind.set(true);
    }

    /// True if it is to be told there.
    pub(super) fn is_pending(&self) -> bool {
        self.pends_behind.get()
    }

    /// True if the pending phase is to be told now, behind the events.
    pub(super) fn takes_pending(&self) -> bool {
        self.pends_behind.take()
    }

    /// Has CLOSED wait for the close phase; of a connection that JavaScript has not destroyed, for the pending phase before it: in
    /// that JavaScript hears that its side has ended. True if it has destroyed the connection.
    pub(super) fn holds(&self, closed: Event) -> bool {
        let is_destroyed = closed.ends_destroyed();
        self.ended.borrow_mut().push(closed);
        is_destroyed
    }

    /// The pending phase has been told. True if CLOSED waits.
    pub(super) fn pended(&self) -> bool {
        let mut ended = self.ended.borrow_mut();
        for event in &mut *ended {
            if let Event::Closed { is_destroyed, .. } = event {
                *is_destroyed = true;
            }
        }
        !ended.is_empty()
    }

    /// Gives, once, the CLOSED that may be told in the close phase.
    pub(super) fn take_ended(&self) -> Vec<Event> {
        let mut ended = self.ended.borrow_mut();
        ended
            .extract_if(.., |event| event.ends_destroyed())
            .collect()
    }

    /// True if what was closed in this turn of the loop has not been told. It is now: what is closed from now on belongs to the next.
    pub(super) fn takes_early(&self) -> bool {
        self.phase.forget()
    }

    /// True if something was closed since the loop has looked for events, and has not been told: then what came behind that waits.
    pub(super) fn postpones(&self) -> bool {
        let postpones = self.closes_first();
        if postpones {
            self.postpone();
        }
        postpones
    }

    /// Has the rest wait for the phase.
    pub(super) fn postpone(&self) {
        self.postponed.set(true);
    }

    /// What has waited comes in the loop's next turn, before anything that may be closed in that.
    pub(super) fn owes(&self) {
        self.is_overdue.set(true);
    }

    /// True if something has waited so.
    pub(super) fn is_overdue(&self) -> bool {
        self.is_overdue.get()
    }

    /// It has come.
    pub(super) fn told(&self) {
        if self.is_overdue.take() {
            self.was_overdue.set(true);
        }
    }

    /// True if what comes next of the same connections is for the loop's next turn: events that had waited were told in this, and led to
    /// something that is told at its end.
    pub(super) fn has_caught_up(&self) -> bool {
        self.was_overdue.get() && self.tells_first()
    }

    /// True if something was closed or finished since then, and has not been told.
    pub(super) fn tells_first(&self) -> bool {
        self.closes_first() || self.is_pending()
    }

    fn closes_first(&self) -> bool {
        self.phase.is_asked() && (self.is_recent.get() || self.is_for_immediates.get())
    }

    /// True if events waited for the phase, which has come.
    pub(super) fn take_postponed(&self) -> bool {
        self.is_for_immediates.set(false);
        self.postponed.take()
    }

    /// Has nothing called: the environment is being torn down.
    pub(super) fn forget(&self) {
        self.phase.forget();
        self.pending.forget();
        self.ended.take();
        if let Some(behind_events) = self.behind_events.take() {
            behind_events.stop();
        }
    }
}
