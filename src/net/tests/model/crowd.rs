//! The other connections of the environment, of an I/O thread of their own: what they tell fills the room that there is in all.
//! It is counted, and never looked at.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Progress;
use super::random::{Often, Random};
use crate::net::connection::Wake;
use crate::net::limits::WINDOW_IN_ALL;

pub(super) struct Crowd {
    wake: Arc<Wake>,
    /// What its events weigh that wait for JavaScript, bytes.
    waits: AtomicUsize,
}

impl Crowd {
    pub(super) fn new(wake: Arc<Wake>) -> Self {
        Self {
            wake,
            waits: AtomicUsize::new(0),
        }
    }

    /// Tells what weighs so much.
    fn tell(&self, weight: usize) {
        self.wake.add(weight);
        self.waits.fetch_add(weight, Ordering::SeqCst);
    }

    /// Fetches all that it has told, on the JS thread.
    pub(super) fn take(&self) -> bool {
        let weight = self.waits.swap(0, Ordering::SeqCst);
        self.wake.subtract(weight);
        weight != 0
    }
}

/// The I/O thread of the crowd: it tells so many times at random, and wakes the JS thread now or later, as one that is busy does.
pub(super) struct CrowdThread {
    crowd: Arc<Crowd>,
    random: Random,
    left: usize,
    /// It does something once in so many calls.
    pace: usize,
    has_unpublished: bool,
    /// How often there is no room behind what it tells; otherwise it wakes the JS thread, and no more.
    fills: Often,
}

impl CrowdThread {
    pub(super) fn new(crowd: Arc<Crowd>, mut random: Random) -> Self {
        // The more it does, the faster: nothing is over before that.
        let (left, pace) = random.of(&[(0, 1), (0, 1), (1, 30), (2, 8), (8, 4), (32, 2)]);
        Self {
            crowd,
            left,
            pace,
            fills: random.often(),
            random,
            has_unpublished: false,
        }
    }

    /// False when nothing is left to do.
    pub(super) fn turn(&mut self, progress: &Progress) -> bool {
        if self.left == 0 && !self.has_unpublished {
            return false;
        }
        // It is not over before that.
        progress.moved();
        if !self.random.once_in(self.pace) {
            return true;
        }
        if self.has_unpublished {
            self.has_unpublished = false;
            self.crowd.wake.give();
        } else {
            self.left -= 1;
            self.has_unpublished = true;
            let weight = if self.random.is_so(self.fills) {
                // A few events of one connection fill what is left, or nothing is.
                WINDOW_IN_ALL - self.random.of(&[0, 0, 1, 150, 300])
            } else {
                1
            };
            self.crowd.tell(weight);
        }
        true
    }
}
