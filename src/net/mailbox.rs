//! The one way down: commands for an I/O thread, and the wake that is spared while it is awake.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use socket2::Socket;

use super::connection::Connection;
use super::dial::Dial;
use super::listener::Listener;
use super::reactor::Registered;

/// What the JS thread may ask an I/O thread to do.
pub(crate) enum Command {
    /// A socket accepted by another I/O thread of this environment.
    Adopt {
        socket: Socket,
        listener: Arc<Listener>,
    },
    /// The connection's state was changed by the JS thread: act on it.
    Attend(Arc<Connection>),
    Dial {
        connection: Arc<Connection>,
        dial: Arc<Dial>,
    },
    /// A connection whose socket is on this thread's reactor already.
    Drive {
        connection: Arc<Connection>,
        socket: Registered,
    },
    /// Report connections of the listener whose head or message took longer than this; zero: no limit.
    Expire {
        listener: u32,
        headers: Duration,
        request: Duration,
    },
    /// Begin to accept.
    Listen(Arc<Listener>),
    /// End the thread.
    Stop,
}

/// The commands for one I/O thread.
#[derive(Default)]
pub(crate) struct Mailbox {
    commands: Mutex<Vec<Command>>,
    /// `commands` is not empty.
    mail: AtomicBool,
    asleep: AtomicBool,
    /// The thread has ended: what is delivered is dropped.
    closed: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Mailbox {
    fn commands(&self) -> MutexGuard<'_, Vec<Command>> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread is parked, or about to be.
    pub(crate) fn is_asleep(&self) -> bool {
        self.asleep.load(Ordering::SeqCst)
    }

    /// Delivers commands, waking the thread only if it sleeps.
    pub(crate) fn deliver(&self, commands: impl IntoIterator<Item = Command>) {
        {
            let mut waiting = self.commands();
            if self.closed.load(Ordering::SeqCst) {
                return;
            }
            waiting.extend(commands);
            self.mail.store(!waiting.is_empty(), Ordering::SeqCst);
        }
        #[cfg(test)]
        super::tests::model::step();
        // Whoever clears the flag wakes: one wake however many deliveries.
        if self.asleep.swap(false, Ordering::SeqCst) {
            self.wake();
        }
    }

    fn wake(&self) {
        let waker = self
            .waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The I/O thread is going to park. Commands that came meanwhile keep it awake.
    pub(crate) fn fall_asleep(&self) {
        self.asleep.store(true, Ordering::SeqCst);
        #[cfg(test)]
        super::tests::model::step();
        if self.mail.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            self.wake();
        }
    }

    /// On the I/O thread, while it has much to do and does not park: sees to the commands that came meanwhile.
    pub(crate) fn look(&self) {
        if self.mail.load(Ordering::Relaxed) {
            self.wake();
        }
    }

    /// The thread has ended: what it would be woken by holds its runtime, and with that its descriptors.
    pub(super) fn close(&self) {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let mut commands = self.commands();
        self.closed.store(true, Ordering::SeqCst);
        commands.clear();
    }

    pub(crate) fn wake_up(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }

    /// Takes the commands into `taken`, which is empty, and registers for the next ones.
    pub(crate) fn take(&self, context: &Context<'_>, taken: &mut Vec<Command>) {
        {
            let mut waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
            match &mut *waker {
                Some(waker) => waker.clone_from(context.waker()),
                None => *waker = Some(context.waker().clone()),
            }
        }
        #[cfg(test)]
        super::tests::model::step();
        let mut waiting = self.commands();
        self.mail.store(false, Ordering::SeqCst);
        std::mem::swap(&mut *waiting, taken);
    }
}
