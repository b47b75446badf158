//! How the end of an incoming body is known, and whether another message may follow: decided
//! here, once.

use crate::config::{Leniency, Role};
use crate::event::BodyFraming;
use crate::head::facts::{
    CHUNKED, CLOSE, CONNECTION_UPGRADE, CONTENT_LENGTH, Facts, KEEP_ALIVE, TRANSFER_ENCODING,
    UPGRADE,
};
use crate::method::Method;

/// How a request's body ends (RFC 9112 §6.3). `Chunked` if there is a Transfer-Encoding that is
/// to be refused: see [`is_refused`].
pub(crate) fn of_request(facts: &Facts, leniency: Leniency) -> BodyFraming {
    if facts.has(CHUNKED) {
        BodyFraming::Chunked
    } else if facts.has(TRANSFER_ENCODING) {
        if is_refused(facts, leniency) {
            BodyFraming::Chunked
        } else {
            BodyFraming::UntilClose
        }
    } else {
        of_length(facts)
    }
}

/// True if a request has a Transfer-Encoding that says nothing about where its body ends (RFC 9112 §6.3, item 4).
///
/// Node: the request is told all the same, and the connection fails behind its head.
pub(crate) fn is_refused(facts: &Facts, leniency: Leniency) -> bool {
    facts.has(TRANSFER_ENCODING)
        && !facts.has(CHUNKED)
        && !leniency.contains(Leniency::TRANSFER_ENCODING)
        && !leniency.contains(Leniency::CHUNKED_LENGTH)
}

/// How a response's body ends (RFC 9112 §6.3). `bodyless` is what the request has to say: it was
/// HEAD or CONNECT.
pub(crate) fn of_response(facts: &Facts, bodyless: bool) -> BodyFraming {
    if bodyless || is_bodyless_status(facts.code) {
        BodyFraming::None
    } else if facts.has(CHUNKED) {
        BodyFraming::Chunked
    } else if needs_close(facts) {
        BodyFraming::UntilClose
    } else {
        of_length(facts)
    }
}

fn of_length(facts: &Facts) -> BodyFraming {
    match facts.content_length {
        0 => BodyFraming::None,
        length => BodyFraming::Length(length),
    }
}

/// True for 1xx, 204 and 304, which have no body (RFC 9110 §6.4.1).
pub(crate) fn is_bodyless_status(status: u16) -> bool {
    matches!(status, 100..=199 | 204 | 304)
}

/// True if only the end of the connection can end this response.
fn needs_close(facts: &Facts) -> bool {
    if is_bodyless_status(facts.code) {
        false
    } else if facts.has(TRANSFER_ENCODING) {
        !facts.has(CHUNKED)
    } else {
        !facts.has(CONTENT_LENGTH)
    }
}

/// True if another message may follow (RFC 9112 §9.3).
///
/// Node: "HTTP/1.1 or later" is exactly `1.1`; 2.0 must ask for it as 1.0 must, and for such
/// versions `keep-alive` weighs more than `close`.
///
/// `bodyless` tells that the request was HEAD. Node: its parser does not know that yet when it
/// reports a head, so the answer to HEAD without a length is told as one that does not keep alive.
pub(crate) fn keeps_alive(facts: &Facts, role: Role, bodyless: bool) -> bool {
    let asked = match facts.version {
        (1.., 1..) => !facts.has(CLOSE),
        _ => facts.has(KEEP_ALIVE),
    };
    asked && (role == Role::Server || bodyless || !needs_close(facts))
}

/// True if this request asks for another protocol (RFC 9110 §7.8) or a tunnel (§9.3.6).
pub(crate) fn is_switch_request(facts: &Facts) -> bool {
    facts.code == u16::from(Method::CONNECT.number()) || facts.has(CONNECTION_UPGRADE | UPGRADE)
}

/// True if this response is a 101 that names another protocol (RFC 9110 §15.2.2).
pub(crate) fn is_switch_response(facts: &Facts) -> bool {
    facts.code == 101 && facts.has(CONNECTION_UPGRADE | UPGRADE)
}
