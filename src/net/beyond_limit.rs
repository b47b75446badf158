//! What is done with a connection that is beyond a limit of its server.

use std::ops::DerefMut;
use std::sync::atomic::Ordering;

use super::connection::{Batch, Connection, Event};
use super::input::Mode;
use super::limit_kinds::Hit;
use super::server_limits::ServerLimits;
use super::state::{Ending, State};
use super::stats::{Close, LIMIT};

impl Connection {
    /// Counts something beyond a limit, and has JavaScript told now and then.
    pub(super) fn count_hit(&self, limits: &ServerLimits, hit: Hit, batch: &mut Batch) {
        if limits.count(hit.limit, &self.stats) {
            batch.events.push(Event::Limited {
                owner: limits.owner,
            });
        }
    }

    /// Ends the connection at once.
    pub(super) fn cut_off(&self, state: &mut State) {
        self.stop_input(state);
        state.end(Ending::Reset);
    }

    /// Accepts no more of the peer, and nothing that JavaScript says.
    pub(super) fn stop_input(&self, state: &mut State) {
        state.metered.is_refused = true;
        state.metered.has_acted = true;
        state.close_noted = Some(Close::for_reason(LIMIT));
        if state.input.mode == Mode::Parsing {
            state.input.mode = Mode::Held;
        }
    }

    /// [`Self::account`], behind what was said: the end of the connection if it has more bytes than it may.
    #[inline]
    pub(super) fn keep_accounts(&self, state: &mut State) {
        if let (Some(limits), Some(queue)) = (&self.limits, self.queue()) {
            self.account(state);
            self.bound(limits, state, || queue.lock());
        }
    }

    /// The same where bytes are read, and the queue is locked.
    #[inline]
    pub(super) fn keep_accounts_of_input(&self, state: &mut State, batch: &mut Batch) {
        if let (Some(limits), Some(_)) = (&self.limits, self.queue()) {
            self.account(state);
            self.bound(limits, state, || batch);
        }
    }

    #[inline(never)]
    fn bound<B: DerefMut<Target = Batch>>(
        &self,
        limits: &ServerLimits,
        state: &mut State,
        batch: impl FnOnce() -> B,
    ) {
        let bytes = state.metered.account.bytes;
        if bytes != 0
            && !state.metered.is_refused
            && !state.has_failed()
            && let Some(hit) = limits.beyond_bytes(bytes)
        {
            self.count_hit(limits, hit, &mut batch());
            self.cut_off(state);
        }
    }

    /// True if nothing more is accepted from the peer for now: a limit was met beyond which things wait. Its end is, if nothing else waits.
    #[inline]
    pub(super) fn is_held(&self, state: &State) -> bool {
        match &self.limits {
            Some(limits) => Self::is_held_by(limits, state),
            None => false,
        }
    }

    /// True if nothing but the limits stops the driver's reading.
    pub(super) fn awaits_limits(&self, state: &State) -> bool {
        state.goes_on_reading() && self.is_held(state)
    }

    #[inline(never)]
    fn is_held_by(limits: &ServerLimits, state: &State) -> bool {
        let is_held = !state.metered.has_only_end
            && limits.holds(state.metered.account.bytes, !state.proto.receiving());
        if is_held {
            state.metered.gated.store(true, Ordering::Relaxed);
        }
        is_held
    }
}
