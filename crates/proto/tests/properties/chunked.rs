//! The chunked coding (RFC 9112 §7.1), read by a second decoder: of the whole body at once, and without the parser's states.

use http_native_proto::{Config, Connection, Event, Role};

use super::input::{Cuts, Setup};

/// What the second decoder makes of bytes.
enum Read {
    /// A body of so many bytes, with its trailers.
    Whole(usize),
    /// It goes on.
    Open,
    /// There is no such body.
    Wrong,
}

struct Decoded {
    /// The data of all chunks, as far as they have come.
    data: Vec<u8>,
    read: Read,
    /// It has nothing that the grammar of the RFC does not have, or that is beyond any limit.
    is_plain: bool,
}

fn decode(wire: &[u8]) -> Decoded {
    let mut decoded = Decoded {
        data: Vec::new(),
        read: Read::Open,
        is_plain: true,
    };
    decoded.read = decoded.chunks(wire);
    decoded
}

impl Decoded {
    fn chunks(&mut self, wire: &[u8]) -> Read {
        let mut rest = wire;
        loop {
            let digits = rest
                .iter()
                .take_while(|byte| byte.is_ascii_hexdigit())
                .count();
            let (size, behind) = rest.split_at(digits);
            if behind.is_empty() {
                return Read::Open;
            }
            self.is_plain &= digits <= 16;
            let text = std::str::from_utf8(size).unwrap_or("");
            let Ok(size) = u64::from_str_radix(text, 16) else {
                return Read::Wrong;
            };
            let (extensions, behind) = match line(behind) {
                Line::Ended(extensions, behind) => (extensions, behind),
                Line::Open => return Read::Open,
                Line::Wrong => return Read::Wrong,
            };
            if !matches!(extensions.first(), None | Some(b';')) {
                return Read::Wrong;
            }
            self.is_plain &= are_extensions(extensions);
            if size == 0 {
                return self.trailers(wire, behind);
            }
            let len = behind
                .len()
                .min(usize::try_from(size).unwrap_or(usize::MAX));
            let (data, behind) = behind.split_at(len);
            self.data.extend_from_slice(data);
            if (len as u64) < size {
                return Read::Open;
            }
            rest = match behind {
                [b'\r', b'\n', rest @ ..] => rest,
                [] | [b'\r'] => return Read::Open,
                _ => return Read::Wrong,
            };
        }
    }

    fn trailers(&mut self, wire: &[u8], mut rest: &[u8]) -> Read {
        loop {
            if let [b'\r', b'\n', behind @ ..] = rest {
                return Read::Whole(wire.len() - behind.len());
            }
            let (field, behind) = match line(rest) {
                Line::Ended(field, behind) => (field, behind),
                Line::Open => return Read::Open,
                // A line end inside of a field is an error, but the field may have another before.
                Line::Wrong => return Read::Wrong,
            };
            self.is_plain &= is_field(field);
            rest = behind;
        }
    }
}

enum Line<'w> {
    /// The line, without its CRLF, and what is behind that.
    Ended(&'w [u8], &'w [u8]),
    Open,
    /// CR or LF stands alone.
    Wrong,
}

fn line(wire: &[u8]) -> Line<'_> {
    match wire.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
        None => Line::Open,
        Some(end) => match &wire[end..] {
            [b'\r', b'\n', behind @ ..] => Line::Ended(&wire[..end], behind),
            [b'\r'] => Line::Open,
            _ => Line::Wrong,
        },
    }
}

fn is_token(text: &[u8]) -> bool {
    let is_one = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(is_one)
}

/// `*( ";" token [ "=" token ] )`: not strings in quotes, in which semicolons may stand.
fn are_extensions(text: &[u8]) -> bool {
    let mut parts = text.split(|&byte| byte == b';');
    parts.next() == Some(b"")
        && parts.all(|part| match part.iter().position(|&byte| byte == b'=') {
            None => is_token(part),
            Some(at) => is_token(&part[..at]) && is_token(&part[at + 1..]),
        })
}

/// True for a field that says nothing about messages or connections: its name begins with `x`.
fn is_field(text: &[u8]) -> bool {
    let Some(at) = text.iter().position(|&byte| byte == b':') else {
        return false;
    };
    let is_value = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
    text[0] == b'x' && is_token(&text[..at]) && text[at..].iter().all(is_value)
}

pub(super) fn as_decoded_whole(data: &[u8]) {
    let Some((setup, wire)) = Setup::read(data) else {
        return;
    };
    let (role, head): (_, &[u8]) = if setup.head {
        (
            Role::Client,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        )
    } else {
        (
            Role::Server,
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        )
    };
    let mut connection = Connection::new(
        role,
        Config {
            hardening: setup.config.hardening,
            llhttp_93: setup.config.llhttp_93,
            ..Config::default()
        },
    );
    connection.expect_response(false, false);
    let mut input = head;
    let said = connection.next_event(&mut input);
    assert!(matches!(said, Ok(Event::Request(_) | Event::Response(_))));

    let decoded = decode(wire);
    let mut data = Vec::new();
    let mut taken = 0;
    let mut is_wrong = false;
    let mut is_whole = false;
    'packets: for packet in Cuts::new(setup.cuts).of(wire) {
        let mut input = packet;
        loop {
            match connection.next_event(&mut input) {
                Ok(Event::NeedData) => break,
                Ok(Event::Data(part)) => data.extend_from_slice(part),
                Ok(Event::End(_)) => {
                    is_whole = true;
                    taken += packet.len() - input.len();
                    break 'packets;
                }
                Ok(event) => panic!("{event:?} in a body"),
                Err(_) => {
                    is_wrong = true;
                    break 'packets;
                }
            }
        }
        taken += packet.len();
    }
    assert!(decoded.data.starts_with(&data), "other data");
    match decoded.read {
        Read::Whole(len) => {
            assert!(is_whole || is_wrong, "the end was not seen");
            assert!(!is_wrong || !decoded.is_plain, "a good body is refused");
            assert!(is_wrong || (data.len(), taken) == (decoded.data.len(), len));
        }
        Read::Open => {
            assert!(!is_whole, "an end that has not come");
            assert!(is_wrong || data.len() == decoded.data.len(), "data is late");
        }
        Read::Wrong => assert!(is_wrong, "a bad body is taken"),
    }
}
