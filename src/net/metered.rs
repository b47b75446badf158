//! What the limits of its server have to know of a connection.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::answer::Answer;
use super::clock;
use super::limit_kinds::Hit;
use super::server_limits::Account;

/// What the limits of its server have to know of a connection. Without limits it needs no memory.
#[derive(Default)]
pub(super) struct Metered(Option<Box<Meter>>);

/// Of a connection without limits: only read.
static NOTHING: Meter = Meter {
    account: Account {
        requests: 0,
        bytes: 0,
    },
    is_refused: false,
    pending: None,
    body: 0,
    began: None,
    span: None,
    answers: VecDeque::new(),
    has_acted: false,
    gated: AtomicBool::new(false),
    is_unread: false,
    unread_until: None,
    is_watched: false,
    has_only_end: false,
};

impl Metered {
    /// Of a connection that has limits, if it has.
    pub(super) fn new(is_limited: bool) -> Self {
        Self(is_limited.then(Box::default))
    }
}

impl Deref for Metered {
    type Target = Meter;

    fn deref(&self) -> &Meter {
        self.0.as_deref().unwrap_or(&NOTHING)
    }
}

impl DerefMut for Metered {
    fn deref_mut(&mut self) -> &mut Meter {
        self.0.get_or_insert_default()
    }
}

/// What is noted.
#[derive(Default)]
pub(super) struct Meter {
    /// What the sums of the server have of it.
    pub(super) account: Account,
    /// The connection was answered, or is being closed, without JavaScript: nothing that it says counts.
    pub(super) is_refused: bool,
    /// A limit that was met behind requests that have no answer yet: its turn comes behind theirs.
    pub(super) pending: Option<Hit>,
    /// Bytes of the arriving body so far.
    pub(super) body: u64,
    /// When the arriving body began.
    pub(super) began: Option<Instant>,
    /// The span over which its rate is measured, and how much had been read by then.
    pub(super) span: Option<(Instant, u64)>,
    /// Answers that JavaScript is to give, in order.
    pub(super) answers: VecDeque<Answer>,
    /// Something was answered, or ended, that the driver has not looked at.
    pub(super) has_acted: bool,
    /// The connection had to wait: the driver is to look again when there is room. Noted where the state is only read.
    pub(super) gated: AtomicBool,
    /// The driver does not read, since the connection has to wait, or JavaScript wants no more; and when it last did not.
    is_unread: bool,
    unread_until: Option<Instant>,
    /// It is among the loans that are watched.
    pub(super) is_watched: bool,
    /// The peer has hung up, and there is nothing to read before its end: no limit has that wait.
    pub(super) has_only_end: bool,
}

impl Meter {
    /// Notes whether the driver reads.
    pub(super) fn note_reading(&mut self, reads: bool) {
        if reads && self.is_unread {
            self.unread_until = Some(clock::now());
        }
        self.is_unread = !reads;
    }

    /// From when on the time of what began then counts against the peer: since the driver reads again. None while it does not.
    pub(super) fn counts_from(&self, began: Instant) -> Option<Instant> {
        let from = self.unread_until.map_or(began, |until| until.max(began));
        (!self.is_unread).then_some(from)
    }

    /// True if the driver has not read all the time since then.
    pub(super) fn was_unread_since(&self, then: Instant) -> bool {
        self.is_unread || self.unread_until.is_some_and(|until| until >= then)
    }
}
