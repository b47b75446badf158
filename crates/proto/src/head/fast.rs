//! The fast path: heads that lie whole in the input and have nothing out of the ordinary.
//!
//! httparse splits the head into tokens. It accepts more than Node's parser does (bare LF as line
//! end, any token as method, `^` anywhere in a target …), so a strict layer looks at each
//! difference; what it cannot vouch for is no error but goes to the [reference
//! machine](super::machine), from its first byte. `None` therefore only ever means "not here".

use std::mem::MaybeUninit;

use httparse::{Header, Status};

use crate::config::Rules;
use crate::head::facts::{
    CHUNKED, CONTENT_LENGTH, EXPECT, Facts, HOST, TRANSFER_ENCODING, UPGRADE,
};
use crate::method::Method;
use crate::token::{self, Matcher, is_target, trim_end};

/// A head found whole.
pub(crate) struct Found<'i> {
    /// Bytes of input it consumes, empty lines before it included.
    pub(crate) len: usize,
    pub(crate) facts: Facts,
    /// Target or reason.
    pub(crate) start: &'i [u8],
    /// Fields appended to the text.
    pub(crate) fields: u32,
}

/// Fields a head may have to be found here.
const MAX_FIELDS: usize = 64;

/// Offset of `part` in `whole`, which it is a slice of.
#[inline]
fn offset(whole: &[u8], part: &[u8]) -> usize {
    part.as_ptr() as usize - whole.as_ptr() as usize
}

/// The method of this name, of those that are common; the machine looks for the others.
#[inline]
fn method(name: &[u8]) -> Option<Method> {
    match name {
        b"GET" => Some(Method::GET),
        b"POST" => Some(Method::POST),
        b"HEAD" => Some(Method::HEAD),
        b"OPTIONS" => Some(Method::OPTIONS),
        b"PUT" => Method::from_number(4),
        b"DELETE" => Method::from_number(0),
        b"PATCH" => Method::from_number(28),
        _ => None,
    }
}

/// A request whose head lies whole in `input`. Its fields are appended to `text` as
/// [`Fields`](crate::Fields) has them.
pub(crate) fn request<'i>(input: &'i [u8], rules: &Rules, text: &mut Vec<u8>) -> Option<Found<'i>> {
    let mut headers = [const { MaybeUninit::<Header<'_>>::uninit() }; MAX_FIELDS];
    let mut head = httparse::Request::new(&mut []);
    let Ok(Status::Complete(len)) = head.parse_with_uninit_headers(input, &mut headers) else {
        return None;
    };
    let target = head.path?.as_bytes();
    // `/path` and `*` only; the authorities of other forms are the machine's business.
    if !matches!(target[0], b'/' | b'*') || !target.iter().all(|&byte| is_target(byte)) {
        return None;
    }
    let facts = Facts {
        code: u16::from(method(head.method?.as_bytes())?.number()),
        version: (1, head.version?),
        ..Facts::default()
    };
    fields(&input[..len], target, facts, head.headers, rules, text)
}

/// A response whose head lies whole in `input`. Its fields are appended to `text`.
pub(crate) fn response<'i>(
    input: &'i [u8],
    rules: &Rules,
    text: &mut Vec<u8>,
) -> Option<Found<'i>> {
    let mut headers = [const { MaybeUninit::<Header<'_>>::uninit() }; MAX_FIELDS];
    let mut head = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let parsed = config.parse_response_with_uninit_headers(&mut head, input, &mut headers);
    let Ok(Status::Complete(len)) = parsed else {
        return None;
    };
    let reason = head.reason?.as_bytes();
    // An empty reason may be one httparse did not like, and points nowhere.
    if reason.is_empty() {
        return None;
    }
    let facts = Facts {
        code: head.code?,
        version: (1, head.version?),
        ..Facts::default()
    };
    fields(&input[..len], reason, facts, head.headers, rules, text)
}

/// The strict layer over the fields, and over the line ends of the whole head.
fn fields<'i>(
    head: &[u8],
    start: &'i [u8],
    mut facts: Facts,
    headers: &[Header<'i>],
    rules: &Rules,
    text: &mut Vec<u8>,
) -> Option<Found<'i>> {
    let limit = rules.config.max_headers as usize;
    if limit != 0 && headers.len() > limit {
        return None;
    }
    // `name LF value LF` is shorter than `name : value CR LF`.
    text.reserve(head.len());
    let mut size = start.len();
    // Every line ends with CRLF: httparse accepts LF alone. A line ends where the next one begins.
    let ends = headers[1.min(headers.len())..]
        .iter()
        .map(|next| offset(head, next.name.as_bytes()))
        .chain([head.len().checked_sub(2)?]);
    let first = headers
        .first()
        .map_or(head.len().checked_sub(2)?, |header| {
            offset(head, header.name.as_bytes())
        });
    if head[first - 2] != b'\r' || !head.ends_with(b"\r\n") {
        return None;
    }
    for (header, line_end) in headers.iter().zip(ends) {
        let name = header.name.as_bytes();
        let value_end = line_end - 2;
        if head[value_end] != b'\r' {
            return None;
        }
        // An empty value points nowhere in particular.
        let value_at = if header.value.is_empty() {
            value_end
        } else {
            offset(head, header.value)
        };
        // Node: white space behind a value counts against the limit, white space before it not.
        let value = &head[value_at..value_end];
        size += name.len() + value.len();
        if !note(&mut facts, name, value, rules) {
            return None;
        }
        text.extend_from_slice(name);
        text.push(b'\n');
        text.extend_from_slice(trim_end(value));
        text.push(b'\n');
    }
    if size >= rules.config.max_header_size as usize {
        return None;
    }
    Some(Found {
        len: head.len(),
        facts,
        start,
        fields: headers.len() as u32,
    })
}

/// Notes what a field says about its message. False if it says it in a way that needs a closer
/// look.
#[inline]
fn note(facts: &mut Facts, name: &[u8], value: &[u8], rules: &Rules) -> bool {
    match name.len() {
        4 if name.eq_ignore_ascii_case(b"host") => facts.set(HOST),
        6 if name.eq_ignore_ascii_case(b"expect") => facts.set(EXPECT),
        // Node: an empty one does not count.
        7 if name.eq_ignore_ascii_case(b"upgrade") && !value.is_empty() => facts.set(UPGRADE),
        10 if name.eq_ignore_ascii_case(b"connection") => note_connection(facts, value, rules),
        14 if name.eq_ignore_ascii_case(b"content-length") => return note_length(facts, value),
        16 if name.eq_ignore_ascii_case(b"proxy-connection") => {
            note_connection(facts, value, rules);
        }
        17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
            let is_ordinary = !facts.has_any(CONTENT_LENGTH | TRANSFER_ENCODING)
                && value.eq_ignore_ascii_case(b"chunked");
            facts.set(TRANSFER_ENCODING | CHUNKED);
            return is_ordinary;
        }
        _ => {}
    }
    true
}

fn note_connection(facts: &mut Facts, value: &[u8], rules: &Rules) {
    // What nearly all of them say.
    if value == b"keep-alive" {
        facts.set_connection(1);
        return;
    }
    let mut matcher = Matcher::default();
    for &byte in value {
        if let Some(word) = matcher.push(token::CONNECTION, !rules.config.llhttp_93, byte) {
            facts.set_connection(word);
        }
    }
    if let Some(word) = matcher.end() {
        facts.set_connection(word);
    }
}

/// Notes a length of nineteen digits at most, which cannot overflow. False if it is another, or not ordinary: the machine's.
fn note_length(facts: &mut Facts, value: &[u8]) -> bool {
    let is_ordinary = !facts.has_any(CONTENT_LENGTH | TRANSFER_ENCODING)
        && (1..=19).contains(&value.len())
        && value.iter().all(u8::is_ascii_digit);
    if is_ordinary {
        facts.content_length = value
            .iter()
            .fold(0, |length, digit| length * 10 + u64::from(digit - b'0'));
        facts.set(CONTENT_LENGTH);
    }
    is_ordinary
}
