//! What a server accepts at most, as its `limits` say (docs/LIMITS.md): the settings, and how much there is of each thing at
//! the moment. The threads that read ask and count here, whatever JavaScript does.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use super::arrivals::{Addresses, Bucket};
use super::clock;
use super::limit_kinds::{
    ANSWER, BUFFERED_BYTES, BUFFERED_BYTES_IN_ALL, CONNECTIONS, CONNECTIONS_PER_SECOND, Hit,
    REQUESTS, REQUESTS_WAITING, SERVER_LIMITS, WAIT,
};
use super::line::Line;
use super::stats::Stats;
use super::turn::Turn;
use super::watched_loans::WatchedLoans;

/// Limits that JavaScript gives.
const LIMITS: usize = SERVER_LIMITS.len();

/// How long a server counts as shedding behind the last thing that it has turned away, ms.
const SHEDDING: u64 = 1000;

/// One limit.
#[derive(Clone, Copy, Debug)]
struct Rule {
    /// `u64::MAX` for no limit.
    max: u64,
    action: i32,
}

impl Rule {
    const NONE: Self = Self {
        max: u64::MAX,
        action: ANSWER,
    };

    fn waits_at(self, number: usize) -> bool {
        self.action == WAIT && number as u64 >= self.max
    }
}

/// Settings as JavaScript gives them.
pub(crate) struct Settings {
    /// The number of the server's stats.
    pub(crate) owner: i32,
    /// Of each of [`SERVER_LIMITS`] the number, negative for none, and one of [`LIMIT_ACTIONS`].
    pub(crate) rules: Vec<f64>,
    /// Seconds that a refused client is told to wait.
    pub(crate) retry_after: u32,
    /// The time over which the rate of a body is measured.
    pub(crate) grace: Duration,
    /// The path that is answered with the server's health; empty for none.
    pub(crate) health_path: Vec<u8>,
}

/// The limits of one server.
pub(crate) struct ServerLimits {
    pub(super) owner: u32,
    rules: [Rule; LIMITS],
    pub(super) retry_after: u32,
    grace: Duration,
    health_path: Vec<u8>,
    /// Of the event loop that serves.
    pub(super) turn: Arc<Turn>,
    connections: AtomicUsize,
    requests: AtomicUsize,
    unseen: AtomicUsize,
    buffered: AtomicUsize,
    pub(super) addresses: Mutex<Addresses>,
    bucket: Mutex<Bucket>,
    /// Its lent sockets.
    pub(super) loans: Arc<WatchedLoans>,
    /// Drivers whose connections have to wait.
    pub(super) line: Line,
    /// The task that accepts, if it waits for the end of a connection.
    acceptor: Mutex<Option<Waker>>,
    /// When something was turned away last, ms of [`clock::millis`]; 0 for never.
    shed_at: AtomicU64,
    /// JavaScript has been told, and has not asked to be told again.
    is_told: AtomicBool,
    /// The server shuts down.
    is_stopping: AtomicBool,
    /// Connections that were turned away and are being told why.
    pub(super) leaving: AtomicUsize,
}

impl ServerLimits {
    pub(crate) fn new(settings: Settings, turn: Arc<Turn>) -> Self {
        let mut rules = [Rule::NONE; LIMITS];
        for (rule, pair) in rules.iter_mut().zip(settings.rules.chunks_exact(2)) {
            if pair[0] >= 0.0 {
                *rule = Rule {
                    max: pair[0] as u64,
                    action: pair[1] as i32,
                };
            }
        }
        let rate = rules[CONNECTIONS_PER_SECOND as usize].max;
        Self {
            owner: settings.owner as u32,
            rules,
            retry_after: settings.retry_after,
            grace: settings.grace,
            health_path: settings.health_path,
            loans: WatchedLoans::new(Arc::clone(&turn)),
            turn,
            connections: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            unseen: AtomicUsize::new(0),
            buffered: AtomicUsize::new(0),
            addresses: Mutex::default(),
            bucket: Mutex::new(Bucket::new(rate, clock::now())),
            line: Line::default(),
            acceptor: Mutex::default(),
            shed_at: AtomicU64::new(0),
            is_told: AtomicBool::new(false),
            is_stopping: AtomicBool::new(false),
            leaving: AtomicUsize::new(0),
        }
    }

    fn rule(&self, limit: i32) -> Rule {
        self.rules[limit as usize]
    }

    /// The number of a limit, if there is one.
    pub(super) fn max(&self, limit: i32) -> Option<u64> {
        Some(self.rule(limit).max).filter(|max| *max != u64::MAX)
    }

    /// A limit as one that was met.
    pub(super) fn hit(&self, limit: i32) -> Hit {
        let action = self.rule(limit).action;
        Hit { limit, action }
    }

    fn beyond(&self, limit: i32, number: usize) -> Option<Hit> {
        let rule = self.rule(limit);
        (number as u64 >= rule.max && rule.action != WAIT).then(|| self.hit(limit))
    }

    /// Counts one more of what a limit is about, unless it is beyond the limit and does not wait: then it tells what becomes of it.
    /// Threads that read at the same time let in no more than the limit says.
    fn enter(&self, limit: i32, sum: &AtomicUsize) -> Option<Hit> {
        let grown = |number| self.beyond(limit, number).is_none().then_some(number + 1);
        let entered = sum.fetch_update(Ordering::SeqCst, Ordering::SeqCst, grown);
        entered.is_err().then(|| self.hit(limit))
    }

    /// Counts what was turned away. True if JavaScript is to be told of it.
    pub(super) fn count(&self, limit: i32, stats: &Stats) -> bool {
        stats.limited(limit);
        if limit <= REQUESTS_WAITING {
            self.shed_at.store(clock::millis(), Ordering::Relaxed);
        }
        !self.is_told.swap(true, Ordering::SeqCst)
    }

    /// Has JavaScript told of what is turned away from now on.
    pub(crate) fn tell_again(&self) {
        self.is_told.store(false, Ordering::SeqCst);
    }

    // Connections.

    /// Uses up one of the connections that may come in this second. What becomes of one too many, other than to wait.
    pub(super) fn beyond_rate(&self) -> Option<Hit> {
        self.max(CONNECTIONS_PER_SECOND)?;
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        if bucket.take(clock::now()) {
            return None;
        }
        let hit = self.hit(CONNECTIONS_PER_SECOND);
        (hit.action != WAIT).then_some(hit)
    }

    /// How long to wait for the next connection that the rate allows; zero if it is to be accepted now.
    pub(super) fn rest(&self, now: Instant) -> Duration {
        if self.rule(CONNECTIONS_PER_SECOND).action != WAIT {
            return Duration::ZERO;
        }
        let bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.rest(now)
    }

    /// True if the next connection has to wait for the end of another.
    pub(super) fn is_full(&self) -> bool {
        self.rule(CONNECTIONS)
            .waits_at(self.connections.load(Ordering::SeqCst))
    }

    /// Counts one more connection; if it is not let in, it is not counted, and this tells what becomes of it.
    pub(super) fn connected(&self) -> Option<Hit> {
        self.enter(CONNECTIONS, &self.connections)
    }

    pub(super) fn disconnected(&self) {
        self.connections.fetch_sub(1, Ordering::SeqCst);
        let acceptor = self.acceptor().take();
        if let Some(acceptor) = acceptor {
            acceptor.wake();
        }
    }

    fn acceptor(&self) -> MutexGuard<'_, Option<Waker>> {
        self.acceptor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the task woken that accepts when a connection has ended. It looks once more behind this call.
    pub(super) fn wait_for_end(&self, waker: &Waker) {
        *self.acceptor() = Some(waker.clone());
    }

    // Requests and bytes.

    /// Counts one more request, which JavaScript is to look at if it `is_queued`; if it is not let in, it is not counted, and this
    /// tells what becomes of it.
    pub(super) fn arrived(&self, is_queued: bool) -> Option<Hit> {
        if let Some(hit) = self.enter(REQUESTS, &self.requests) {
            return Some(hit);
        }
        let hit = match is_queued {
            true => self.enter(REQUESTS_WAITING, &self.unseen),
            false => self.beyond(REQUESTS_WAITING, self.unseen.load(Ordering::SeqCst)),
        };
        if hit.is_some() {
            self.requests.fetch_sub(1, Ordering::SeqCst);
        }
        hit
    }

    /// What becomes of a connection that has so many bytes, other than to wait.
    pub(super) fn beyond_bytes(&self, bytes: usize) -> Option<Hit> {
        // The bytes that are there are within the limit if there are as many as it says.
        self.beyond(BUFFERED_BYTES, bytes.saturating_sub(1))
            .or_else(|| {
                let all = self.buffered.load(Ordering::SeqCst);
                self.beyond(BUFFERED_BYTES_IN_ALL, all.saturating_sub(1))
            })
    }

    /// True if nothing more is accepted from a connection that has so many bytes; `between` messages or in one.
    pub(super) fn holds(&self, bytes: usize, between: bool) -> bool {
        self.rule(BUFFERED_BYTES).waits_at(bytes)
            || self
                .rule(BUFFERED_BYTES_IN_ALL)
                .waits_at(self.buffered.load(Ordering::SeqCst))
            || between
                && (self
                    .rule(REQUESTS)
                    .waits_at(self.requests.load(Ordering::SeqCst))
                    || self
                        .rule(REQUESTS_WAITING)
                        .waits_at(self.unseen.load(Ordering::SeqCst)))
    }

    /// Puts numbers of one connection in the place of earlier ones.
    pub(super) fn account(&self, before: Account, now: Account) {
        let differ = |total: &AtomicUsize, before: usize, now: usize| {
            // Wraps around where it falls: the sum is right.
            total.fetch_add(now.wrapping_sub(before), Ordering::SeqCst);
            now < before
        };
        let fewer = before.requests != now.requests
            && differ(&self.requests, before.requests, now.requests);
        let smaller = before.bytes != now.bytes && differ(&self.buffered, before.bytes, now.bytes);
        if fewer || smaller {
            self.line.wake_next();
        }
    }

    /// Counts the head of a request that is not let in, and that JavaScript is to look at.
    pub(super) fn refused_arrived(&self) {
        self.unseen.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn seen(&self, requests: usize) {
        if requests != 0 {
            self.unseen.fetch_sub(requests, Ordering::SeqCst);
            self.line.wake_next();
        }
    }

    // Time.

    /// The time over which the rate of a body is measured.
    pub(super) fn grace(&self) -> Duration {
        self.grace
    }

    /// A limit that is a time.
    pub(super) fn time(&self, limit: i32) -> Option<Duration> {
        self.max(limit).map(Duration::from_millis)
    }

    // Health.

    /// The query of a target that asks for the server's health, with its question mark.
    pub(super) fn health_query<'a>(&self, target: &'a [u8]) -> Option<&'a [u8]> {
        if self.health_path.is_empty() {
            return None;
        }
        let rest = target.strip_prefix(&self.health_path[..])?;
        matches!(rest.first(), None | Some(b'?')).then_some(rest)
    }

    /// True if something was turned away a moment ago.
    pub(super) fn is_shedding(&self) -> bool {
        let shed_at = self.shed_at.load(Ordering::Relaxed);
        shed_at != 0 && clock::millis().saturating_sub(shed_at) < SHEDDING
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// Notes whether the server accepts no more connections, and closes those that it has.
    pub(crate) fn stops(&self, is_stopping: bool) {
        self.is_stopping.store(is_stopping, Ordering::Relaxed);
    }
}

/// What a connection counts for in its server's sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) requests: usize,
    pub(super) bytes: usize,
}

#[cfg(test)]
mod tests {
    use super::super::limit_kinds::CLOSE;
    use super::*;

    fn limits(rules: &[(i32, f64, i32)]) -> ServerLimits {
        let mut pairs = [-1.0, 0.0].repeat(LIMITS);
        for (limit, max, action) in rules {
            pairs[2 * *limit as usize] = *max;
            pairs[2 * *limit as usize + 1] = f64::from(*action);
        }
        let settings = Settings {
            owner: 0,
            rules: pairs,
            retry_after: 1,
            grace: Duration::ZERO,
            health_path: Vec::new(),
        };
        ServerLimits::new(settings, Arc::new(Turn::new(Box::new(|| 0))))
    }

    #[test]
    fn threads_that_read_at_once_let_in_no_more_than_the_limit() {
        let limits = limits(&[(REQUESTS, 1000.0, ANSWER), (REQUESTS_WAITING, 100.0, CLOSE)]);
        let let_in = || (0..500).filter(|_| limits.arrived(true).is_none()).count();
        let sum: usize = std::thread::scope(|scope| {
            let threads = [(); 4].map(|()| scope.spawn(let_in));
            threads.map(|thread| thread.join().unwrap()).iter().sum()
        });
        assert_eq!(sum, 100);
        assert_eq!(limits.requests.load(Ordering::SeqCst), 100);
        assert_eq!(limits.unseen.load(Ordering::SeqCst), 100);
        limits.seen(1);
        assert!(limits.arrived(true).is_none());
        assert_eq!(limits.arrived(true), Some(limits.hit(REQUESTS_WAITING)));
    }

    #[test]
    fn a_limit_that_waits_counts_what_comes_beyond_it() {
        let limits = limits(&[(REQUESTS, 1.0, WAIT)]);
        assert!(!limits.holds(0, true));
        assert!(limits.arrived(false).is_none() && limits.arrived(false).is_none());
        assert!(limits.holds(0, true) && !limits.holds(0, false));
    }
}
