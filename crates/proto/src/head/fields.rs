//! The reference machine's fields (RFC 9112 §5): of a head or of the trailers.

use crate::config::{Leniency, Role, Rules};
use crate::error::{ErrorKind, Fail, fail, fail_as};
use crate::hardening::Row;
use crate::head::facts::{CHUNKED, CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING, UPGRADE};
use crate::head::machine::{Known, Machine, State};
use crate::token::{self, Matcher, is_space, is_token, is_value, trim_end};

impl Machine {
    /// Consumes at least one byte of the fields, or none and changes the state.
    pub(super) fn fields_byte(
        &mut self,
        input: &[u8],
        at: usize,
        rules: &Rules,
    ) -> Result<usize, Fail> {
        let byte = input[at];
        match self.state {
            State::FieldFirst09 if matches!(byte, b'\t' | 0x0c) => {
                return fail(ErrorKind::InvalidUrl, at + 1);
            }
            State::FieldFirst09 | State::FieldFirst if byte == b' ' => {
                if !rules.lenient(Leniency::HEADERS) {
                    return fail(ErrorKind::UnexpectedSpace, at + 1);
                }
                self.state = State::FieldStart;
            }
            State::FieldFirst09 | State::FieldFirst | State::FieldStart => match byte {
                b'\r' => self.state = State::HeadersLf,
                b'\n' if rules.lenient(Leniency::OPTIONAL_CR_BEFORE_LF) => {
                    self.state = State::Done;
                }
                b'\n' => return fail(ErrorKind::InvalidHeaderField, at + 1),
                _ if is_token(byte) => {
                    self.begin_field();
                    return Ok(at);
                }
                _ => return fail(ErrorKind::InvalidHeaderToken, at),
            },
            State::HeadersLf if byte == b'\n' => self.state = State::Done,
            State::HeadersLf if rules.lenient(Leniency::OPTIONAL_LF_AFTER_CR) => {
                self.state = State::Done;
                return Ok(at);
            }
            State::HeadersLf => return fail(ErrorKind::ExpectedLfAfterHeaders, at),
            State::Name => return self.name_bytes(input, at, rules),
            State::NameSpaces => match byte {
                b' ' => self.take(b" "),
                b':' => return self.name_end(at, rules),
                _ => {
                    self.state = State::Name;
                    return Ok(at);
                }
            },
            State::ValueStart => return self.value_start(byte, at, rules),
            State::ValueStartLf if byte == b'\n' => self.state = State::ValueStartFold,
            State::ValueStartLf if rules.lenient(Leniency::HEADERS) => {
                self.state = State::ValueStartFold;
                return Ok(at);
            }
            State::ValueStartLf => return fail(ErrorKind::ExpectedLfAfterCr, at),
            State::ValueStartFold if is_space(byte) => {
                if !rules.lenient(Leniency::HEADERS) {
                    return fail(ErrorKind::InvalidHeaderValue, at + 1);
                }
                self.state = State::ValueStart;
            }
            State::ValueStartFold => {
                match self.known {
                    Known::ContentLength => return fail(ErrorKind::EmptyContentLength, at),
                    Known::TransferEncoding if !rules.config.llhttp_93 => {
                        return fail(ErrorKind::EmptyTransferEncoding, at);
                    }
                    _ => self.end_field(rules),
                }
                return Ok(at);
            }
            State::Value => return self.value_bytes(input, at, rules),
            State::LengthSpaces => match byte {
                _ if is_length_space(byte, rules) => self.take(&[byte]),
                b'\r' | b'\n' => return self.value_line_end(byte, at, rules),
                _ => {
                    self.count(rules, at)?;
                    return fail(ErrorKind::InvalidContentLength, at);
                }
            },
            State::ValueLf if byte == b'\n' => self.state = State::ValueFold,
            State::ValueLf => return fail(ErrorKind::ExpectedLfAfterHeaderValue, at),
            // ValueFold
            _ if is_space(byte) => {
                if !rules.lenient(Leniency::HEADERS) {
                    return fail(ErrorKind::UnexpectedFold, at);
                }
                match self.known {
                    Known::ContentLength => return fail(ErrorKind::DuplicateContentLength, at),
                    Known::TransferEncoding => {
                        self.facts.unset(CHUNKED);
                        self.known = Known::None;
                    }
                    _ => {}
                }
                self.state = State::Value;
                return Ok(at);
            }
            _ => {
                self.end_field(rules);
                return Ok(at);
            }
        }
        Ok(at + 1)
    }

    fn name_bytes(&mut self, input: &[u8], at: usize, rules: &Rules) -> Result<usize, Fail> {
        let rest = &input[at..];
        let len = rest
            .iter()
            .position(|&byte| !is_token(byte))
            .unwrap_or(rest.len());
        self.take(&rest[..len]);
        let Some(&byte) = rest.get(len) else {
            return Ok(at + len);
        };
        let at = at + len;
        match byte {
            b':' => self.name_end(at, rules),
            // Node: a name it knows is refused differently.
            b' ' if means_something(self.name()) => {
                if !rules.lenient(Leniency::HEADERS) {
                    self.count(rules, at + 1)?;
                    return fail(ErrorKind::InvalidHeaderField, at + 1);
                }
                self.take(b" ");
                self.state = State::NameSpaces;
                Ok(at + 1)
            }
            _ => fail(ErrorKind::InvalidHeaderToken, at),
        }
    }

    /// The colon has come.
    fn name_end(&mut self, at: usize, rules: &Rules) -> Result<usize, Fail> {
        self.state = State::Name;
        self.count(rules, at + 1)?;
        let both = rules.lenient(Leniency::CHUNKED_LENGTH);
        // Leniently: what it means does not depend on spaces behind it.
        let name = trim_end(self.name());
        if is_connection(name) {
            self.known = Known::Connection;
            self.matcher = Matcher::default();
        } else if name.eq_ignore_ascii_case(b"content-length") {
            // RFC 9112 §6.3: one of the two is a lie.
            if self.facts.has(TRANSFER_ENCODING) && !both {
                return fail(ErrorKind::ContentLengthWithTransferEncoding, at + 1);
            }
            self.known = Known::ContentLength;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.facts.has(CONTENT_LENGTH) && !both {
                return fail(ErrorKind::TransferEncodingWithContentLength, at + 1);
            }
            self.known = Known::TransferEncoding;
            self.matcher = Matcher::default();
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            self.known = Known::Upgrade;
        } else if name.eq_ignore_ascii_case(b"host") && self.counts(rules) {
            self.facts.set(HOST);
        } else if name.eq_ignore_ascii_case(b"expect") && self.counts(rules) {
            self.facts.set(EXPECT);
        }
        self.end_name();
        Ok(at + 1)
    }

    fn value_start(&mut self, byte: u8, at: usize, rules: &Rules) -> Result<usize, Fail> {
        match byte {
            b' ' | b'\t' => {
                if self.take_space(rules) {
                    if rules.is_strict() {
                        return fail_as(ErrorKind::Forbidden, Row::FieldSpaces, at + 1);
                    }
                    self.rows.add(Row::FieldSpaces);
                }
                return Ok(at + 1);
            }
            b'\r' => {
                self.state = State::ValueStartLf;
                return Ok(at + 1);
            }
            b'\n' if rules.lenient(Leniency::OPTIONAL_CR_BEFORE_LF) => {
                self.state = State::ValueStartFold;
                return Ok(at + 1);
            }
            b'\n' => return fail(ErrorKind::InvalidHeaderValue, at + 1),
            _ => {}
        }
        match self.known {
            Known::ContentLength => {
                if self.facts.has(CONTENT_LENGTH) {
                    return fail(ErrorKind::DuplicateContentLength, at);
                }
                self.facts.set(CONTENT_LENGTH);
                self.facts.content_length = 0;
            }
            Known::TransferEncoding => {
                // RFC 9112 §6.1: chunked comes once, and last.
                if self.facts.has(CHUNKED) && is_strict_request(rules) {
                    return fail(ErrorKind::InvalidTransferEncodingValue, at + 1);
                }
                self.facts.unset(CHUNKED);
                self.facts.set(TRANSFER_ENCODING);
            }
            // Node: an empty one does not count.
            Known::Upgrade => self.facts.set(UPGRADE),
            _ => {}
        }
        self.state = State::Value;
        Ok(at)
    }

    fn value_bytes(&mut self, input: &[u8], at: usize, rules: &Rules) -> Result<usize, Fail> {
        let rest = &input[at..];
        let mut len = 0;
        while let Some(&byte) = rest.get(len) {
            if !is_value(byte) {
                // Behind such a byte a value has no more meaning, and LF ends it.
                if !allows(byte, rules) || self.known == Known::ContentLength {
                    break;
                }
                self.known = Known::None;
                self.loose = true;
            }
            match self.known {
                Known::None | Known::Upgrade => {}
                Known::Connection => {
                    if let Some(word) =
                        self.matcher
                            .push(token::CONNECTION, !rules.config.llhttp_93, byte)
                    {
                        self.facts.set_connection(word);
                    }
                }
                Known::ContentLength => {
                    if is_length_space(byte, rules) {
                        self.state = State::LengthSpaces;
                        break;
                    }
                    if !byte.is_ascii_digit() {
                        break;
                    }
                    let next = self.facts.content_length.checked_mul(10);
                    match next.and_then(|next| next.checked_add(u64::from(byte - b'0'))) {
                        Some(next) => self.facts.content_length = next,
                        None => {
                            self.take(&rest[..=len]);
                            self.count(rules, at + len + 1)?;
                            return fail(ErrorKind::ContentLengthOverflow, at + len + 1);
                        }
                    }
                }
                Known::TransferEncoding => {
                    let word = self.matcher.push(token::CHUNKED, false, byte);
                    if word.is_some() && is_strict_request(rules) {
                        self.take(&rest[..len]);
                        self.count(rules, at + len + 1)?;
                        return fail(ErrorKind::InvalidTransferEncodingValue, at + len + 1);
                    }
                }
            }
            len += 1;
        }
        self.take(&rest[..len]);
        let Some(&byte) = rest.get(len) else {
            return Ok(at + len);
        };
        let at = at + len;
        match byte {
            _ if self.state == State::LengthSpaces => Ok(at),
            b'\r' | b'\n' => self.value_line_end(byte, at, rules),
            _ => {
                self.count(rules, at)?;
                let kind = if self.known == Known::ContentLength {
                    ErrorKind::InvalidContentLength
                } else {
                    ErrorKind::InvalidHeaderValue
                };
                fail(kind, at)
            }
        }
    }

    /// CR or LF behind a value that is not empty.
    fn value_line_end(&mut self, byte: u8, at: usize, rules: &Rules) -> Result<usize, Fail> {
        if byte == b'\n' && !self.loose && !rules.lenient(Leniency::OPTIONAL_CR_BEFORE_LF) {
            self.count(rules, at)?;
            return fail(ErrorKind::ExpectedCrAfterHeaderValue, at);
        }
        self.count(rules, at + usize::from(byte == b'\r'))?;
        match self.known {
            Known::Connection => {
                if let Some(word) = self.matcher.end() {
                    self.facts.set_connection(word);
                }
            }
            Known::TransferEncoding if self.matcher.end().is_some() => self.facts.set(CHUNKED),
            _ => {}
        }
        self.state = if byte == b'\r' {
            State::ValueLf
        } else {
            State::ValueFold
        };
        Ok(at + 1)
    }
}

/// True if this byte, a control character, may stand in a value.
fn allows(byte: u8, rules: &Rules) -> bool {
    match byte {
        b'\r' | b'\n' => false,
        _ if rules.lenient(Leniency::HEADERS) => true,
        // Node 26: NUL sends the parser into an endless loop here; refused instead.
        _ => rules.lenient(Leniency::HEADER_VALUE_RELAXED) && byte != 0,
    }
}

/// True if the byte is white space behind a Content-Length.
fn is_length_space(byte: u8, rules: &Rules) -> bool {
    byte == b' ' || (byte == b'\t' && !rules.config.llhttp_93)
}

/// True if the rule that chunked comes last is enforced: only for requests.
fn is_strict_request(rules: &Rules) -> bool {
    rules.role == Role::Server && !rules.lenient(Leniency::TRANSFER_ENCODING)
}

// Node: Proxy-Connection, which no RFC defines, is read as Connection.
fn is_connection(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"connection") || name.eq_ignore_ascii_case(b"proxy-connection")
}

/// True if the grammar of Node's parser knows the name.
fn means_something(name: &[u8]) -> bool {
    is_connection(name)
        || name.eq_ignore_ascii_case(b"content-length")
        || name.eq_ignore_ascii_case(b"transfer-encoding")
        || name.eq_ignore_ascii_case(b"upgrade")
}
