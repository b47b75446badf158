//! What the RFCs forbid in a head, or in trailers, that is whole: which rows it is in (`hardening.rs`).

use crate::body::framing;
use crate::client::Expected;
use crate::event::BodyFraming;
use crate::hardening::{HUGE, Row, Rows};
use crate::head::facts::{
    CHUNKED, CLOSE, CONNECTION_UPGRADE, CONTENT_LENGTH, EXTRA_SPACE, Facts, KEEP_ALIVE, NO_VERSION,
    OTHER_PROTOCOL,
};
use crate::headers::Fields;
use crate::method::Method;
use crate::token::{self, Matcher, is_host_name, is_uri};

/// What is wrong with a request's head.
pub(crate) fn request(facts: &Facts, target: &[u8], fields: &Fields<'_>) -> Rows {
    let mut rows = of_both(facts);
    let method = |method: Method| facts.code == u16::from(method.number());
    rows.add_if(facts.has(EXTRA_SPACE), Row::RequestLineSpaces);
    if !target.iter().all(|&byte| is_uri(byte)) {
        let is_odd = |byte: &u8| *byte != b'#' && !is_uri(*byte);
        rows.add_if(target.contains(&b'#'), Row::TargetFragment);
        rows.add_if(target.iter().any(is_odd), Row::TargetByte);
    }
    rows.add_if(
        target.first() == Some(&b'*') && (target.len() > 1 || !method(Method::OPTIONS)),
        Row::TargetAsterisk,
    );
    let mut hosts = 0;
    let mut codings = Codings::default();
    for (name, value) in fields {
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                hosts += 1;
                rows.add_if(!is_host(value), Row::HostInvalid);
            }
            6 if name.eq_ignore_ascii_case(b"expect") => {
                let is_exact = value.eq_ignore_ascii_case(CONTINUE);
                rows.add_if(!is_exact && resembles_continue(value), Row::ExpectInexact);
            }
            16 => rows.add_if(
                name.eq_ignore_ascii_case(b"proxy-connection"),
                Row::ProxyConnection,
            ),
            17 => codings.take(name, value),
            _ => {}
        }
    }
    rows.add_if(hosts > 1, Row::HostRepeated);
    codings.judge(facts, &mut rows);
    let has_body = codings.count != 0 || facts.content_length != 0;
    rows.add_if(has_body && facts.code == TRACE, Row::TraceBody);
    rows
}

/// What is wrong with a response's head.
pub(crate) fn response(
    facts: &Facts,
    reason: &[u8],
    fields: &Fields<'_>,
    expected: Expected,
) -> Rows {
    let mut rows = of_both(facts);
    let is_control = |byte: &u8| *byte != b'\t' && (*byte < b' ' || *byte == 0x7f);
    rows.add_if(reason.iter().any(is_control), Row::ReasonControl);
    rows.add_if(!matches!(facts.code, 100..=599), Row::StatusRange);
    let mut codings = Codings::default();
    for (name, value) in fields {
        match name.len() {
            16 => rows.add_if(
                name.eq_ignore_ascii_case(b"proxy-connection"),
                Row::ProxyConnection,
            ),
            17 => codings.take(name, value),
            _ => {}
        }
    }
    codings.judge(facts, &mut rows);
    let is_bodyless = expected.head || expected.connect;
    let is_unframed = framing::of_response(facts, is_bodyless) == BodyFraming::UntilClose;
    let is_kept = match facts.version {
        (1.., 1..) => !facts.has(CLOSE),
        _ => facts.has(KEEP_ALIVE),
    };
    rows.add_if(is_unframed && is_kept, Row::BodyUnframed);
    rows.add_if(
        facts.code == 101 && !expected.connect && !framing::is_switch_response(facts),
        Row::SwitchUnnamed,
    );
    rows
}

fn of_both(facts: &Facts) -> Rows {
    let mut rows = Rows::default();
    let is_known = matches!(facts.version, (1, 0 | 1));
    rows.add_if(facts.has(NO_VERSION), Row::VersionMissing);
    rows.add_if(!is_known && !facts.has(NO_VERSION), Row::VersionOther);
    rows.add_if(facts.has(OTHER_PROTOCOL), Row::ProtocolOther);
    rows.add_if(
        facts.has(CONTENT_LENGTH) && facts.content_length >= HUGE,
        Row::LengthHuge,
    );
    rows
}

/// What is wrong with trailers: fields that frame a message, route it, or speak of the connection.
pub(crate) fn trailers(fields: &Fields<'_>) -> Rows {
    const ONLY_IN_HEADS: &[&[u8]] = &[
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    ];
    let mut rows = Rows::default();
    for (name, _) in fields {
        let is_meant = |other: &&[u8]| name.eq_ignore_ascii_case(other);
        rows.add_if(ONLY_IN_HEADS.iter().any(is_meant), Row::TrailerField);
    }
    rows
}

/// Notes once more what the Connection fields say, and only those.
pub(crate) fn reread_connection(facts: &mut Facts, fields: &Fields<'_>) {
    facts.unset(CLOSE | KEEP_ALIVE | CONNECTION_UPGRADE);
    for (name, value) in fields {
        if !name.eq_ignore_ascii_case(b"connection") {
            continue;
        }
        let mut matcher = Matcher::default();
        for &byte in value {
            if let Some(word) = matcher.push(token::CONNECTION, true, byte) {
                facts.set_connection(word);
            }
        }
        if let Some(word) = matcher.end() {
            facts.set_connection(word);
        }
    }
}

/// The Transfer-Encoding fields of a head.
#[derive(Default)]
struct Codings {
    count: u32,
    others: bool,
}

impl Codings {
    fn take(&mut self, name: &[u8], value: &[u8]) {
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.others |= !value.eq_ignore_ascii_case(b"chunked");
            self.count += 1;
        }
    }

    fn judge(&self, facts: &Facts, rows: &mut Rows) {
        if self.count == 0 {
            return;
        }
        let is_chunked = facts.has(CHUNKED);
        rows.add_if(facts.version == (1, 0), Row::CodingIn10);
        rows.add_if(!is_chunked, Row::CodingNotChunked);
        rows.add_if(
            is_chunked && (self.others || self.count > 1),
            Row::CodingUnknown,
        );
    }
}

/// The number of TRACE, a method that nothing else in the crate knows.
const TRACE: u16 = 7;

const CONTINUE: &[u8] = b"100-continue";

/// True if core's server reads the value as 100-continue all the same: it looks for that anywhere.
fn resembles_continue(value: &[u8]) -> bool {
    let mut windows = value.windows(CONTINUE.len());
    windows.any(|part| part.eq_ignore_ascii_case(CONTINUE))
}

/// True if a value is `uri-host [ ":" port ]` (RFC 9110 §7.2), or empty. A comma, which RFC 3986 has in names, is what joins two
/// fields, and refused.
fn is_host(value: &[u8]) -> bool {
    let (host, rest) = match value.strip_prefix(b"[") {
        Some(literal) => {
            let Some(end) = literal.iter().position(|&byte| byte == b']') else {
                return false;
            };
            let (literal, rest) = literal.split_at(end);
            let is_literal = !literal.is_empty()
                && literal.iter().all(|&byte| {
                    byte.is_ascii_alphanumeric()
                        || matches!(byte, b':' | b'.' | b'%' | b'-' | b'_' | b'~')
                });
            if !is_literal {
                return false;
            }
            (&b""[..], &rest[1..])
        }
        None => {
            let end = value.iter().position(|&byte| byte == b':');
            value.split_at(end.unwrap_or(value.len()))
        }
    };
    let is_name = host.iter().all(|&byte| is_host_name(byte));
    let is_port = match rest.split_first() {
        None => true,
        Some((colon, port)) => *colon == b':' && port.iter().all(u8::is_ascii_digit),
    };
    is_name && is_port
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for good in [
            "a", "a.b:80", "", "a:", "[::1]", "[::1]:80", "1.2.3.4", "a_b", "%61",
        ] {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        for bad in [
            "a b", "a,b", "a/b", "a:b", "a@b", "[::1", "[]", "[::1]x", "a:80:80", "\u{e9}", "a?b",
            "a#b", "http://a",
        ] {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
    }
}
