//! Writes the output to the socket, on the I/O thread or on the JS thread, with the state unlocked meanwhile.

use std::io;
use std::sync::MutexGuard;
use std::sync::atomic::Ordering;

use http_native_proto::Role;

use super::clock;
use super::connection::{Connection, Event};
use super::event::Syscall;
use super::output::Output;
use super::socket::errno;
use super::state::{Ending, Flow, State};
use super::stats::Stats;
#[cfg(test)]
use super::tests::model;
use crate::panics::{self, Place};

/// What is left to do after [`Connection::flush`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flushed {
    Done,
    /// The connection has ended before.
    Over,
    /// The driver must run.
    Driver,
}

impl Connection {
    /// Writes the output, and wakes the driver if more is to be done. On the I/O thread.
    pub(super) fn attend(&self) {
        self.is_left.store(false, Ordering::Relaxed);
        let (state, flushed) = self.flush(self.lock());
        drop(state);
        if flushed == Flushed::Driver {
            self.wake_driver();
        }
    }

    /// Has the driver look for duties. On the I/O thread.
    pub(super) fn wake_driver(&self) {
        let task = self.lock().task.clone();
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Writes the output, on the JS thread. False if the I/O thread must attend to what is left.
    pub(crate) fn flush_from_js(&self) -> bool {
        let (state, flushed) = self.flush(self.lock());
        drop(state);
        self.publish_behind(flushed);
        flushed != Flushed::Driver
    }

    /// The same, unless a server owes more answers than this, and JavaScript is not about to ask what was taken. Gives the bytes that
    /// do not count as taken then.
    pub(crate) fn write_owed(&self, at_most: u32) -> Option<usize> {
        let state = self.lock();
        if self.role == Role::Server && state.proto.outstanding() > at_most && !self.is_asked_for()
        {
            return None;
        }
        let (state, flushed) = self.flush(state);
        let untaken = state.untaken();
        drop(state);
        self.publish_behind(flushed);
        Some(untaken)
    }

    /// Has JavaScript hear of what a write of its own has led to.
    fn publish_behind(&self, flushed: Flushed) {
        if flushed != Flushed::Over
            && let Some(queue) = self.queue()
        {
            queue.publish();
        }
    }

    /// Writes what was asked for ([`Connection::take`]), on the JS thread. True if what JavaScript waits for is taken
    /// then, or was by an earlier write, whatever became of the connection since; no DRAIN follows in that case. The I/O thread must
    /// attend to the rest.
    pub(crate) fn write_now(&self) -> bool {
        let state = self.lock();
        if !self.asks.swap(false, Ordering::Relaxed) {
            return false;
        }
        let (mut state, _) = self.write_out(state);
        let was_met = std::mem::take(&mut state.was_met);
        state.meets_notice() || was_met
    }

    /// Writes the output, and pushes the events that JavaScript waits for.
    fn flush<'a>(&'a self, state: MutexGuard<'a, State>) -> (MutexGuard<'a, State>, Flushed) {
        let (mut state, written) = self.write_out(state);
        let flushed = if written {
            self.tell_written(&mut state);
            self.account(&mut state);
            if state.needs_driver(self.has_window_for_driver(&state)) {
                Flushed::Driver
            } else {
                Flushed::Done
            }
        } else if state.is_over() {
            Flushed::Over
        } else {
            Flushed::Driver
        };
        (state, flushed)
    }

    /// Writes until the output is empty or the kernel takes no more. False if that is not possible: the other thread
    /// writes, and looks for duties when it has; or there is no socket, yet or any more.
    fn write_out<'a>(&'a self, mut state: MutexGuard<'a, State>) -> (MutexGuard<'a, State>, bool) {
        let socket = match state.socket() {
            Some(socket) if !state.is_in_flight() => socket,
            _ => return (state, false),
        };
        while state.flow == Flow::Open && !state.output.is_empty() && !state.has_failed() {
            let mut output = std::mem::take(&mut state.output);
            state.flow = Flow::InFlight {
                len: output.len(),
                untaken: output.untaken(),
                borrowed: output.is_borrowed(),
            };
            drop(state);
            panics::at(Place::Write);
            let result = output.write_to(&socket);
            #[cfg(test)]
            model::lasts();
            state = self.lock();
            state.landed(output, result, &self.stats);
        }
        (state, true)
    }

    /// Pushes DRAIN and REST, if JavaScript waits for them and they have come true.
    pub(super) fn tell_written(&self, state: &mut State) {
        let Some(queue) = self.queue() else {
            return;
        };
        let asks = self.asks.load(Ordering::Relaxed);
        if state.meets_notice() {
            // JavaScript that asks hears it then: the connection may have failed by that time.
            if asks {
                state.was_met = true;
            } else {
                queue.push(Event::Drain { id: self.id });
            }
        }
        if state.meets_rest() {
            queue.push(Event::Rest { id: self.id });
        }
    }

    /// Writes the output. On the I/O thread, from the driver, which looks for duties by itself.
    pub(super) fn attend_output(&self) {
        drop(self.flush(self.lock()));
    }

    /// Writes on, since the kernel can take more. False if it takes no more again. On the I/O thread.
    pub(super) fn unblock(&self) -> bool {
        let mut state = self.lock();
        if state.flow == Flow::Blocked {
            state.flow = Flow::Open;
        }
        let (mut state, _) = self.flush(state);
        state.resets_the_read();
        state.flow != Flow::Blocked
    }
}

impl State {
    /// Counts a reset, which the write behind a readiness has met, as the read's: libuv reads first (`uv__stream_io`), if at all.
    fn resets_the_read(&mut self) {
        if let Ending::Failed(errno, Syscall::Write) = self.ending
            && !self.paused
            && io::Error::from_raw_os_error(-errno).kind() == io::ErrorKind::ConnectionReset
        {
            self.ending = Ending::Failed(errno, Syscall::Read);
        }
    }

    /// Puts back the rest of a write, before what was said meanwhile, and counts what the kernel took.
    fn landed(&mut self, mut rest: Output, result: io::Result<usize>, stats: &Stats) {
        if self.is_over() {
            // Closed under the writer by a bug of the driver's: there is nothing to put back.
            return;
        }
        if matches!(self.flow, Flow::InFlight { untaken: 0, .. }) && !rest.is_borrowed() {
            // It may have been counted so on its way.
            rest.accept();
        }
        self.flow = Flow::Open;
        let later = std::mem::replace(&mut self.output, rest);
        self.output.append(later);
        match result {
            Ok(taken) => {
                self.bytes_written += taken as u64;
                stats.sent(taken as u64);
                let ends = self.exchanges.awaits_leaving();
                let is_timed = !self.timing.idle.is_zero();
                let begins = self.timing.awaits_keep_alive() && self.is_written();
                if ends || is_timed || begins {
                    let now = clock::now();
                    if is_timed {
                        self.timing.active(now);
                    }
                    if begins {
                        self.timing.begin_keep_alive(now);
                    }
                    if ends {
                        self.exchanges.left(self.bytes_written, now, stats);
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.flow = Flow::Blocked,
            Err(error) => self.end(Ending::Failed(errno(&error), Syscall::Write)),
        }
    }
}
