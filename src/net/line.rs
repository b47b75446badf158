//! Tasks that wait in a line until there is room: one is woken for each room that is made, and wakes the next if any is left.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// A line of tasks.
#[derive(Default)]
pub(super) struct Line {
    waiting: Mutex<VecDeque<(Arc<AtomicBool>, Waker)>>,
    /// The line is not empty. Read without the lock, where room is made.
    is_used: AtomicBool,
}

/// A task's place in a line: it is in it, or was.
pub(super) struct InLine(Arc<AtomicBool>);

impl InLine {
    /// True until its task is woken.
    pub(super) fn is_in_line(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Leaves the line. False if it was woken already.
    pub(super) fn leave(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }
}

impl Line {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<(Arc<AtomicBool>, Waker)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a task at the end of the line. The caller looks once more whether there is room, behind this call.
    pub(super) fn join(&self, waker: &Waker) -> InLine {
        let is_in = Arc::new(AtomicBool::new(true));
        self.waiting()
            .push_back((Arc::clone(&is_in), waker.clone()));
        self.is_used.store(true, Ordering::SeqCst);
        InLine(is_in)
    }

    /// Wakes the first task of the line: there is room.
    pub(super) fn wake_next(&self) {
        if !self.is_used.load(Ordering::SeqCst) {
            return;
        }
        let mut waiting = self.waiting();
        while let Some((is_in, waker)) = waiting.pop_front() {
            // Not if it has left.
            if is_in.swap(false, Ordering::SeqCst) {
                waker.wake();
                break;
            }
        }
        if waiting.is_empty() {
            self.is_used.store(false, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn one_task_is_woken_at_a_time_and_none_that_has_left() {
        let counts = [(); 3].map(|()| Arc::new(Count::default()));
        let woken = || {
            counts
                .each_ref()
                .map(|count| count.0.load(Ordering::SeqCst))
        };
        let line = Line::default();
        line.wake_next();
        let places = counts
            .each_ref()
            .map(|count| line.join(&Arc::clone(count).into()));
        assert!(places[0].leave() && !places[0].is_in_line());
        line.wake_next();
        assert_eq!(woken(), [0, 1, 0]);
        assert!(!places[1].leave() && places[2].is_in_line());
        line.wake_next();
        line.wake_next();
        assert_eq!(woken(), [0, 1, 1]);
        assert!(!line.is_used.load(Ordering::SeqCst));
    }
}
