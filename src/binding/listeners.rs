//! The listening sockets that the JS thread's event loop watches, and what it has accepted there.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use super::ffi::{Timer, Watch};

/// Connections that are accepted in one call, at most, where they come faster than one in a turn of the event loop.
const AT_ONCE: u32 = 16;

/// A listening socket that the event loop watches.
pub(super) struct Watched {
    pub(super) watch: Watch,
    /// The last turn of the event loop in which connections waited, and how many could be accepted in it.
    pub(super) told_in: u64,
    pub(super) at_once: u32,
}

/// The listening sockets of the JS thread, and what it has accepted.
#[derive(Default)]
pub(super) struct Listeners {
    /// By listener.
    pub(super) watched: RefCell<HashMap<u32, Watched>>,
    /// Listeners whose sockets the I/O thread has until load is low.
    pub(super) resting: RefCell<Vec<u32>>,
    /// Connections that were accepted here, and of which JavaScript has not heard.
    pub(super) untold: RefCell<Vec<u32>>,
    /// Made by the first of them.
    pub(super) timer: RefCell<Option<Timer>>,
    /// It runs.
    pub(super) is_timed: Cell<bool>,
    /// The turn of the event loop.
    turn: Cell<u64>,
}

impl Listeners {
    /// A turn of the event loop begins.
    pub(super) fn begin_turn(&self) {
        self.turn.set(self.turn.get() + 1);
    }

    /// True if every listening socket is watched here, of so many.
    pub(super) fn are_all_here(&self, listeners: usize) -> bool {
        self.watched.borrow().len() == listeners
    }

    /// True if JavaScript has not heard of a connection that was accepted here. It does now.
    pub(super) fn tells(&self, id: u32) -> bool {
        let mut untold = self.untold.borrow_mut();
        let place = untold.iter().position(|untold| *untold == id);
        place.map(|place| untold.swap_remove(place)).is_some()
    }

    /// How many connections may be accepted now: one, and more as long as some wait in each turn of the loop. To learn that no more wait
    /// costs a system call.
    pub(super) fn at_once(&self, listener: u32) -> u32 {
        let turn = self.turn.get();
        let mut watched = self.watched.borrow_mut();
        let Some(watched) = watched.get_mut(&listener) else {
            return 0;
        };
        watched.at_once = if watched.told_in + 1 == turn {
            (watched.at_once * 2).min(AT_ONCE)
        } else {
            1
        };
        watched.told_in = turn;
        watched.at_once
    }

    /// Ends the watch on a listening socket, if there is one, before that closes or goes.
    pub(super) fn unwatch(&self, id: u32) {
        let watched = self.watched.borrow_mut().remove(&id);
        if let Some(watched) = watched {
            watched.watch.stop();
        }
        self.resting.borrow_mut().retain(|resting| *resting != id);
    }

    /// Ends all watches: the environment is being torn down.
    pub(super) fn clear(&self) {
        for (_, watched) in self.watched.take() {
            watched.watch.stop();
        }
        self.resting.take();
        if let Some(timer) = self.timer.take() {
            timer.stop();
        }
    }
}
