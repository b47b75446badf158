//! Times of a server's connections that are over, and are told.

use std::time::{Duration, Instant};

use super::clock;
use super::connection::{Connection, Event, EventQueue};
use super::event::Deadline;
use super::stats::Timeout;
use crate::panics::{self, Place};

impl Connection {
    /// JavaScript is told of TIMEOUT: if it closes the connection now, that is why.
    pub(crate) fn timeout_heard(&self) {
        self.lock().timing.is_heard = true;
    }

    /// Reports EXPIRED if the message being received takes longer than one of these; zero is no limit.
    pub(super) fn expire(
        &self,
        now: Instant,
        headers: Duration,
        request: Duration,
        queue: &EventQueue,
    ) {
        let mut state = self.lock();
        if let Some(deadline) = state.timing.expire(now, headers, request) {
            panics::at(Place::Expire);
            self.stats.timed_out(match deadline {
                Deadline::Headers => Timeout::Headers,
                Deadline::Request => Timeout::Request,
            });
            queue.push(Event::Expired {
                id: self.id,
                deadline,
            });
        }
    }

    /// The same, of a connection without a driver. On the JS thread.
    pub(crate) fn expire_now(&self, headers: Duration, request: Duration) {
        if let Some(queue) = self.queue() {
            self.expire(clock::now(), headers, request, queue);
            queue.publish();
        }
    }
}
