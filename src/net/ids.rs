//! Connection ids.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Connection ids of one environment, reused after release: the longest unused first, since an id that is used a
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
