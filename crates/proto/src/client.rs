//! What only a client does: remembering what it asked, and reading responses by it.

use crate::body::framing;
use crate::config::Role;
use crate::event::{BodyFraming, ResponseHead};
use crate::head::facts::{CONTENT_LENGTH, Facts, TRANSFER_ENCODING};
use crate::headers::Fields;

/// Requests without a response that can be remembered.
pub(crate) const MAX_EXPECTED: u32 = 32;

/// What a response answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    /// A HEAD request.
    pub(crate) head: bool,
    /// A CONNECT request.
    pub(crate) connect: bool,
}

/// The responses expected, first in, first out: two bits each.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Queue {
    bits: u64,
    len: u32,
}

impl Queue {
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// False if there is no room.
    pub(crate) fn push(&mut self, expected: Expected) -> bool {
        if self.len == MAX_EXPECTED {
            return false;
        }
        let bits = u64::from(expected.head) | u64::from(expected.connect) << 1;
        self.bits |= bits << (2 * self.len);
        self.len += 1;
        true
    }

    pub(crate) fn first(&self) -> Option<Expected> {
        (self.len != 0).then_some(Expected {
            head: self.bits & 1 != 0,
            connect: self.bits & 2 != 0,
        })
    }

    pub(crate) fn pop(&mut self) {
        self.bits >>= 2;
        self.len = self.len.saturating_sub(1);
    }
}

/// What a response's head means for what follows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    pub(crate) keep_alive: bool,
    pub(crate) body: BodyFraming,
    pub(crate) switch: bool,
    pub(crate) informational: bool,
    /// A 101 that names no protocol.
    ///
    /// Node: read as a final response; what follows it in the same read is lost.
    pub(crate) dead_end: bool,
}

/// Judges a response by its head and by what it answers.
pub(crate) fn judge(facts: &Facts, expected: Expected) -> Verdict {
    // Node: whatever the status, the answer to CONNECT leaves HTTP, a 1xx too
    // (RFC 9110 §9.3.6: only a 2xx does).
    let switch = expected.connect || framing::is_switch_response(facts);
    Verdict {
        keep_alive: framing::keeps_alive(facts, Role::Client, false),
        body: framing::of_response(facts, expected.head || switch),
        switch,
        informational: !switch && matches!(facts.code, 100..=199) && facts.code != 101,
        dead_end: !switch && facts.code == 101,
    }
}

/// The head as it is told.
pub(crate) fn head<'a>(
    facts: &Facts,
    verdict: &Verdict,
    reason: &'a [u8],
    fields: Fields<'a>,
    noted: bool,
) -> ResponseHead<'a> {
    ResponseHead {
        status: facts.code,
        version: facts.version,
        reason,
        fields,
        keep_alive: verdict.keep_alive,
        body: verdict.body,
        framed: facts.has_any(CONTENT_LENGTH | TRANSFER_ENCODING),
        switch: verdict.switch,
        informational: verdict.informational,
        noted,
    }
}
