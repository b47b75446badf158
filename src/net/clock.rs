//! The time, which the model of the two threads moves on itself.

use std::time::Instant;

pub(super) fn now() -> Instant {
    #[cfg(test)]
    if let Some(now) = super::tests::model::now() {
        return now;
    }
    Instant::now()
}
