//! Connection ids.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Connection ids of one environment, reused once they are free: the longest unused first, since an id that is used a
/// moment too long must not hit another connection.
#[derive(Default)]
pub(crate) struct Ids(Mutex<(VecDeque<u32>, u32)>);

/// Ids that rest before the first of them is used again.
const IDS_RESTING: usize = 64;

impl Ids {
    fn lock(&self) -> MutexGuard<'_, (VecDeque<u32>, u32)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn take(&self) -> u32 {
        let (free, next) = &mut *self.lock();
        if free.len() > IDS_RESTING
            && let Some(id) = free.pop_front()
        {
            return id;
        }
        let id = *next;
        *next += 1;
        id
    }

    pub(crate) fn give_back(&self, id: u32) {
        self.lock().0.push_back(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_was_given_back_is_not_used_again_at_once() {
        let ids = Ids::default();
        let first = ids.take();
        ids.give_back(first);
        for _ in 0..IDS_RESTING {
            let id = ids.take();
            assert_ne!(id, first);
            ids.give_back(id);
        }
        assert_eq!(ids.take(), first, "the longest unused");
    }
}
