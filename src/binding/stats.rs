//! The blocks of numbers that servers and agents count in, as JavaScript knows them, and what is measured of the JS thread
//! itself.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ffi::{Failure, LoopWatch, Scope, Value};
use crate::net::server_limits::ServerLimits;
use crate::net::stats::{Durations, Stats};
use crate::net::turn::Turn;
use crate::numbers::numbers;

numbers! {
    /// Blocks that are there from the beginning, and what `readStats` gives besides.
    BLOCKS {
        /// What servers have counted that are gone, and those that have none of their own.
        SERVERS = 0,
        /// The same of agents, and of requests without one.
        AGENTS = 1,
        /// The sum of all of either kind.
        ALL_SERVERS = -1,
        ALL_AGENTS = -2,
        /// How long heads have waited for JavaScript; how long the turns of the event loop were.
        QUEUED = -3,
        TURNS = -4,
    }
}

/// A block that is in use.
struct Block {
    stats: Arc<Stats>,
    /// Where its numbers go in the end: `SERVERS` or `AGENTS`.
    heir: i32,
    /// Of a server that has some.
    limits: Option<Arc<ServerLimits>>,
}

#[derive(Default)]
pub(super) struct Blocks {
    blocks: RefCell<Vec<Option<Block>>>,
    /// Indices that are free again.
    free: RefCell<Vec<usize>>,
    /// Those whose owners are gone.
    orphans: RefCell<Vec<usize>>,
    pub(super) queued: Durations,
    turns: Durations,
    /// The time at the end of the last turn of the event loop, and how long the loop had waited for events by then, ns.
    last: Cell<Option<(Instant, u64)>>,
    /// Once there was a listener or a connection.
    pub(super) watch: RefCell<Option<LoopWatch>>,
    /// The turn of the loop at hand, once a server has limits.
    pub(super) turn: RefCell<Option<Arc<Turn>>>,
}

impl Blocks {
    /// Opens a block, of an agent or a server.
    pub(super) fn open(&self, heir: i32) -> usize {
        let mut blocks = self.blocks.borrow_mut();
        Self::begin(&mut blocks);
        let free = self.free.borrow_mut().pop();
        let index = free.unwrap_or(blocks.len());
        if free.is_none() {
            blocks.push(None);
        }
        blocks[index] = Some(Block {
            stats: Arc::default(),
            heir,
            limits: None,
        });
        index
    }

    fn begin(blocks: &mut Vec<Option<Block>>) {
        for heir in [SERVERS, AGENTS].into_iter().skip(blocks.len()) {
            blocks.push(Some(Block {
                stats: Arc::default(),
                heir,
                limits: None,
            }));
        }
    }

    /// The block of this index; what no agent or server has goes to those of all others.
    pub(super) fn get(&self, index: i32) -> Arc<Stats> {
        let mut blocks = self.blocks.borrow_mut();
        Self::begin(&mut blocks);
        let known = blocks.get(index as usize).and_then(Option::as_ref);
        known.map_or_else(Arc::default, |block| Arc::clone(&block.stats))
    }

    /// The limits of the server that counts in this block.
    pub(super) fn limits(&self, index: i32) -> Option<Arc<ServerLimits>> {
        let blocks = self.blocks.borrow();
        blocks.get(index as usize)?.as_ref()?.limits.clone()
    }

    /// Gives the server that counts in this block its limits: for what it opens from now on.
    pub(super) fn set_limits(&self, index: i32, limits: ServerLimits) {
        let mut blocks = self.blocks.borrow_mut();
        if let Some(Some(block)) = blocks.get_mut(index as usize) {
            block.limits = Some(Arc::new(limits));
        }
    }

    /// Closes a block whose owner is gone. Its numbers stay in the sums.
    pub(super) fn close(&self, index: usize) {
        self.orphans.borrow_mut().push(index);
        self.sweep();
    }

    /// Adds the blocks that have no owner and no connection any more to those of all others.
    fn sweep(&self) {
        let mut blocks = self.blocks.borrow_mut();
        self.orphans.borrow_mut().retain(|&index| {
            let Some(Some(block)) = blocks.get(index) else {
                return false;
            };
            if Arc::strong_count(&block.stats) != 1 {
                return true;
            }
            if let Some(block) = blocks[index].take()
                && let Some(Some(heir)) = blocks.get(block.heir as usize)
            {
                heir.stats.absorb(&block.stats);
            }
            self.free.borrow_mut().push(index);
            false
        });
    }

    fn sum(&self, heir: i32) -> Stats {
        let sum = Stats::default();
        let blocks = self.blocks.borrow();
        for block in blocks.iter().flatten().filter(|block| block.heir == heir) {
            sum.absorb(&block.stats);
        }
        sum
    }

    /// A turn of the event loop is over; `idle` is how long the loop has waited for events in all, ns.
    pub(super) fn end_turn(&self, idle: u64) {
        if let Some(turn) = &*self.turn.borrow() {
            turn.ends(idle);
        }
        if idle == 0 {
            // It has not waited yet, or this is not measured.
            return;
        }
        let now = Instant::now();
        if let Some((then, idle_then)) = self.last.replace(Some((now, idle))) {
            let waited = Duration::from_nanos(idle.saturating_sub(idle_then));
            let length = now.saturating_duration_since(then);
            self.turns.observe(length.saturating_sub(waited));
        }
    }

    /// Ends the watch on the event loop.
    pub(super) fn unwatch(&self) {
        if let Some(watch) = self.watch.take() {
            watch.stop();
        }
    }
}

/// The numbers of a block that are not 0, each behind its place.
pub(super) fn read<'s>(
    blocks: &Blocks,
    scope: Scope<'s>,
    index: i32,
) -> Result<Option<Value<'s>>, Failure> {
    blocks.sweep();
    let numbers: Vec<_> = match index {
        ALL_SERVERS => blocks.sum(SERVERS).numbers().collect(),
        ALL_AGENTS => blocks.sum(AGENTS).numbers().collect(),
        QUEUED => blocks.queued.numbers().collect(),
        TURNS => blocks.turns.numbers().collect(),
        _ => blocks.get(index).numbers().collect(),
    };
    let array = scope.array()?;
    for (at, (place, number)) in numbers.into_iter().enumerate() {
        scope.set(array, 2 * at, scope.integer(place as i32)?)?;
        scope.set(array, 2 * at + 1, scope.number(number as f64)?)?;
    }
    Ok(Some(array))
}
