//! How long the present turn of JavaScript's event loop has lasted, as other threads may ask.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::clock;

/// Tells how long the event loop has waited for events in all, nanoseconds; 0 if that is not measured. From any thread.
pub(crate) type IdleTime = Box<dyn Fn() -> u64 + Send + Sync>;

/// The turns of one event loop.
pub(crate) struct Turn {
    idle_time: IdleTime,
    /// When the loop was about to wait for events last, µs of [`clock::micros`], and how long it had waited by then.
    ended: AtomicU64,
    idle: AtomicU64,
}

impl Turn {
    /// A turn of the loop that begins now.
    pub(crate) fn new(idle_time: IdleTime) -> Self {
        let idle = idle_time();
        Self {
            idle_time,
            ended: AtomicU64::new(clock::micros()),
            idle: AtomicU64::new(idle),
        }
    }

    /// The loop is about to wait for events, as it has for so many nanoseconds.
    pub(crate) fn ends(&self, idle: u64) {
        self.idle.store(idle, Ordering::Relaxed);
        self.ended.store(clock::micros(), Ordering::Relaxed);
    }

    /// How long the loop has not waited since it was about to: the age of its turn, or next to nothing if it waits.
    pub(crate) fn age(&self) -> Duration {
        let passed = clock::micros().saturating_sub(self.ended.load(Ordering::Relaxed));
        let idle = (self.idle_time)().saturating_sub(self.idle.load(Ordering::Relaxed));
        Duration::from_micros(passed).saturating_sub(Duration::from_nanos(idle))
    }
}
