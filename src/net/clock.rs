//! The time, which the model of the two threads moves on itself.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How long the JS thread waits for what an I/O thread is doing, at most. That takes microseconds, and waits for nothing of the JS thread's;
/// but the machine may have stopped it.
const PATIENCE: Duration = Duration::from_millis(100);

pub(super) fn now() -> Instant {
    #[cfg(test)]
    if let Some(now) = super::tests::model::now() {
        return now;
    }
    Instant::now()
}

/// Gives way to other threads until what one of them does is done, or for [`PATIENCE`]. On the JS thread.
pub(super) fn give_way_until(is_done: impl Fn() -> bool) {
    let end = now() + PATIENCE;
    while !is_done() && now() < end {
        std::thread::yield_now();
    }
}

/// The time in microseconds, for an atomic: never 0.
pub(super) fn micros() -> u64 {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    let began = *BEGAN.get_or_init(Instant::now);
    1 + Instant::now().saturating_duration_since(began).as_micros() as u64
}

/// The time in milliseconds, for an atomic: never 0.
pub(super) fn millis() -> u64 {
    1 + micros() / 1000
}
