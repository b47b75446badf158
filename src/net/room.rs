//! What of a connection waits for JavaScript, in bytes that count everything, and whether there is room for more: of the connection's
//! own, and of all.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::connection::{Connection, Wake};
use super::event;
use super::limits::{NARROW_WINDOW, WINDOW};
use super::state::State;
#[cfg(test)]
use super::tests::model::{self, Fault};

impl Connection {
    /// True if bytes that were read wait for JavaScript to look at them. That a FIN came too early is no byte.
    pub(crate) fn is_unheard(&self) -> bool {
        let end = if self.lock().eof { event::EVENT } else { 0 };
        self.unread.load(Ordering::Relaxed) > end
    }

    /// Counts events of this weight that go into the queue.
    pub(super) fn queued(&self, weight: usize) {
        if let Some(queue) = self.queue() {
            self.unread.fetch_add(weight, Ordering::Relaxed);
            queue.wake.add(weight);
        }
    }

    /// Counts events of this weight off, with as many heads among them: they reached JavaScript. True if reading had stopped
    /// for them and may go on.
    pub(crate) fn delivered(&self, weight: usize, heads: usize) -> bool {
        let Some(queue) = self.queue() else {
            return false;
        };
        queue.wake.subtract(weight);
        let before = self.unread.fetch_sub(weight, Ordering::SeqCst);
        let left = before - weight;
        let has_room =
            before >= WINDOW && left < WINDOW || left < NARROW_WINDOW && self.ends_narrow_wait();
        if let Some(limits) = &self.limits {
            self.unseen.fetch_sub(heads, Ordering::Relaxed);
            limits.seen(heads);
            let mut state = self.lock();
            self.account(&mut state);
            state.attention |= has_room;
            return has_room || state.attention;
        }
        if has_room {
            self.lock().attention = true;
        }
        has_room
    }

    fn ends_narrow_wait(&self) -> bool {
        self.is_narrowed.load(Ordering::SeqCst) && self.is_narrowed.swap(false, Ordering::SeqCst)
    }

    /// Notes a request whose head goes to JavaScript; `is_counted` if the sums of the server have it already.
    pub(super) fn head_queued(&self, state: &mut State, is_counted: bool) {
        let Some(limits) = &self.limits else {
            return;
        };
        if is_counted {
            state.metered.account.requests += 1;
        }
        if self.queue().is_some() {
            self.unseen.fetch_add(1, Ordering::Relaxed);
            if !is_counted {
                limits.refused_arrived();
            }
        }
    }

    /// True if less than the window waits of this connection, and there is room in all.
    fn has_less(&self, window: impl FnOnce(&Wake) -> usize) -> bool {
        self.queue().is_none_or(|queue| {
            let unread = self.unread.load(Ordering::SeqCst);
            unread < window(&queue.wake) && !queue.wake.is_full()
        })
    }

    /// True if JavaScript has room for more events of this connection.
    pub(super) fn has_window(&self) -> bool {
        self.has_less(|_| WINDOW)
    }

    /// True if the connection may be read from, as far as JavaScript has room for what comes.
    pub(super) fn has_room_to_read(&self) -> bool {
        self.has_less(Wake::window)
    }

    /// True if JavaScript has room for one read more, and for the end of its message: a packet of which a part waits needs the driver.
    pub(super) fn has_ample_room(&self) -> bool {
        self.has_less(|wake| wake.window() / 2)
    }

    /// Has [`Self::delivered`] tell of room in the narrow window, if the connection has that. The driver then asks for room once more: it may
    /// be wide by now.
    pub(super) fn await_narrow_room(&self) {
        #[cfg(test)]
        if model::is_put_back(Fault::NarrowUnseen) {
            return;
        }
        let queue = self.queue();
        if queue.is_some_and(|queue| queue.wake.is_narrow()) {
            self.is_narrowed.store(true, Ordering::SeqCst);
        }
    }

    /// True if there is room for more events of this connection, or none in all, for which its driver does not wait yet. When the
    /// connection's own has room again, or what the driver waits for comes, JavaScript has it woken.
    pub(super) fn has_window_for_driver(&self, state: &State) -> bool {
        self.unread.load(Ordering::Relaxed) < WINDOW && !state.starving
    }

    /// True if too much waits for JavaScript in all: the connection is told when there is room.
    pub(super) fn waits_for_room(self: &Arc<Self>) -> bool {
        let Some(queue) = self.queue() else {
            return false;
        };
        let mut state = self.lock();
        state.starving = state.starving || queue.wake.wait_for_room(self);
        state.starving
    }

    /// Lets reading go on: there is room for its events again. The caller has the I/O thread attend.
    pub(crate) fn relieve(&self) {
        let mut state = self.lock();
        state.starving = false;
        state.attention = true;
    }
}
