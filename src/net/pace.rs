//! Whether a peer is within the limits of the server: the size and the rate of its bodies, and the time that it takes.

use std::time::{Duration, Instant};

use super::connection::Connection;
use super::input::Mode;
use super::limit_kinds::{BODY_BYTES_PER_SECOND, BODY_SIZE, BODY_TIMEOUT, HEADERS_TIMEOUT, Hit};
use super::state::State;

/// How long until a deadline that cannot be met now is looked at again.
const LATER: Duration = Duration::from_secs(1);

impl Connection {
    /// Notes that a head with a body has come.
    pub(super) fn body_begins(&self, state: &mut State, now: Instant) {
        state.metered.body = 0;
        state.metered.began = Some(now);
        state.metered.span = Some((now, state.bytes_read));
    }

    /// Counts bytes of the body. The limit that it is beyond, if it is.
    pub(super) fn body_grows(&self, state: &mut State, len: usize) -> Option<Hit> {
        let limits = self.limits.as_ref()?;
        state.metered.began?;
        state.metered.body += len as u64;
        (state.metered.body > limits.max(BODY_SIZE)?).then(|| limits.hit(BODY_SIZE))
    }

    pub(super) fn body_ends(&self, state: &mut State) {
        state.metered.began = None;
        state.metered.span = None;
    }

    /// The time limit that is over, or else when to look next.
    pub(super) fn check_pace(
        &self,
        state: &mut State,
        now: Instant,
    ) -> Result<Option<Instant>, Hit> {
        let Some(limits) = &self.limits else {
            return Ok(None);
        };
        if state.metered.is_refused
            || state.metered.pending.is_some()
            || state.input.mode != Mode::Parsing
            || state.is_over()
        {
            return Ok(None);
        }
        let mut next: Option<Instant> = None;
        let mut look_at = |at: Instant| next = Some(next.map_or(at, |next| next.min(at)));
        let metered = &state.metered;
        let due = |began, time| metered.counts_from(began).unwrap_or(now) + time;
        if let Some(time) = limits.time(HEADERS_TIMEOUT)
            && let Some(began) = state.timing.head_began()
        {
            let due = due(began, time);
            if due > now {
                look_at(due);
            } else if state.proto.outstanding() != 0 {
                // An answer is under way, behind which the next head has time.
                look_at(now + LATER);
            } else {
                return Err(limits.hit(HEADERS_TIMEOUT));
            }
        }
        let Some(began) = state.metered.began else {
            return Ok(next);
        };
        if let Some(time) = limits.time(BODY_TIMEOUT) {
            let due = due(began, time);
            if due <= now {
                return Err(limits.hit(BODY_TIMEOUT));
            }
            look_at(due);
        }
        if let Some(rate) = limits.max(BODY_BYTES_PER_SECOND)
            && let Some((since, read)) = state.metered.span
        {
            let mut due = since + limits.grace();
            if due <= now {
                let came = (state.bytes_read - read) as f64;
                let is_slow = came < rate as f64 * limits.grace().as_secs_f64();
                if is_slow && !state.metered.was_unread_since(since) {
                    return Err(limits.hit(BODY_BYTES_PER_SECOND));
                }
                state.metered.span = Some((now, state.bytes_read));
                due = now + limits.grace();
            }
            look_at(due);
        }
        Ok(next)
    }
}
