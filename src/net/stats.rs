//! What is counted of the connections of one server, or of one agent: a block of numbers that any thread adds to, without a
//! lock, and JavaScript reads (docs/STATS.md). What the I/O thread counts and what the JS thread counts lie apart, so that
//! the two do not contend for cache lines.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http_native_proto::{ErrorKind, METHODS};

use super::histogram::{self, BUCKETS, DECADE, LINEAR};
use super::limit_kinds::SERVER_LIMITS;
use crate::numbers::numbers;

numbers! {
    /// What became of a connection: why it was closed.
    CLOSES {
        /// The peer ended it.
        PEER = 0,
        /// This side did, the application or the end of what the peer was told.
        LOCAL = 1,
        /// Idle during an exchange, or for the time that the application has set.
        IDLE = 2,
        /// Idle between exchanges.
        KEEP_ALIVE = 3,
        HEADERS_TIMEOUT = 4,
        REQUEST_TIMEOUT = 5,
        /// The peer's bytes were no HTTP.
        PARSE_ERROR = 6,
        /// There were too many connections, or the peer is blocked.
        LIMIT = 7,
        /// The socket left HTTP and is Node's own, or a stream's, from then on.
        UPGRADED = 8,
        /// A system call failed.
        ERROR = 9,
    }
}

/// The number of [`CLOSES`].
const REASONS: usize = CLOSES.len();

/// Errnos that are told apart; what is beyond counts as 0.
const ERRNOS: usize = 160;

/// The methods that are told apart: those that OpenTelemetry's conventions know.
pub(crate) const KNOWN_METHODS: [&str; KNOWN] = [
    "DELETE", "GET", "HEAD", "POST", "PUT", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY",
];

const KNOWN: usize = 10;

/// Places of methods: the known ones, and one for all others.
const METHOD_PLACES: usize = KNOWN + 1;

/// How an exchange has ended: 0 without an answer, 1 to 5 with one of that class, 6 with another.
const OUTCOMES: usize = 7;

/// Numbers of a histogram: the sum in nanoseconds, then its buckets.
const HISTOGRAM: usize = 1 + BUCKETS;

/// Numbers between those that one thread counts and those that the other does.
const APART: usize = 16;

numbers! {
    /// Where the numbers of a block begin, and how many of a kind there are.
    STATS {
        /// Connections that were opened.
        OPENED = 0,
        /// Those that were closed, by [`CLOSES`].
        CLOSED = 1,
        /// Those that ended in an error, by its errno; 0 for what has none here.
        ERRORS = CLOSED + REASONS as i32,
        /// Bytes that were read.
        RECEIVED = ERRORS + ERRNOS as i32,
        /// Timeouts that were reported: idle, keep-alive, headers, request.
        TIMEOUTS = RECEIVED + 1,
        /// Packets that were no HTTP, by `PARSE_ERRORS`.
        FAULTS = TIMEOUTS + 4,
        /// Exchanges that have begun, by method.
        BEGUN = FAULTS + ErrorKind::ALL.len() as i32,
        /// Exchanges that have ended, by method and outcome.
        ENDED = BEGUN + (METHOD_PLACES + APART) as i32,
        /// Bytes that the kernel has taken.
        SENT = ENDED + (METHOD_PLACES * OUTCOMES) as i32,
        /// Connections that have left HTTP.
        SWITCHED = SENT + 1,
        /// Times from a request's head to the end of its answer.
        LAST_BYTE = SWITCHED + 1,
        /// Times from a request's head to the first part of its answer.
        FIRST_BYTE = LAST_BYTE + (HISTOGRAM + APART) as i32,
        /// What was beyond a limit, by `SERVER_LIMITS`.
        LIMITED = FIRST_BYTE + HISTOGRAM as i32,
        /// The length of a block.
        LENGTH = LIMITED + SERVER_LIMITS.len() as i32,
        ERRNO_PLACES = ERRNOS as i32,
        OUTCOME_PLACES = OUTCOMES as i32,
        /// Of a histogram: buckets of 1 µs, those of each power of ten above, and all.
        BUCKETS_LINEAR = LINEAR as i32,
        BUCKETS_DECADE = DECADE as i32,
        BUCKETS_ALL = BUCKETS as i32,
    }
}

/// Which deadline was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timeout {
    Idle = 0,
    KeepAlive = 1,
    Headers = 2,
    Request = 3,
}

/// Why a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Close {
    /// One of [`CLOSES`].
    pub(crate) reason: i32,
    /// With [`ERROR`], negative as libuv has it; else 0.
    pub(crate) errno: i32,
}

impl Close {
    pub(crate) fn for_reason(reason: i32) -> Self {
        Self { reason, errno: 0 }
    }

    pub(crate) fn for_error(errno: i32) -> Self {
        Self {
            reason: ERROR,
            errno,
        }
    }
}

/// The place of a method among those that are told apart.
pub(super) fn place_of_method(method: &[u8]) -> u8 {
    let known = KNOWN_METHODS
        .iter()
        .position(|known| known.as_bytes() == method);
    known.unwrap_or(KNOWN) as u8
}

/// The place of a method by its number in [`METHODS`].
pub(super) const PLACES: [u8; METHODS.len()] = {
    let mut places = [KNOWN as u8; METHODS.len()];
    let mut method = 0;
    while method < METHODS.len() {
        let mut place = 0;
        while place < KNOWN {
            if equal(METHODS[method].as_bytes(), KNOWN_METHODS[place].as_bytes()) {
                places[method] = place as u8;
            }
            place += 1;
        }
        method += 1;
    }
    places
};

const fn equal(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// A duration with its bucket.
#[derive(Clone, Copy)]
pub(super) struct Span {
    nanos: u64,
    bucket: usize,
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        let nanos = histogram::nanos(duration);
        let bucket = histogram::bucket(nanos);
        Self { nanos, bucket }
    }
}

/// Counts a duration in a histogram: the sum, then the buckets.
#[inline]
fn observe(histogram: &[AtomicU64], span: Span) {
    histogram[0].fetch_add(span.nanos, Ordering::Relaxed);
    histogram[1 + span.bucket].fetch_add(1, Ordering::Relaxed);
}

/// The numbers that are not 0, with their places.
fn numbers_in(all: &[AtomicU64]) -> impl Iterator<Item = (usize, u64)> {
    all.iter()
        .enumerate()
        .map(|(place, number)| (place, number.load(Ordering::Relaxed)))
        .filter(|(_, number)| *number != 0)
}

/// One block.
pub(crate) struct Stats([AtomicU64; LENGTH as usize]);

impl Default for Stats {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; LENGTH as usize])
    }
}

impl Stats {
    fn add(&self, place: usize, number: u64) {
        self.0[place].fetch_add(number, Ordering::Relaxed);
    }

    pub(super) fn opened(&self) {
        self.add(OPENED as usize, 1);
    }

    pub(super) fn closed(&self, close: Close) {
        self.add(CLOSED as usize + close.reason as usize, 1);
        if close.reason == ERROR {
            let errno = close.errno.unsigned_abs() as usize;
            self.add(ERRORS as usize + if errno < ERRNOS { errno } else { 0 }, 1);
        }
    }

    pub(super) fn received(&self, bytes: usize) {
        self.add(RECEIVED as usize, bytes as u64);
    }

    pub(super) fn sent(&self, bytes: u64) {
        self.add(SENT as usize, bytes);
    }

    pub(super) fn timed_out(&self, which: Timeout) {
        self.add(TIMEOUTS as usize + which as usize, 1);
    }

    pub(super) fn met_fault(&self, kind: u8) {
        self.add(FAULTS as usize + usize::from(kind), 1);
    }

    pub(super) fn limited(&self, limit: i32) {
        self.add(LIMITED as usize + limit as usize, 1);
    }

    pub(super) fn switched(&self) {
        self.add(SWITCHED as usize, 1);
    }

    pub(super) fn begun(&self, method: u8) {
        self.add(BEGUN as usize + usize::from(method), 1);
    }

    pub(super) fn ended(&self, method: u8, outcome: u8) {
        let place = usize::from(method) * OUTCOMES + usize::from(outcome);
        self.add(ENDED as usize + place, 1);
    }

    pub(super) fn first_byte(&self, after: Span) {
        self.observe(FIRST_BYTE as usize, after);
    }

    pub(super) fn last_byte(&self, after: Span) {
        self.observe(LAST_BYTE as usize, after);
    }

    fn observe(&self, place: usize, span: Span) {
        observe(&self.0[place..place + HISTOGRAM], span);
    }

    /// Adds another block's numbers.
    pub(crate) fn absorb(&self, other: &Self) {
        for (place, number) in other.numbers() {
            self.add(place, number);
        }
    }

    /// The numbers that are not 0, with their places.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = (usize, u64)> {
        numbers_in(&self.0)
    }
}

/// A histogram of the JS thread's own.
pub(crate) struct Durations([AtomicU64; HISTOGRAM]);

impl Default for Durations {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; HISTOGRAM])
    }
}

impl Durations {
    pub(crate) fn observe(&self, duration: Duration) {
        observe(&self.0, duration.into());
    }

    /// The numbers that are not 0, with their places: the sum, then the buckets.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = (usize, u64)> {
        numbers_in(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_have_the_same_place_by_number_and_by_name() {
        for (number, name) in METHODS.iter().enumerate() {
            assert_eq!(PLACES[number], place_of_method(name.as_bytes()), "{name}");
        }
        assert_eq!(
            PLACES
                .iter()
                .filter(|place| usize::from(**place) < KNOWN)
                .count(),
            KNOWN
        );
    }

    #[test]
    fn a_block_takes_the_numbers_of_another() {
        let (one, other) = (Stats::default(), Stats::default());
        one.received(3);
        other.received(4);
        other.closed(Close::for_error(-104));
        one.absorb(&other);
        let numbers: Vec<_> = one.numbers().collect();
        let expected = [
            (CLOSED as usize + ERROR as usize, 1),
            (ERRORS as usize + 104, 1),
            (RECEIVED as usize, 7),
        ];
        assert_eq!(numbers, expected);
    }
}
