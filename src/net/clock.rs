//! The time, which the model of the two threads moves on itself.

use std::sync::OnceLock;
use std::time::Instant;

pub(super) fn now() -> Instant {
    #[cfg(test)]
    if let Some(now) = super::tests::model::now() {
        return now;
    }
    Instant::now()
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
