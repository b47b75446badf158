//! The sockets that are lent to the JS thread. `net::load` decides whether they should be.

use std::cell::{Cell, RefCell};
use std::io;
use std::sync::Arc;
use std::time::Instant;

use socket2::Socket;

use super::ffi::Watch;
use crate::net::batch::ReadBuffer;
use crate::net::load::Load;
use crate::net::poll_set::{PollSet, Ready};

/// Sockets lent at a time, and asked for.
const LOANS: usize = 1024;

/// Heads that come by a connection until its socket is lent: many connections have one exchange only.
const HEADS: u8 = 2;

/// What is known of a connection's loan.
#[derive(Default)]
struct Slot {
    /// The loan was asked for.
    asked: bool,
    heads: u8,
    /// The loan was asked about by [`Loans::ages`].
    is_old: bool,
    /// The socket, while it is lent. The connection may end on its I/O thread meanwhile; by this the descriptor stays open
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
    looks: Cell<u64>,
    /// Empty between turns of the loop.
    ready: RefCell<Vec<Ready>>,
    /// Loans asked for and running; running; those of them that load decides about: of connections with more than one exchange.
    wanted: Cell<usize>,
    running: Cell<usize>,
    persistent: Cell<usize>,
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

    /// Counts a head that is on its way to JavaScript. True if the loan, with which the connection began, should end: it
    /// has more than one exchange, and load is not low.
    pub(super) fn saw_head(&self, id: u32) -> bool {
        let (lent, is_second) = self.with(id, |slot| {
            slot.heads = slot.heads.saturating_add(1);
            (slot.lent.is_some(), slot.heads == HEADS)
        });
        let is_persistent = lent && is_second;
        if is_persistent {
            self.persistent.set(self.persistent.get() + 1);
        }
        self.load
            .saw_head((self.persistent.get() != 0).then_some(lent));
        is_persistent && !self.load.are_few()
    }

    /// True if a connection may begin with its socket lent, whatever the load: in one exchange that costs less than to have an I/O
    /// thread begin and end with it.
    pub(super) fn may_begin(&self) -> bool {
        self.wanted.get() < LOANS
    }

    /// True if more sockets should be lent.
    pub(super) fn are_few(&self) -> bool {
        self.load.are_few() && self.wanted.get() < LOANS
    }

    /// True if the loans should end ([`Load::should_end`]).
    pub(super) fn should_end(&self, now: Instant, idle: impl FnOnce() -> u64) -> bool {
        self.load.should_end(self.persistent.get() != 0, now, idle)
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
        let begins = self.watch(watch, |set| set.add(id, &socket)).is_ok();
        if begins {
            self.begin_watched(id, socket);
        }
        begins
    }

    /// Makes the set, if there is none. False if that cannot be.
    pub(super) fn prepare(&self, watch: impl FnOnce(&PollSet) -> Option<Watch>) -> bool {
        self.watch(watch, |_| Ok(())).is_ok()
    }

    /// Begins the loan of a socket that is in the set already.
    pub(super) fn begin_watched(&self, id: u32, socket: Arc<Socket>) {
        let is_persistent = self.with(id, |slot| {
            slot.lent = Some(socket);
            slot.is_old = false;
            slot.heads >= HEADS
        });
        self.wanted.set(self.wanted.get() + 1);
        self.running.set(self.running.get() + 1);
        self.persistent
            .set(self.persistent.get() + usize::from(is_persistent));
    }

    /// Adds something to the set, which `watch` has the event loop watch.
    ///
    /// # Errors
    /// There is no set, or it is full.
    fn watch(
        &self,
        watch: impl FnOnce(&PollSet) -> Option<Watch>,
        add: impl FnOnce(&PollSet) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut watched = self.watched.borrow_mut();
        if watched.is_none() {
            let set = PollSet::new()?;
            let watch = watch(&set).ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
            *watched = Some(Watched { set, watch });
        }
        watched.as_ref().map_or(Ok(()), |watched| add(&watched.set))
    }

    /// Has the set tell when a socket has connected.
    ///
    /// # Errors
    /// There is no set, or it is full.
    pub(super) fn watch_dial(
        &self,
        id: u32,
        socket: &Socket,
        watch: impl FnOnce(&PollSet) -> Option<Watch>,
    ) -> io::Result<()> {
        self.watch(watch, |set| set.add_dial(id, socket))
    }

    /// Removes a socket that has connected, or has not, from the set.
    pub(super) fn unwatch_dial(&self, socket: &Socket) {
        if let Some(watched) = &*self.watched.borrow() {
            watched.set.remove(socket);
        }
    }

    /// How often the set was asked what is ready.
    pub(super) fn looks(&self) -> u64 {
        self.looks.get()
    }

    /// Ends a loan. False if there is none.
    pub(super) fn end(&self, id: u32) -> bool {
        if self.running.get() == 0 {
            return false;
        }
        let (lent, persistent) = self.with(id, |slot| (slot.lent.take(), slot.heads >= HEADS));
        let Some(socket) = lent else {
            return false;
        };
        if let Some(watched) = &*self.watched.borrow() {
            watched.set.remove(&socket);
        }
        self.wanted.set(self.wanted.get() - 1);
        self.running.set(self.running.get() - 1);
        self.persistent
            .set(self.persistent.get() - usize::from(persistent));
        true
    }

    /// The lent sockets that have something to read, in a list to be given back by [`Self::keep`].
    pub(super) fn take_ready(&self) -> Vec<Ready> {
        self.looks.set(self.looks.get() + 1);
        let mut ready = self.ready.take();
        if let Some(watched) = &mut *self.watched.borrow_mut() {
            watched.set.ready(&mut ready);
        }
        ready
    }

    /// Has the memory of a list used again.
    pub(super) fn keep(&self, ready: Vec<Ready>) {
        self.ready.replace(ready);
    }

    /// Has what is left to read of a lent socket told in the loop's next turn. False if it cannot be.
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
        self.lent_from(0)
    }

    /// Those of them that load decides about.
    pub(super) fn persistent(&self) -> Vec<u32> {
        self.lent_from(HEADS)
    }

    /// True if the connection has had more than one exchange.
    pub(super) fn is_persistent(&self, id: u32) -> bool {
        self.with(id, |slot| slot.heads >= HEADS)
    }

    /// True if this was asked before about the same loan.
    pub(super) fn ages(&self, id: u32) -> bool {
        self.with(id, |slot| std::mem::replace(&mut slot.is_old, true))
    }

    fn lent_from(&self, heads: u8) -> Vec<u32> {
        let slots = self.slots.borrow();
        let lent = slots.iter().enumerate();
        lent.filter(|(_, slot)| slot.lent.is_some() && slot.heads >= heads)
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
