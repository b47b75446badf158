//! The clocks of one connection. Deadlines are compared with the time of the last activity, so that activity
//! costs a store and never touches a timer.

use std::time::{Duration, Instant};

use super::event::Deadline;
use super::options::ServerOptions;

pub(super) struct Timing {
    /// Idle time after which TIMEOUT is reported; zero for never.
    pub(super) idle: Duration,
    /// `idle` is the keep-alive timeout; the next head puts the ordinary one back, as in core.
    keep_alive_set: bool,
    /// The keep-alive timeout that begins when what was said is written; zero for none.
    keep_alive_due: Duration,
    /// TIMEOUT was reported; activity arms it again.
    pub(super) timed_out: bool,
    /// JavaScript hears of TIMEOUT now, though something may have come since.
    pub(super) is_heard: bool,
    pub(super) last_activity: Instant,
    /// First byte of the message being received, or the start of a connection that has sent none.
    message_began: Option<Instant>,
    head_complete: bool,
    /// The EXPIRED that was reported for this message.
    pub(super) expired: Option<Deadline>,
}

impl Timing {
    pub(super) fn new(now: Instant, idle: Duration) -> Self {
        Self {
            idle,
            keep_alive_set: false,
            keep_alive_due: Duration::ZERO,
            timed_out: false,
            is_heard: false,
            last_activity: now,
            // Core counts headersTimeout from the connection on, even if no byte ever comes.
            message_began: Some(now),
            head_complete: false,
            expired: None,
        }
    }

    pub(super) fn active(&mut self, now: Instant) {
        self.last_activity = now;
        self.timed_out = false;
        self.is_heard = false;
    }

    /// Sets another idle time, from now on; zero for never.
    pub(super) fn set_idle(&mut self, idle: Duration, now: Instant) {
        self.idle = idle;
        self.keep_alive_set = false;
        self.active(now);
    }

    /// The last exchange that was open is answered: when that is written, the keep-alive time begins. Until then a reader that is slow has
    /// the ordinary time, as in core, which waits for 'finish' (`resOnFinish` of `_http_server.js`).
    pub(super) fn is_answered(&mut self, keep_alive: Duration) {
        self.keep_alive_due = keep_alive;
    }

    /// True if the keep-alive time is to begin when what was said is written.
    pub(super) fn awaits_keep_alive(&self) -> bool {
        !self.keep_alive_due.is_zero()
    }

    /// Begins the keep-alive time, if it is due: what was said is written.
    pub(super) fn begin_keep_alive(&mut self, now: Instant) {
        let keep_alive = std::mem::take(&mut self.keep_alive_due);
        if !keep_alive.is_zero() {
            self.idle = keep_alive;
            self.keep_alive_set = true;
            self.active(now);
        }
    }

    /// Ends the keep-alive time with the head of another request: the ordinary time is the server's, or none.
    pub(super) fn end_keep_alive(&mut self, server: Option<&ServerOptions>) {
        self.keep_alive_due = Duration::ZERO;
        if std::mem::take(&mut self.keep_alive_set) {
            self.idle = server.map_or(Duration::ZERO, ServerOptions::idle);
        }
    }

    /// True if the idle time is the keep-alive timeout.
    pub(super) fn is_keep_alive(&self) -> bool {
        self.keep_alive_set
    }

    /// When TIMEOUT is due.
    pub(super) fn idle_deadline(&self) -> Option<Instant> {
        if self.idle.is_zero() || self.timed_out {
            return None;
        }
        self.last_activity.checked_add(self.idle)
    }

    /// When TIMEOUT would be due next if there were activity now, which the JS thread counts without waking the I/O thread.
    pub(super) fn rearmed(&self, now: Instant) -> Option<Instant> {
        if self.idle.is_zero() {
            return None;
        }
        now.checked_add(self.idle)
    }

    /// Begins the time of a message, if none runs: bytes of one have come that is not complete.
    pub(super) fn message_continues(&mut self, now: Instant) {
        if self.message_began.is_none() {
            self.message_began = Some(now);
            self.expired = None;
        }
    }

    /// Ends the time of the head (core's `headersTimeout`); that of the message goes on.
    pub(super) fn head_complete(&mut self, now: Instant) {
        self.message_continues(now);
        self.head_complete = true;
    }

    /// When the head that is arriving began; of the first one, the connection.
    pub(super) fn head_began(&self) -> Option<Instant> {
        self.message_began.filter(|_| !self.head_complete)
    }

    /// Ends the time of the message: the connection is between messages.
    pub(super) fn message_complete(&mut self) {
        self.message_began = None;
        self.head_complete = false;
        self.expired = None;
    }

    /// Which of core's two deadlines has passed (`checkConnections` of `_http_server.js`), once a message. Zero durations
    /// are no limit.
    pub(super) fn expire(
        &mut self,
        now: Instant,
        headers: Duration,
        request: Duration,
    ) -> Option<Deadline> {
        let began = self.message_began?;
        if self.expired.is_some() {
            return None;
        }
        let elapsed = now.saturating_duration_since(began);
        let deadline = if !headers.is_zero() && !self.head_complete && elapsed >= headers {
            Deadline::Headers
        } else if !request.is_zero() && elapsed >= request {
            Deadline::Request
        } else {
            return None;
        };
        self.expired = Some(deadline);
        Some(deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn idle_time_counts_from_the_last_activity_and_is_reported_once() {
        let start = Instant::now();
        let mut timing = Timing::new(start, 5 * SECOND);
        assert_eq!(timing.idle_deadline(), Some(start + 5 * SECOND));
        timing.active(start + 2 * SECOND);
        assert_eq!(timing.idle_deadline(), Some(start + 7 * SECOND));
        timing.timed_out = true;
        assert_eq!(timing.idle_deadline(), None);
        timing.active(start + 8 * SECOND);
        assert_eq!(timing.idle_deadline(), Some(start + 13 * SECOND));
        timing.idle = Duration::ZERO;
        assert_eq!(timing.idle_deadline(), None);
    }

    #[test]
    fn a_head_and_a_body_have_their_own_deadlines_and_idle_time_has_none() {
        let start = Instant::now();
        let mut timing = Timing::new(start, Duration::ZERO);
        assert_eq!(timing.expire(start, SECOND, 3 * SECOND), None);
        assert_eq!(
            timing.expire(start + SECOND, SECOND, 3 * SECOND),
            Some(Deadline::Headers)
        );
        assert_eq!(
            timing.expire(start + SECOND, SECOND, 3 * SECOND),
            None,
            "reported once"
        );
        timing.message_complete();
        assert_eq!(
            timing.expire(start + 60 * SECOND, SECOND, 3 * SECOND),
            None,
            "between messages"
        );
        timing.head_complete(start + 70 * SECOND);
        assert_eq!(
            timing.expire(start + 72 * SECOND, SECOND, 3 * SECOND),
            None,
            "the head is complete"
        );
        assert_eq!(
            timing.expire(start + 73 * SECOND, SECOND, 3 * SECOND),
            Some(Deadline::Request)
        );
    }
}
