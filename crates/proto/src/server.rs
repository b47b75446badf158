//! What only a server does: reading requests.

use crate::body::framing;
use crate::config::{Leniency, Role};
use crate::event::{BodyFraming, RequestHead};
use crate::head::facts::{CONTENT_LENGTH, EXPECT, Facts, HOST, TRANSFER_ENCODING};
use crate::headers::Fields;
use crate::method::Method;

/// What a request's head means for what follows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    pub(crate) keep_alive: bool,
    pub(crate) body: BodyFraming,
    pub(crate) switch: bool,
}

/// Judges a request by its head.
pub(crate) fn judge(facts: &Facts, leniency: Leniency) -> Verdict {
    Verdict {
        keep_alive: framing::keeps_alive(facts, Role::Server, false),
        body: framing::of_request(facts, leniency),
        switch: framing::is_switch_request(facts),
    }
}

/// The head as it is told.
pub(crate) fn head<'a>(
    facts: &Facts,
    verdict: &Verdict,
    target: &'a [u8],
    fields: Fields<'a>,
    noted: bool,
) -> RequestHead<'a> {
    RequestHead {
        // The parser only ever stores numbers of methods.
        method: Method::from_number(facts.code as u8).unwrap_or(Method::GET),
        target,
        version: facts.version,
        fields,
        keep_alive: verdict.keep_alive,
        body: verdict.body,
        framed: facts.has_any(CONTENT_LENGTH | TRANSFER_ENCODING),
        switch: verdict.switch,
        has_expect: facts.has(EXPECT),
        has_host: facts.has(HOST),
        noted,
    }
}
