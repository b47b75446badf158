//! The one way down: commands for an I/O thread, whatever they are, and the wake that is spared while it is awake.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

/// The commands for one I/O thread.
pub(crate) struct Mailbox<Command> {
    commands: Mutex<Vec<Command>>,
    /// `commands` is not empty.
    mail: AtomicBool,
    asleep: AtomicBool,
    /// The thread has ended: what is delivered is dropped.
    closed: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl<Command> Default for Mailbox<Command> {
    fn default() -> Self {
        Self {
            commands: Mutex::default(),
            mail: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            waker: Mutex::default(),
        }
    }
}

impl<Command> Mailbox<Command> {
    fn commands(&self) -> MutexGuard<'_, Vec<Command>> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True if the thread is parked, or about to be.
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
        // The thread that clears the flag wakes: one wake however many deliveries.
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

    /// Called when the I/O thread is going to park. Commands that came meanwhile keep it awake.
    pub(crate) fn fall_asleep(&self) {
        self.asleep.store(true, Ordering::SeqCst);
        #[cfg(test)]
        super::tests::model::step();
        if self.mail.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            self.wake();
        }
    }

    /// Has the commands taken that came meanwhile. On the I/O thread, while it has much to do and does not park.
    pub(crate) fn look(&self) {
        if self.mail.load(Ordering::Relaxed) {
            self.wake();
        }
    }

    /// Drops the commands and the waker, which holds the runtime and its descriptors: the thread has ended.
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
