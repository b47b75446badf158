//! The way up: batches of events are encoded and given to JavaScript, a turn of the event loop at a time.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use super::encoder::Encoder;
use super::environment::Environment;
use super::ffi::{Failure, Scope, Value, waits_for_turn};
use crate::net::batch::{ReadBuffer, read_buffer};
use crate::net::connection::Event;
use crate::net::lending::Received;
use crate::net::poll_set::Ready;
use crate::panics::{self, Place};

/// How long one call of the event loop may dispatch, about: then its other work is due, though a flood of one peer's goes on.
const TURN: Duration = Duration::from_millis(10);

/// Lent sockets that are read before JavaScript is told: a quarter of those that are ready, but at most these.
const AT_ONCE: usize = 4;

/// What `dispatch` is called with, instead of a number of records, for a phase of the event loop.
const CLOSE_PHASE: i32 = 0;
pub(super) const PENDING_PHASE: i32 = -1;

/// Ends [`Environment::polls`], however that ends.
pub(super) struct Polls<'a> {
    polls: &'a Cell<bool>,
    before: bool,
}

impl Drop for Polls<'_> {
    fn drop(&mut self) {
        self.polls.set(self.before);
    }
}

impl Environment {
    /// Notes that what the event loop has found is being told, until what this gives is gone.
    pub(super) fn polls(&self) -> Polls<'_> {
        Polls {
            polls: &self.polls,
            before: self.polls.replace(true),
        }
    }

    /// Has the pending phase told: behind what the event loop has found, or behind the phase that it is in.
    pub(super) fn pends(&self, scope: Scope<'_>) -> Result<(), Failure> {
        if self.polls.get() && self.closing.asks_behind(scope, self) {
            self.closing.pends_behind();
            return Ok(());
        }
        self.closing.pends(scope, self)
    }

    /// Has JavaScript tell of the pending phase.
    pub(super) fn tell_pending(&self, scope: Scope<'_>) -> Result<(), Failure> {
        if self.closing.take_pending_callbacks() {
            self.tell_phase(scope, PENDING_PHASE)?;
        }
        if self.closing.pended() {
            self.closing.closes(scope, self)?;
        }
        Ok(())
    }

    /// Gives JavaScript the events that wait, when the signal was given.
    pub(super) fn take_events(&self, scope: Scope<'_>) {
        let _polls = self.polls();
        self.take(scope, false, self.rounds());
    }

    /// Gives JavaScript what waited for the end of the loop's turn before, ahead of what may lead to more of that: else it could wait for ever.
    pub(super) fn take_overdue(&self, scope: Scope<'_>) {
        if self.closing.is_overdue() {
            self.take(scope, false, self.rounds());
        }
    }

    /// Gives JavaScript what this thread has read from sockets that were ready when the event loop looked: all of it before the loop
    /// goes on, as libuv does, whatever was closed meanwhile or waits for immediates. Unless there is more: that may be later.
    pub(super) fn take_read(&self, scope: Scope<'_>) {
        let is_due = self.closing.tells_first() && self.has_read_only();
        self.take(scope, is_due, self.rounds());
    }

    /// How often the queues are looked at in one go, one after another. Twice: what came while JavaScript ran is included; more waits, so
    /// that timers are looked at between.
    fn rounds(&self) -> usize {
        2 * self.queues.borrow().len()
    }

    /// True if nothing waits but what was read from lent sockets.
    fn has_read_only(&self) -> bool {
        let queues = self.queues.borrow();
        let is_lent = |id| self.loans.includes(id);
        self.encoder.borrow().is_empty() && queues.iter().all(|queue| queue.was_read_from(is_lent))
    }

    fn take(&self, scope: Scope<'_>, is_due: bool, rounds: usize) {
        self.wake.taken();
        self.releases.release(scope);
        // A refusal means that the environment is going away: JavaScript can be told of nothing any more.
        let _ = self.drain_queues(scope, is_due, rounds);
    }

    /// True if the events wait for what this turn of the loop tells at its end.
    fn waits(&self) -> bool {
        if self.closing.is_pending() {
            if self.has_events() {
                self.closing.owes();
                self.wake.give();
            }
            return true;
        }
        self.closing.postpones()
    }

    /// `is_due`: what waits now does not wait for what was closed in this turn of the loop.
    fn drain_queues(&self, scope: Scope<'_>, is_due: bool, rounds: usize) -> Result<(), Failure> {
        panics::at(Place::Dispatch);
        let began = Instant::now();
        let mut now = began;
        self.reconsider_loans(scope, began);
        for round in 0..rounds {
            // Each queue once.
            let is_due = is_due && round < rounds / 2;
            if !is_due && self.waits() {
                return Ok(());
            }
            self.closing.told();
            if !self.encoder.borrow_mut().refill(&self.queues.borrow()) {
                return Ok(());
            }
            if round != 0 {
                // What came while JavaScript ran has waited for that.
                now = Instant::now();
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
                if self.encoder.borrow().is_at_end_of_stream() {
                    // What the bytes before it led to, immediates included, comes first.
                    if waits_for_turn(scope) {
                        self.closing.waits_for_immediates(scope, self)?;
                        self.closing.postpone();
                        return Ok(());
                    }
                    if self.waits() {
                        return Ok(());
                    }
                }
                now = Instant::now();
                if now - began > TURN {
                    self.wake.give();
                    return Ok(());
                }
            }
            self.end_round(scope)?;
        }
        if self.has_events() {
            self.wake.give();
        }
        Ok(())
    }

    /// Takes what was read of a connection and not told yet: it goes to another reader.
    pub(super) fn take_raw(&self, id: u32) -> Result<Vec<u8>, Failure> {
        let connection = self.connection(id)?;
        let (mut bytes, mut weight) = {
            let encoder = &mut *self.encoder.borrow_mut();
            encoder.batch.take_raw(id, encoder.position)
        };
        if let Some(queue) = connection.queue() {
            let (later, more) = queue.lock().take_raw(id, 0);
            bytes.extend_from_slice(&later);
            weight += more;
        }
        connection.delivered(weight, 0);
        Ok(bytes)
    }

    fn has_events(&self) -> bool {
        !self.encoder.borrow().is_empty()
            || self.queues.borrow().iter().any(|queue| !queue.is_empty())
    }

    /// Gives JavaScript events that do not wait for the end of the loop's turn.
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

    /// Encodes and dispatches as many events as there are records for. False when none are left.
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

    /// Encodes the events of one connection that passed no queue (driver two, or a tapped one). Gives their number.
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
            self.closing.waits_for_immediates(scope, self)?;
        }
        Ok(())
    }

    /// Lets JavaScript tell of what was closed, and the events that waited come.
    pub(super) fn tell_closed(&self, scope: Scope<'_>) -> Result<(), Failure> {
        let ends = self.queue_ended();
        let waits = self.closing.take_postponed() || ends;
        // That what JavaScript has closed is closed, and nothing else, is told here: no wake is needed.
        let is_early = waits && self.has_ends_only();
        if waits && !is_early {
            self.closing.owes();
            self.signal.give();
        }
        if self.closing.take_callbacks() {
            self.tell_phase(scope, CLOSE_PHASE)?;
        }
        if is_early {
            // No more than that: what comes now is for the loop's next turn.
            self.take(scope, false, self.queues.borrow().len());
        }
        Ok(())
    }

    /// Puts the CLOSED that waited into the queues. True if there was one.
    fn queue_ended(&self) -> bool {
        let ended = self.closing.take_ended();
        let ends = !ended.is_empty();
        for event in ended {
            if let Event::Closed { id, .. } = &event
                && let Ok(connection) = self.connection(*id)
                && let Some(queue) = connection.queue()
            {
                queue.push(event);
            }
        }
        ends
    }

    /// True if nothing waits but CLOSED of connections that JavaScript has destroyed.
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
    /// for alternately, and take twice the time.
    pub(super) fn receive_lent(&self, scope: Scope<'_>) {
        let _polls = self.polls();
        self.take_overdue(scope);
        if self.closing.has_caught_up() {
            // The set is told of again.
            return;
        }
        self.loans.load.begin_turn();
        let mut ready = self.loans.take_ready();
        let mut scratch = self.loans.scratch.borrow_mut();
        let scratch = scratch.get_or_insert_with(read_buffer);
        let at_once = (ready.len() / 4).clamp(1, AT_ONCE);
        for some in ready.chunks_mut(at_once) {
            let mut has_events = false;
            for one in &mut *some {
                has_events |= self.receive_one(scope, scratch, one);
            }
            if has_events {
                self.take_read(scope);
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
    fn receive_one(&self, scope: Scope<'_>, scratch: &mut ReadBuffer, ready: &mut Ready) -> bool {
        let id = ready.id;
        let ends = std::mem::take(&mut ready.ends);
        if self.dials.meet(id, ready.reads, self.loans.looks()) {
            self.closing.asks_behind(scope, self);
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
                    self.act_on_lent(scope, &connection);
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
