//! The one way down: commands for an I/O thread, whatever they are, and the wake that is spared while it is awake.
//!
//! What JavaScript says in a turn is passed on at the turn's end, with one wake. So that it does not wait as long as a handler computes,
//! it is put in when it is said, and the thread looks by itself, every [`LOOK`], for as long as anything is put in.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

#[cfg(test)]
use super::tests::model::{self, Fault};

/// After what time the thread looks for what was put in and not passed on.
pub(crate) const LOOK: Duration = Duration::from_millis(2);

/// What waits for the thread.
struct Waiting<Command> {
    commands: Vec<Command>,
    /// Something was put in since the thread has looked by itself.
    was_put: bool,
}

/// The commands for one I/O thread.
pub(crate) struct Mailbox<Command> {
    waiting: Mutex<Waiting<Command>>,
    /// The thread looks by itself. Changed under the lock of what waits, and asked without.
    looks: AtomicBool,
    /// How often the thread has fetched commands.
    rounds: AtomicUsize,
    /// Commands wait, and the thread is to fetch them as soon as it can.
    mail: AtomicBool,
    asleep: AtomicBool,
    /// The thread has ended: what is passed on is dropped.
    closed: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl<Command> Default for Mailbox<Command> {
    fn default() -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                commands: Vec::new(),
                was_put: false,
            }),
            looks: AtomicBool::new(false),
            rounds: AtomicUsize::new(0),
            mail: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            waker: Mutex::default(),
        }
    }
}

impl<Command> Mailbox<Command> {
    fn waiting(&self) -> MutexGuard<'_, Waiting<Command>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True if the thread is parked, or about to be.
    pub(crate) fn is_asleep(&self) -> bool {
        self.asleep.load(Ordering::SeqCst)
    }

    /// Passes commands on, waking the thread only if it sleeps.
    pub(crate) fn deliver(&self, commands: impl IntoIterator<Item = Command>) {
        self.deliver_all(commands, |_| {});
    }

    /// Passes commands on, and what was put in; `each` sees everything that the thread has not fetched by then.
    pub(crate) fn deliver_all(
        &self,
        commands: impl IntoIterator<Item = Command>,
        each: impl FnMut(&Command),
    ) {
        {
            let mut waiting = self.waiting();
            if self.closed.load(Ordering::SeqCst) {
                return;
            }
            waiting.commands.extend(commands);
            if waiting.commands.is_empty() {
                return;
            }
            waiting.commands.iter().for_each(each);
            self.mail.store(true, Ordering::SeqCst);
        }
        self.rouse();
    }

    /// Puts a command in, to be passed on later: the thread fetches it then, or when it looks by itself, or does anything else. It is woken
    /// only if it does not look yet. Gives the round in which it fetches the command ([`Mailbox::has_taken`]).
    pub(crate) fn put(&self, command: Command) -> usize {
        #[cfg(test)]
        model::step();
        let round = {
            let mut waiting = self.waiting();
            let round = self.rounds.load(Ordering::SeqCst);
            if self.closed.load(Ordering::SeqCst) {
                return round;
            }
            waiting.commands.push(command);
            waiting.was_put = true;
            if self.looks.swap(true, Ordering::Relaxed) {
                return round;
            }
            self.mail.store(true, Ordering::SeqCst);
            round
        };
        self.rouse();
        round
    }

    /// True if what was put in for this round is fetched. What is said from then on has to be put in again; what was said before is seen
    /// by the thread, which fetches commands first and acts on them then.
    pub(crate) fn has_taken(&self, round: usize) -> bool {
        #[cfg(test)]
        if model::is_put_back(Fault::RoundUnseen) {
            return false;
        }
        self.rounds.load(Ordering::SeqCst) != round
    }

    /// True if the thread hears of what is put in without being woken: it looks by itself, or is awake.
    pub(crate) fn hears(&self) -> bool {
        self.looks() || !self.is_asleep()
    }

    /// True if the thread is to look by itself.
    pub(super) fn looks(&self) -> bool {
        self.looks.load(Ordering::Relaxed)
    }

    /// The thread has looked by itself, a while after the last time, and goes on if anything was put in since.
    pub(super) fn looked(&self) {
        #[cfg(test)]
        model::lasts();
        let mut waiting = self.waiting();
        let goes_on = std::mem::take(&mut waiting.was_put);
        #[cfg(test)]
        let goes_on = goes_on && !model::is_put_back(Fault::PutUnseen);
        self.looks.store(goes_on, Ordering::Relaxed);
    }

    /// Wakes the thread if it sleeps. Whichever thread clears the flag does: one wake however often commands come.
    fn rouse(&self) {
        #[cfg(test)]
        model::step();
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

    /// Called when the I/O thread is going to park. With commands that came meanwhile it stays awake.
    pub(crate) fn fall_asleep(&self) {
        self.asleep.store(true, Ordering::SeqCst);
        #[cfg(test)]
        model::step();
        if self.mail.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            self.wake();
        }
    }

    /// Has the commands fetched that came meanwhile. On the I/O thread, while it has much to do and does not park.
    pub(crate) fn look(&self) {
        if self.mail.load(Ordering::Relaxed) {
            self.wake();
        }
    }

    /// Drops the commands and the waker, which refers to the runtime and its descriptors: the thread has ended.
    pub(super) fn close(&self) {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let mut waiting = self.waiting();
        self.closed.store(true, Ordering::SeqCst);
        waiting.commands.clear();
    }

    pub(crate) fn wake_up(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }

    /// Moves the commands into `taken`, which is empty, and registers for the next ones.
    pub(crate) fn take(&self, context: &Context<'_>, taken: &mut Vec<Command>) {
        {
            let mut waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
            match &mut *waker {
                Some(waker) => waker.clone_from(context.waker()),
                None => *waker = Some(context.waker().clone()),
            }
        }
        #[cfg(test)]
        model::step();
        let mut waiting = self.waiting();
        self.mail.store(false, Ordering::SeqCst);
        self.rounds.fetch_add(1, Ordering::SeqCst);
        std::mem::swap(&mut waiting.commands, taken);
    }
}
