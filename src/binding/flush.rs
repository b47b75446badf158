//! The way down: what JavaScript said is passed on to the I/O threads, or written here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::environment::Environment;
use super::ffi::Scope;
use crate::net::connection::Connection;
use crate::net::shared::Command;

/// How long the end of the process waits for what counts as taken: while peers read on, and in all.
const STANDSTILL: Duration = Duration::from_millis(500);
const FAREWELL: Duration = Duration::from_secs(5);

impl Environment {
    /// Passes everything marked on to the I/O threads, with at most one wake each.
    pub(super) fn flush(&self, scope: Scope<'_>) {
        let marked = std::mem::take(&mut *self.marked.borrow_mut());
        for id in &marked {
            if self.is_unreferenced(*id) {
                self.hold_while_working(scope, *id);
            }
            // A driver two has no thread, and nothing to write.
            let _ = self.with(*id, |connection| {
                if connection.is_asked_for() {
                    connection.flush_from_js();
                }
            });
        }
        if let [id] = marked[..] {
            if let Some(connection) = self.unmark(id) {
                self.flush_one(scope, &connection);
            }
        } else {
            self.flush_many(scope, &marked);
        }
        // Its memory stays for the next turn, unless JavaScript marked more meanwhile, which it cannot.
        let mut empty = marked;
        empty.clear();
        *self.marked.borrow_mut() = empty;
        self.drive_carried();
    }

    /// Has what was said leave now, or soon: until the flush the application may compute for long, or end the process. This thread writes
    /// where the flush would, and what JavaScript is about to ask for, unless more answers are `owed` than this: those of a pipeline leave
    /// as one. Otherwise the I/O thread writes. Gives the bytes that do not count as taken then, if this thread has written. The flush sees to the rest.
    pub(super) fn write_at_once(&self, id: u32, owed: u32) -> Option<usize> {
        if self.loans.includes(id) || self.loans.are_few() {
            return self.write_here(id, owed);
        }
        let known = self.known.borrow();
        let connection = &known.get(id as usize)?.as_ref()?.connection;
        let thread = connection.thread()?;
        let is_asked = connection.is_asked_for();
        drop(known);
        // To wake the thread for one connection would cost as much as writing, and reach the peer later.
        let is_first = self.marked.borrow().is_empty();
        if is_asked || is_first && !self.threads.borrow()[thread].shared.mailbox.hears() {
            let written = self.write_here(id, owed);
            if written.is_some() {
                return written;
            }
        }
        if let Some(Some(known)) = self.known.borrow_mut().get_mut(id as usize) {
            let shared = &self.threads.borrow()[thread].shared;
            if known
                .put
                .is_none_or(|round| shared.mailbox.has_taken(round))
            {
                known.put = shared.put(&known.connection);
            }
        }
        None
    }

    fn write_here(&self, id: u32, owed: u32) -> Option<usize> {
        let written = self.with(id, |connection| connection.write_owed(owed));
        written.ok().flatten()
    }

    fn is_unreferenced(&self, id: u32) -> bool {
        match self.known.borrow().get(id as usize) {
            Some(Some(known)) => !known.held && known.connection.thread().is_some(),
            _ => false,
        }
    }

    fn flush_one(&self, scope: Scope<'_>, connection: &Arc<Connection>) {
        let Some(thread) = connection.thread() else {
            return;
        };
        let lent = self.loans.includes(connection.id);
        // Waking a sleeping thread would cost as much as writing, and reach the peer later. Nor is there a need for the thread
        // while this one should have the socket.
        if !lent
            && !self.loans.are_few()
            && !self.threads.borrow()[thread].shared.mailbox.is_asleep()
        {
            self.attend(connection);
            return;
        }
        // Of one that panics the I/O thread has been told.
        let flushed = self.guarded(connection, |connection| connection.flush_from_js());
        let done = flushed.unwrap_or(false);
        // The end of an answer begins a time.
        if lent && (!done || connection.is_undriven()) {
            self.act_on_lent(scope, connection);
        } else if !done {
            self.attend(connection);
        } else if !lent {
            self.consider_loan(connection);
        }
    }

    fn flush_many(&self, scope: Scope<'_>, marked: &[u32]) {
        let lends = self.loans.are_few();
        for id in marked {
            if (lends || self.loans.includes(*id))
                && let Some(connection) = self.unmark(*id)
            {
                self.flush_one(scope, &connection);
            }
        }
        for (index, thread) in self.threads.borrow().iter().enumerate() {
            let mailbox = &thread.shared.mailbox;
            let ours = marked.iter().filter_map(|id| {
                let known = self.known.borrow();
                let known = known.get(*id as usize)?.as_ref()?;
                let is_put = known.put.is_some_and(|round| !mailbox.has_taken(round));
                let is_ours = known.marked && known.connection.thread() == Some(index) && !is_put;
                is_ours.then(|| Arc::clone(&known.connection))
            });
            let commands: Vec<_> = ours
                .flat_map(|connection| Command::attend(&connection))
                .collect();
            thread.shared.deliver(commands);
        }
        for id in marked {
            self.unmark(*id);
        }
    }

    fn unmark(&self, id: u32) -> Option<Arc<Connection>> {
        let mut known = self.known.borrow_mut();
        let known = known.get_mut(id as usize)?.as_mut()?;
        known.marked = false;
        known.put = None;
        Some(Arc::clone(&known.connection))
    }

    /// Writes all that waits, as far as the kernel takes it, and has what counts as taken reach the kernel: the
    /// process, or the worker, is about to end.
    pub(super) fn flush_now(&self) {
        self.drive_carried();
        for known in self.known.borrow().iter().flatten() {
            let flushed = self.guarded(&known.connection, |connection| {
                !connection.has_output() || connection.flush_from_js()
            });
            if !flushed.unwrap_or(false) {
                // The driver, which waits for room in the kernel's buffer.
                self.attend(&known.connection);
            }
        }
        self.await_promised();
    }

    /// Waits until the I/O threads have written what counts as taken, for as long as peers read it.
    fn await_promised(&self) {
        let began = Instant::now();
        let (mut least, mut since) = (usize::MAX, began);
        loop {
            let promised = self.promised();
            let now = Instant::now();
            if promised < least {
                (least, since) = (promised, now);
            }
            if promised == 0 || now - since > STANDSTILL || now - began > FAREWELL {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn promised(&self) -> usize {
        let known = self.known.borrow();
        let connections = known.iter().flatten();
        let promised: usize = connections.map(|known| known.connection.promised()).sum();
        let threads = self.threads.borrow();
        let lingering = threads.iter().map(|thread| thread.shared.lingering());
        promised + lingering.sum::<usize>()
    }
}
