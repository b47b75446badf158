//! The lent sockets of a server with limits. What the I/O thread is to do though JavaScript is busy, it does with the
//! sockets that it has: it recalls those that are lent when a turn of JavaScript's event loop lasts long.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::turn::Turn;

/// How long a turn of the loop may last until lent sockets are recalled, and how often that is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Looks between which nothing was read from any lent socket, until all are recalled: a server that has nothing to do is not
/// looked at.
const QUIET_LOOKS: u32 = 10;

/// A connection whose socket was lent.
pub(super) trait Loan: Send + Sync {
    /// True if its socket is lent, and stays so; not if `recalls`, unless the JS thread reads from it at the moment.
    fn goes_on(&self, recalls: bool) -> bool;
}

/// The loans of one server.
pub(super) struct WatchedLoans {
    /// Of the event loop that serves.
    turn: Arc<Turn>,
    list: Mutex<List>,
    /// Reads from lent sockets.
    reads: AtomicU64,
}

#[derive(Default)]
struct List {
    loans: Vec<Weak<dyn Loan>>,
    is_watched: bool,
}

impl WatchedLoans {
    pub(super) fn new(turn: Arc<Turn>) -> Arc<Self> {
        Arc::new(Self {
            turn,
            list: Mutex::default(),
            reads: AtomicU64::new(0),
        })
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a loan, which is not in the list. True if the caller has to have [`Self::watch`] run.
    pub(super) fn add(&self, loan: Weak<dyn Loan>) -> bool {
        let mut list = self.list();
        list.loans.push(loan);
        !std::mem::replace(&mut list.is_watched, true)
    }

    /// Counts a read from a lent socket.
    pub(super) fn was_read(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    /// Looks at the loans as long as there are any. On an I/O thread.
    pub(super) async fn watch(self: Arc<Self>) {
        let mut seen = 0;
        let mut quiet = 0;
        loop {
            tokio::time::sleep(LOOK).await;
            let reads = self.reads.load(Ordering::Relaxed);
            quiet = if reads == seen { quiet + 1 } else { 0 };
            seen = reads;
            if !self.look(quiet >= QUIET_LOOKS || self.turn.age() >= LOOK) {
                return;
            }
        }
    }

    /// Forgets the loans that are over: all but those that are being read if it `recalls`. False if none is left: the watch is over.
    fn look(&self, recalls: bool) -> bool {
        // A loan is added with its connection locked; that is locked here without the list.
        let loans = std::mem::take(&mut self.list().loans);
        let loans = loans.iter().filter_map(Weak::upgrade);
        // A bug costs the loan that it is about, not the watch over the others.
        let goes_on = |loan: &dyn Loan| catch_unwind(AssertUnwindSafe(|| loan.goes_on(recalls)));
        let going_on = loans.filter(|loan| goes_on(&**loan).unwrap_or(false));
        let mut going_on: Vec<_> = going_on.map(|loan| Arc::downgrade(&loan)).collect();
        let mut list = self.list();
        list.loans.append(&mut going_on);
        list.is_watched = !list.loans.is_empty();
        list.is_watched
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    struct Lent {
        is_lent: AtomicBool,
        is_read: AtomicBool,
    }

    impl Loan for Lent {
        fn goes_on(&self, recalls: bool) -> bool {
            if recalls && !self.is_read.load(Ordering::SeqCst) {
                self.is_lent.store(false, Ordering::SeqCst);
            }
            self.is_lent.load(Ordering::SeqCst)
        }
    }

    fn lent() -> Arc<Lent> {
        Arc::new(Lent {
            is_lent: AtomicBool::new(true),
            is_read: AtomicBool::new(false),
        })
    }

    fn add(loans: &WatchedLoans, loan: &Arc<Lent>) -> bool {
        let loan: Arc<dyn Loan> = Arc::clone(loan) as _;
        loans.add(Arc::downgrade(&loan))
    }

    #[test]
    fn the_watch_is_over_with_the_last_loan() {
        let loans = WatchedLoans::new(Arc::new(Turn::new(Box::new(|| 0))));
        let (one, other) = (lent(), lent());
        assert!(add(&loans, &one) && !add(&loans, &other));
        assert!(loans.look(false));
        drop(one);
        other.is_read.store(true, Ordering::SeqCst);
        assert!(loans.look(true));
        other.is_read.store(false, Ordering::SeqCst);
        assert!(!loans.look(true));
        assert!(add(&loans, &lent()));
    }

    #[test]
    fn a_bug_costs_its_loan_and_not_the_watch() {
        struct Broken;

        impl Loan for Broken {
            fn goes_on(&self, _: bool) -> bool {
                panic!("a bug")
            }
        }

        let loans = WatchedLoans::new(Arc::new(Turn::new(Box::new(|| 0))));
        let broken: Arc<dyn Loan> = Arc::new(Broken);
        let sound = lent();
        loans.add(Arc::downgrade(&broken));
        add(&loans, &sound);
        assert!(loans.look(false));
        assert!(!loans.look(true));
        assert!(!sound.is_lent.load(Ordering::SeqCst));
    }

    #[test]
    fn loans_are_taken_back_while_a_turn_is_long_and_when_nothing_is_read() {
        // The clock of the loop's turns is not tokio's: this one's never waits, and is long once that clock has moved.
        for waits in [false, true] {
            let turn = Turn::new(Box::new(move || if waits { u64::MAX / 2 } else { 0 }));
            let loans = WatchedLoans::new(Arc::new(turn));
            let loan = lent();
            add(&loans, &loan);
            if !waits {
                std::thread::sleep(LOOK);
            }
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .unwrap();
            let looks = runtime.block_on(async {
                let began = tokio::time::Instant::now();
                Arc::clone(&loans).watch().await;
                began.elapsed().as_millis() / LOOK.as_millis()
            });
            assert_eq!(looks, if waits { u128::from(QUIET_LOOKS) } else { 1 });
            assert!(!loan.is_lent.load(Ordering::SeqCst));
        }
    }
}
