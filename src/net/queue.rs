//! The one way up: everything that happened on an I/O thread, in order, until JavaScript fetches it.
//!
//! `C` is the connection: what an ACCEPT brings and what waits for room, of which nothing is known here.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::batch::Batch;
use super::event::Event;
use super::limits::{AHEAD_OF_LOAN, NARROW_WINDOW, WINDOW, WINDOW_IN_ALL};

/// The wake of the JS thread of one environment, and what waits for it in all queues.
pub(crate) struct Wake<C> {
    /// A wake is on its way to the JS thread.
    signaled: AtomicBool,
    signal: Box<dyn Fn() + Send + Sync>,
    /// What the events in all queues weigh.
    weight: AtomicUsize,
    /// JavaScript keeps much of what paused connections have read.
    narrow: AtomicBool,
    /// Connections that are not read from because too much waits in all.
    starved: Mutex<Vec<Arc<C>>>,
}

impl<C> Wake<C> {
    /// `signal` wakes the JS thread; it must not block.
    pub(crate) fn new(signal: Box<dyn Fn() + Send + Sync>) -> Self {
        Self {
            signaled: AtomicBool::new(false),
            signal,
            weight: AtomicUsize::new(0),
            narrow: AtomicBool::new(false),
            starved: Mutex::default(),
        }
    }

    /// Wakes the JS thread if no wake is on its way.
    pub(crate) fn give(&self) {
        if !self.signaled.swap(true, Ordering::SeqCst) {
            (self.signal)();
        }
    }

    /// Has the next event give another wake: the JS thread is awake, and looks now.
    pub(crate) fn taken(&self) {
        self.signaled.store(false, Ordering::SeqCst);
        #[cfg(test)]
        super::tests::model::step();
    }

    pub(super) fn add(&self, weight: usize) {
        self.weight.fetch_add(weight, Ordering::SeqCst);
    }

    pub(super) fn subtract(&self, weight: usize) {
        self.weight.fetch_sub(weight, Ordering::SeqCst);
    }

    /// What the events in all queues weigh, bytes.
    pub(crate) fn weight(&self) -> usize {
        self.weight.load(Ordering::SeqCst)
    }

    pub(super) fn is_full(&self) -> bool {
        self.weight.load(Ordering::SeqCst) >= WINDOW_IN_ALL
    }

    /// What the events of one connection may weigh while it is read from, bytes.
    pub(super) fn window(&self) -> usize {
        if self.is_narrow() {
            NARROW_WINDOW
        } else {
            WINDOW
        }
    }

    pub(super) fn is_narrow(&self) -> bool {
        self.narrow.load(Ordering::SeqCst)
    }

    /// Has connections read from up to [`NARROW_WINDOW`] alone, or to [`WINDOW`] again.
    pub(crate) fn narrow(&self, is_narrow: bool) {
        self.narrow.store(is_narrow, Ordering::SeqCst);
    }

    /// True if a loan would not be heard of soon, behind what waits.
    pub(crate) fn is_behind(&self) -> bool {
        self.weight.load(Ordering::SeqCst) > AHEAD_OF_LOAN
    }

    fn starved(&self) -> MutexGuard<'_, Vec<Arc<C>>> {
        self.starved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lists the connection, to be told when there is room. False if there is some.
    pub(super) fn wait_for_room(&self, connection: &Arc<C>) -> bool {
        let mut starved = self.starved();
        // Asked under the lock: the JS thread makes room first and then looks here.
        let full = self.is_full();
        if full {
            starved.push(Arc::clone(connection));
        }
        full
    }

    /// Gives, once, the connections that may go on, if there is room.
    pub(crate) fn relieved(&self) -> Vec<Arc<C>> {
        if self.is_full() {
            return Vec::new();
        }
        #[cfg(test)]
        super::tests::model::step();
        std::mem::take(&mut *self.starved())
    }
}

/// What happened on one I/O thread, or on the sockets that it lends, until the JS thread fetches it.
pub(crate) struct EventQueue<C> {
    /// The I/O thread's place among those of its environment.
    pub(crate) thread: usize,
    batch: Mutex<Batch<C>>,
    /// How often the I/O thread has looked at what waits and has given no wake.
    passes: AtomicUsize,
    pub(crate) wake: Arc<Wake<C>>,
}

/// How often it may give none: a thread that never parks, since peers occupy it with what makes no events, must
/// not withhold the events of other connections.
const PASSES: usize = 64;

/// Events after which the JS thread is woken though the I/O thread is still busy.
const EAGER: usize = 64;

/// Bytes of bodies after which it is: half of what one connection may have waiting, so that reading goes on while
/// JavaScript fetches them.
const EAGER_BYTES: usize = WINDOW / 2;

impl<C> EventQueue<C> {
    pub(crate) fn new(thread: usize, wake: Arc<Wake<C>>) -> Self {
        Self {
            thread,
            batch: Mutex::default(),
            passes: AtomicUsize::new(0),
            wake,
        }
    }

    /// The batch being filled. It is locked for a short time: the JS thread waits for it.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Batch<C>> {
        // After a panic while appending one event at worst is incomplete in a Vec: still valid.
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends one event.
    pub(crate) fn push(&self, event: Event<C>) {
        self.lock().events.push(event);
    }

    /// True if there is nothing to fetch.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().events.is_empty()
    }

    /// True if nothing waits but CLOSED of connections that JavaScript has destroyed.
    pub(crate) fn has_ends_only(&self) -> bool {
        let batch = self.lock();
        let mut events = batch.events.iter();
        events.all(Event::ends_destroyed)
    }

    /// True if all that waits was read from such connections, by their ids, or tells of one that was accepted.
    pub(crate) fn was_read_from(&self, is_such: impl Fn(u32) -> bool) -> bool {
        let batch = self.lock();
        let mut events = batch.events.iter();
        events.all(|event| {
            matches!(event, Event::Accept { .. }) || event.read_from().is_some_and(&is_such)
        })
    }

    /// Wakes the JS thread if there is something to fetch and no wake is on its way.
    pub(crate) fn publish(&self) {
        if !self.is_empty() {
            #[cfg(test)]
            super::tests::model::step();
            self.wake.give();
        }
    }

    /// `publish`, once many events or bytes wait, or a few for long: the I/O thread is too busy to park.
    pub(crate) fn publish_if_many(&self) {
        let (count, weight) = {
            let batch = self.lock();
            (batch.events.len(), batch.weight())
        };
        if count == 0 {
            return;
        }
        let passes = self.passes.fetch_add(1, Ordering::Relaxed);
        if count >= EAGER || weight >= EAGER_BYTES || passes >= PASSES {
            self.passes.store(0, Ordering::Relaxed);
            self.wake.give();
        }
    }

    /// Lets go of all events and connections: the environment is gone.
    pub(crate) fn clear(&self) {
        *self.lock() = Batch::default();
        self.wake.starved().clear();
    }

    /// Swaps everything for the emptied `batch`. JS thread only.
    pub(crate) fn take(&self, batch: &mut Batch<C>) {
        std::mem::swap(&mut *self.lock(), batch);
    }
}
