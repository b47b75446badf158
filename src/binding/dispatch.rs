//! The way up: batches of events are encoded and given to JavaScript, a turn of the event loop at a time.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use super::encoder::Encoder;
use super::environment::Environment;
use super::ffi::{Failure, Scope, Value, waits_for_turn};
use crate::net::batch::{ReadBuffer, read_buffer};
use crate::net::lending::Received;
use crate::net::poll_set::Ready;
use crate::panics::{self, Place};

/// How long one call of the event loop may dispatch, about: then others have their turn, as with a flood of one peer's.
const TURN: Duration = Duration::from_millis(10);

/// Lent sockets that are read before JavaScript is told, at most: of a turn's a quarter.
const AT_ONCE: usize = 4;

/// What `dispatch` is called with, instead of a number of records, for a phase of the event loop.
const CLOSE_PHASE: i32 = 0;
pub(super) const PENDING_PHASE: i32 = -1;

impl Environment {
    /// Gives JavaScript the events that wait, when the signal was given.
    pub(super) fn take_events(&self, scope: Scope<'_>) {
        self.wake.taken();
        self.releases.release(scope);
        // A refusal means that the environment is going away: JavaScript can be told of nothing any more.
        let _ = self.drain_queues(scope);
    }

    fn drain_queues(&self, scope: Scope<'_>) -> Result<(), Failure> {
        panics::at(Place::Dispatch);
        let began = Instant::now();
        let mut now = began;
        self.reconsider_loans(scope, began);
        // Twice: what came while JavaScript ran is taken along; more waits, so that timers get their turn.
        for _ in 0..2 * self.queues.borrow().len() {
            if self.closing.postpones() {
                return Ok(());
            }
            if !self.encoder.borrow_mut().refill(&self.queues.borrow()) {
                return Ok(());
            }
            loop {
                let more = scope.nested(|scope| self.dispatch_some(scope, &self.encoder, now))?;
                if !self.marked.borrow().is_empty() {
                    self.flush(scope);
                }
                self.relieve();
                if !more {
                    break;
                }
                if self.encoder.borrow().is_at_end_of_stream() && waits_for_turn(scope) {
                    // What the bytes before it led to, immediates included, comes first.
                    self.closing.closes(scope, self)?;
                    self.closing.postpones();
                    return Ok(());
                }
                now = Instant::now();
                if now - began > TURN {
                    self.wake.give();
                    return Ok(());
                }
            }
            self.end_round(scope)?;
        }
        if self.queues.borrow().iter().any(|queue| !queue.is_empty()) {
            self.wake.give();
        }
        Ok(())
    }

    /// Gives JavaScript events that do not wait for the end of the turn.
    pub(super) fn tell_now(
        &self,
        scope: Scope<'_>,
        encoder: &RefCell<Encoder>,
    ) -> Result<(), Failure> {
        panics::at(Place::Dispatch);
        while scope.nested(|scope| self.dispatch_some(scope, encoder, Instant::now()))? {}
        if !self.marked.borrow().is_empty() {
            self.flush(scope);
        }
        self.end_round(scope)
    }

    /// Encodes and dispatches as many events as the records hold. False when none are left.
    fn dispatch_some(
        &self,
        scope: Scope<'_>,
        encoder: &RefCell<Encoder>,
        now: Instant,
    ) -> Result<bool, Failure> {
        let (function, count) = {
            let mut dispatch = self.dispatch.borrow_mut();
            let Some(dispatch) = &mut *dispatch else {
                return Ok(false);
            };
            let values = scope.dereference(&dispatch.values)?;
            let count = encoder.borrow_mut().encode(
                self,
                scope,
                dispatch.records.numbers(),
                values,
                Some(now),
            )?;
            (scope.dereference(&dispatch.function)?, count)
        };
        if count == 0 {
            return Ok(false);
        }
        scope.call(function, scope.integer(count)?)?;
        Ok(!encoder.borrow().is_empty())
    }

    /// Encodes the events of one connection that were not queued (driver two, or a tapped one). Gives their number.
    pub(super) fn encode_now(
        &self,
        scope: Scope<'_>,
        encoder: &mut Encoder,
    ) -> Result<i32, Failure> {
        let mut dispatch = self.dispatch.borrow_mut();
        let Some(dispatch) = &mut *dispatch else {
            return Ok(0);
        };
        let values = scope.dereference(&dispatch.fed_values)?;
        encoder.encode(self, scope, dispatch.fed_records.numbers(), values, None)
    }

    /// Lets connections be read from that were not because too much waited in all.
    fn relieve(&self) {
        for connection in self.wake.relieved() {
            connection.relieve();
            self.attend(&connection);
        }
    }

    /// What the events led to may have led to immediates, which core runs before it hears of more.
    pub(super) fn end_round(&self, scope: Scope<'_>) -> Result<(), Failure> {
        if waits_for_turn(scope) {
            self.closing.closes(scope, self)?;
        }
        Ok(())
    }

    /// Lets JavaScript tell of what was closed, and the events that waited come.
    pub(super) fn tell_closed(&self, scope: Scope<'_>) -> Result<(), Failure> {
        let has_postponed = self.closing.take_postponed();
        // That what JavaScript has closed is closed, and nothing else, is told here: no wake is needed.
        let is_early = has_postponed && self.has_ends_only();
        if has_postponed && !is_early {
            self.signal.give();
        }
        self.tell_phase(scope, CLOSE_PHASE)?;
        if is_early {
            self.take_events(scope);
        }
        Ok(())
    }

    /// True if nothing waits but CLOSED of connections that have failed in nothing.
    fn has_ends_only(&self) -> bool {
        let queues = self.queues.borrow();
        self.encoder.borrow().is_empty() && queues.iter().all(|queue| queue.has_ends_only())
    }

    /// Calls JavaScript's dispatch function for a phase of the event loop.
    pub(super) fn tell_phase(&self, scope: Scope<'_>, phase: i32) -> Result<(), Failure> {
        let function: Option<Value<'_>> = match &*self.dispatch.borrow() {
            Some(dispatch) => Some(scope.dereference(&dispatch.function)?),
            None => None,
        };
        match function {
            Some(function) => scope.call(function, scope.integer(phase)?),
            None => Ok(()),
        }
    }

    /// Reads once from each lent socket that has something to read. Called by the event loop. What a few have brought is told and
    /// answered before the next are read: their peers go on meanwhile. Read all at once, two or three connections would be waited
    /// for by turns, and take twice the time.
    pub(super) fn receive_lent(&self, scope: Scope<'_>) {
        self.loans.load.begin_turn();
        let mut ready = self.loans.take_ready();
        let mut scratch = self.loans.scratch.borrow_mut();
        let scratch = scratch.get_or_insert_with(read_buffer);
        let at_once = (ready.len() / 4).clamp(1, AT_ONCE);
        for some in ready.chunks_mut(at_once) {
            let mut has_events = false;
            for one in &mut *some {
                has_events |= self.receive_one(scratch, one);
            }
            if has_events {
                self.take_events(scope);
            }
            // Those that are still here: many have ended with what was told.
            for one in some.iter().filter(|one| one.ends) {
                if !self.loans.again(one.id) {
                    self.end_loan(one.id);
                }
            }
        }
        ready.clear();
        self.loans.keep(ready);
    }

    /// Reads once from a lent socket, of which `ends` tells then whether something is left. True if that brought events.
    fn receive_one(&self, scratch: &mut ReadBuffer, ready: &mut Ready) -> bool {
        let id = ready.id;
        let ends = std::mem::take(&mut ready.ends);
        if self.dials.meet(self, id, ready.reads, self.loans.looks()) {
            return false;
        }
        let received = self.with(id, |connection| match connection.queue() {
            Some(queue) => connection.receive_lent(scratch, queue),
            None => Received::Nothing,
        });
        match received {
            Ok(Received::Events { filled }) => {
                ready.ends = filled || ends;
                true
            }
            Ok(Received::Last) => {
                self.end_loan(id);
                true
            }
            Ok(Received::End) => {
                if let Ok(connection) = self.connection(id) {
                    self.settle_lent(&connection);
                }
                true
            }
            Ok(Received::Nothing) => false,
            Ok(Received::Return) | Err(_) => {
                self.end_loan(id);
                false
            }
        }
    }
}
