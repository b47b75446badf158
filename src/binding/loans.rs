//! The sockets that are lent to the JS thread. `net::load` decides whether they should be.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Instant;

use socket2::Socket;

use super::ffi::Watch;
use crate::net::batch::ReadBuffer;
use crate::net::load::Load;
use crate::net::poll_set::{PollSet, Ready};

/// Sockets lent at a time, and asked for.
const LOANS: usize = 1024;

/// Heads that come by a connection until its socket is lent: many connections carry one exchange only.
const HEADS: u8 = 2;

/// What is known of a connection's loan.
#[derive(Default)]
struct Slot {
    /// The loan was asked for.
    asked: bool,
    heads: u8,
    /// The socket, while it is lent. The connection may end on its I/O thread meanwhile; this keeps the descriptor open
    /// until the set has let go of it.
    lent: Option<Arc<Socket>>,
}

/// The set of lent sockets, and the event loop's watch on it.
struct Watched {
    set: PollSet,
    watch: Watch,
}

/// The running loans, and what speaks for or against more.
#[derive(Default)]
pub(super) struct Loans {
    /// By connection.
    slots: RefCell<Vec<Slot>>,
    /// Made by the first loan.
    watched: RefCell<Option<Watched>>,
    pub(super) scratch: RefCell<Option<ReadBuffer>>,
    /// Empty between turns.
    ready: RefCell<Vec<Ready>>,
    /// Loans asked for and running; running.
    wanted: Cell<usize>,
    running: Cell<usize>,
    pub(super) load: Load,
}

impl Loans {
    pub(super) fn includes(&self, id: u32) -> bool {
        self.running.get() != 0
            && self
                .slots
                .borrow()
                .get(id as usize)
                .is_some_and(|slot| slot.lent.is_some())
    }

    fn with<T>(&self, id: u32, body: impl FnOnce(&mut Slot) -> T) -> T {
        let mut slots = self.slots.borrow_mut();
        if slots.len() <= id as usize {
            slots.resize_with(id as usize + 1, Slot::default);
        }
        body(&mut slots[id as usize])
    }

    /// Counts a head that is on its way to JavaScript.
    pub(super) fn saw_head(&self, id: u32) {
        let lent = self.with(id, |slot| {
            slot.heads = slot.heads.saturating_add(1);
            slot.lent.is_some()
        });
        self.load
            .saw_head((self.running.get() != 0).then_some(lent));
    }

    /// True if more sockets should be lent.
    pub(super) fn are_few(&self) -> bool {
        self.load.are_few() && self.wanted.get() < LOANS
    }

    /// True if the loans should end ([`Load::should_end`]).
    pub(super) fn should_end(&self, now: Instant, idle: impl FnOnce() -> u64) -> bool {
        self.load.should_end(self.running.get() != 0, now, idle)
    }

    /// True if the connection's socket should be lent as soon as load is low.
    pub(super) fn is_due(&self, id: u32) -> bool {
        self.with(id, |slot| {
            slot.heads >= HEADS && !slot.asked && slot.lent.is_none()
        })
    }

    pub(super) fn asks(&self, id: u32) {
        self.with(id, |slot| slot.asked = true);
        self.wanted.set(self.wanted.get() + 1);
    }

    /// The loan that was asked for is granted, or refused.
    pub(super) fn answered(&self, id: u32) {
        if self.with(id, |slot| std::mem::take(&mut slot.asked)) {
            self.wanted.set(self.wanted.get() - 1);
        }
    }

    /// Begins a loan. `watch` has the event loop watch a descriptor. False if it cannot.
    pub(super) fn begin(
        &self,
        id: u32,
        socket: Arc<Socket>,
        watch: impl FnOnce(&PollSet) -> Option<Watch>,
    ) -> bool {
        let mut watched = self.watched.borrow_mut();
        if watched.is_none() {
            *watched = PollSet::new().ok().and_then(|set| {
                let watch = watch(&set)?;
                Some(Watched { set, watch })
            });
        }
        let begins = watched
            .as_ref()
            .is_some_and(|watched| watched.set.add(id, &socket).is_ok());
        if begins {
            self.with(id, |slot| slot.lent = Some(socket));
            self.wanted.set(self.wanted.get() + 1);
            self.running.set(self.running.get() + 1);
        }
        begins
    }

    /// Ends a loan. False if there is none.
    pub(super) fn end(&self, id: u32) -> bool {
        if self.running.get() == 0 {
            return false;
        }
        let Some(socket) = self.with(id, |slot| slot.lent.take()) else {
            return false;
        };
        if let Some(watched) = &*self.watched.borrow() {
            watched.set.remove(&socket);
        }
        self.wanted.set(self.wanted.get() - 1);
        self.running.set(self.running.get() - 1);
        true
    }

    /// The lent sockets that have something to read, in a list to be given back by [`Self::keep`].
    pub(super) fn take_ready(&self) -> Vec<Ready> {
        let mut ready = self.ready.take();
        if let Some(watched) = &mut *self.watched.borrow_mut() {
            watched.set.ready(&mut ready);
        }
        ready
    }

    /// Keeps the memory of a list.
    pub(super) fn keep(&self, ready: Vec<Ready>) {
        self.ready.replace(ready);
    }

    /// Has what is left to read of a lent socket told in the next turn. False if it cannot be.
    pub(super) fn again(&self, id: u32) -> bool {
        let slots = self.slots.borrow();
        let Some(socket) = slots.get(id as usize).and_then(|slot| slot.lent.as_ref()) else {
            return true;
        };
        match &*self.watched.borrow() {
            Some(watched) => watched.set.again(id, socket).is_ok(),
            None => false,
        }
    }

    /// The connections whose sockets are lent.
    pub(super) fn running(&self) -> Vec<u32> {
        let slots = self.slots.borrow();
        let lent = slots.iter().enumerate();
        lent.filter(|(_, slot)| slot.lent.is_some())
            .map(|(id, _)| id as u32)
            .collect()
    }

    /// Forgets a connection that is gone.
    pub(super) fn forget(&self, id: u32) {
        if id as usize >= self.slots.borrow().len() {
            return;
        }
        self.answered(id);
        self.end(id);
        self.with(id, |slot| slot.heads = 0);
    }

    /// Ends the watch: no loan is running.
    pub(super) fn unwatch(&self) {
        if let Some(watched) = self.watched.take() {
            watched.watch.stop();
        }
    }
}
