//! Writing what was said, on the I/O thread or on the JS thread, with the lock released meanwhile.

use std::io;
use std::time::Instant;

use super::connection::{Connection, State, errno};
use super::event::{Event, Syscall};
use super::output::Output;

/// What is left to do after [`Connection::flush`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flushed {
    Done,
    /// The driver must run.
    Driver,
}

impl Connection {
    /// On the I/O thread: acts on what the JS thread said.
    pub(super) fn attend(&self) {
        if self.flush() == Flushed::Driver {
            let task = self.lock().task.clone();
            if let Some(task) = task {
                task.wake();
            }
        }
    }

    /// On the JS thread: writes at once. False: the I/O thread must attend to what is left.
    pub(crate) fn flush_from_js(&self) -> bool {
        let done = self.flush() == Flushed::Done;
        if let Some(thread) = self.thread() {
            thread.queue.publish();
        }
        done
    }

    /// Writes until the output is empty or the kernel takes no more.
    fn flush(&self) -> Flushed {
        let mut state = self.lock();
        if state.writing || state.closed {
            // Whoever writes, or closes, is on the I/O thread and looks again.
            return Flushed::Driver;
        }
        let transport = state.transport.clone();
        let Some(socket) = transport.socket() else {
            return Flushed::Driver;
        };
        while !state.output.is_empty() && !state.blocked && state.failure.is_none() {
            let mut output = std::mem::take(&mut state.output);
            state.writing = true;
            state.flying = output.len();
            state.in_flight = output.unaccepted();
            drop(state);
            let result = output.write_to(socket);
            state = self.lock();
            state.writing = false;
            state.flying = 0;
            state.in_flight = 0;
            let later = std::mem::replace(&mut state.output, output);
            state.output.append(later);
            match result {
                Ok(taken) => {
                    state.bytes_written += taken as u64;
                    if !state.timing.idle.is_zero() {
                        state.timing.active(Instant::now());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => state.blocked = true,
                Err(error) => {
                    state.failure = Some((errno(&error), Syscall::Write));
                    state.bytes_written += state.output.len() as u64;
                    state.output = Output::default();
                }
            }
        }
        if state.output.is_empty()
            && std::mem::take(&mut state.notify_drain)
            && let Some(thread) = self.thread()
        {
            thread.queue.push(Event::Drain { id: self.id });
        }
        if state.attention || state.blocked || state.failure.is_some() {
            Flushed::Driver
        } else {
            Flushed::Done
        }
    }

    /// On the I/O thread, from the driver: writes what is there.
    pub(super) fn attend_output(&self) {
        self.flush();
    }

    /// On the I/O thread: the kernel can take more.
    pub(super) fn unblock(&self) -> bool {
        self.lock().blocked = false;
        self.flush();
        !self.lock().blocked
    }

    pub(super) fn is_writing(state: &State) -> bool {
        state.writing
    }
}
