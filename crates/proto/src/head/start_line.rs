//! The reference machine's start line: request line (RFC 9112 §3) and status line (§4).

use memchr::memchr2;

use crate::config::{Leniency, Role, Rules};
use crate::error::{ErrorKind, Fail, fail, fail_as};
use crate::hardening::Row;
use crate::head::facts::{EXTRA_SPACE, NO_VERSION, OTHER_PROTOCOL};
use crate::head::machine::{Machine, Protocol, State};
use crate::method::{METHODS, Method};
use crate::token::{is_authority, is_target, is_token};

/// The numbers of all methods, sorted by name: those that share a beginning stand together, the
/// shortest first.
const SORTED: [u8; METHODS.len()] = {
    const fn before(a: &[u8], b: &[u8]) -> bool {
        let mut at = 0;
        while at < a.len() && at < b.len() {
            if a[at] != b[at] {
                return a[at] < b[at];
            }
            at += 1;
        }
        a.len() < b.len()
    }
    let mut sorted = [0; METHODS.len()];
    let mut next = 0;
    while next < METHODS.len() {
        let mut at = next;
        while at > 0
            && before(
                METHODS[next].as_bytes(),
                METHODS[sorted[at - 1] as usize].as_bytes(),
            )
        {
            sorted[at] = sorted[at - 1];
            at -= 1;
        }
        sorted[at] = next as u8;
        next += 1;
    }
    sorted
};

/// What follows the version in the HTTP/2 preface (RFC 9113 §3.4).
const PREFACE: &[u8] = b"\r\n\r\nSM\r\n\r\n";

/// True for the numbers of the methods RTSP shares with HTTP or has of its own.
fn is_rtsp(method: u16) -> bool {
    // GET, POST, OPTIONS, and DESCRIBE to FLUSH.
    matches!(method, 1 | 3 | 6 | 35..=45)
}

/// True for the numbers of the methods HTTP does not know.
fn is_rtsp_only(method: u16) -> bool {
    matches!(method, 35..=45)
}

impl Machine {
    /// Consumes at least one byte of the start line.
    pub(super) fn start_line(
        &mut self,
        input: &[u8],
        at: usize,
        rules: &Rules,
    ) -> Result<usize, Fail> {
        let byte = input[at];
        match self.state {
            // Node: any CR and LF before a message are skipped (RFC 9112 §2.2: one empty line).
            State::Start if matches!(byte, b'\r' | b'\n') => {}
            State::Start if rules.role == Role::Server => {
                self.methods = (0, SORTED.len() as u8);
                self.state = State::Method;
                return Ok(at);
            }
            State::Start => {
                self.state = State::Protocol;
                return self.protocol_first(byte, at);
            }
            State::Method => return self.method(byte, at),
            State::ProtocolFirst | State::ProtocolSpaces => match byte {
                b' ' => {
                    self.facts.set(EXTRA_SPACE);
                    self.state = State::ProtocolSpaces;
                }
                b'\t' | 0x0c if self.state == State::ProtocolFirst => {
                    return fail(ErrorKind::InvalidUrl, at + 1);
                }
                _ => return self.protocol_first(byte, at),
            },
            State::Protocol => return self.protocol(byte, at, rules),
            State::ProtocolSlash if byte == b'/' => self.state = State::Major,
            State::ProtocolSlash => return fail(ErrorKind::ExpectedProtocol, at),
            State::Major
            | State::Dot
            | State::Minor
            | State::VersionEnd
            | State::VersionLf
            | State::Preface => return self.version(byte, at, rules),
            State::Status | State::StatusEnd | State::Reason | State::ReasonLf => {
                return self.status(input, at, rules);
            }
            _ => return self.url(input, at, rules),
        }
        Ok(at + 1)
    }

    fn method(&mut self, byte: u8, at: usize) -> Result<usize, Fail> {
        let seen = usize::from(self.progress);
        let (low, high) = (usize::from(self.methods.0), usize::from(self.methods.1));
        let name = |place: usize| METHODS[usize::from(SORTED[place])].as_bytes();
        let fits = |place: &usize| name(*place).get(seen) == Some(&byte);
        if let Some(first) = (low..high).find(fits) {
            let count = (first..high).take_while(fits).count();
            self.methods = (first as u8, (first + count) as u8);
            self.progress += 1;
            return Ok(at + 1);
        }
        if name(low).len() != seen {
            let is_name = is_token(byte) || (byte == b' ' && seen > 0);
            return if is_name {
                fail_as(ErrorKind::InvalidMethod, Row::MethodUnknown, at)
            } else {
                fail(ErrorKind::InvalidMethod, at)
            };
        }
        if byte != b' ' {
            if is_token(byte) {
                return fail_as(ErrorKind::ExpectedSpaceAfterMethod, Row::MethodUnknown, at);
            }
            return fail(ErrorKind::ExpectedSpaceAfterMethod, at);
        }
        self.facts.code = u16::from(SORTED[low]);
        self.state = State::UrlStart;
        Ok(at + 1)
    }

    /// The first byte of a protocol name.
    fn protocol_first(&mut self, byte: u8, at: usize) -> Result<usize, Fail> {
        self.protocol = match byte {
            b'H' => Protocol::Http,
            b'I' => Protocol::Ice,
            b'R' => Protocol::Rtsp,
            _ => return fail(ErrorKind::ExpectedProtocol, at),
        };
        if self.protocol != Protocol::Http {
            self.facts.set(OTHER_PROTOCOL);
        }
        self.state = State::Protocol;
        self.progress = 1;
        Ok(at + 1)
    }

    fn protocol(&mut self, byte: u8, at: usize, rules: &Rules) -> Result<usize, Fail> {
        let name: &[u8] = match self.protocol {
            Protocol::Http => b"HTTP",
            Protocol::Ice => b"ICE",
            Protocol::Rtsp => b"RTSP",
        };
        if byte != name[usize::from(self.progress)] {
            return fail(ErrorKind::ExpectedProtocol, at);
        }
        self.progress += 1;
        if usize::from(self.progress) < name.len() {
            return Ok(at + 1);
        }
        self.state = State::ProtocolSlash;
        let method = self.facts.code;
        if rules.role == Role::Server {
            let kind = match self.protocol {
                Protocol::Http if is_rtsp_only(method) => ErrorKind::InvalidMethodForHttp,
                Protocol::Ice if method != u16::from(Method::SOURCE.number()) => {
                    ErrorKind::ExpectedSourceForIce
                }
                Protocol::Rtsp if !is_rtsp(method) => ErrorKind::InvalidMethodForRtsp,
                _ => return Ok(at + 1),
            };
            return fail(kind, at + 1);
        }
        Ok(at + 1)
    }

    fn version(&mut self, byte: u8, at: usize, rules: &Rules) -> Result<usize, Fail> {
        let is_preface =
            rules.role == Role::Server && self.facts.code == u16::from(Method::PRI.number());
        match self.state {
            State::Major => {
                if !byte.is_ascii_digit() {
                    return fail(ErrorKind::InvalidMajorVersion, at);
                }
                self.facts.version.0 = byte - b'0';
                self.state = State::Dot;
            }
            State::Dot => {
                if byte != b'.' {
                    return fail(ErrorKind::ExpectedDot, at);
                }
                self.state = State::Minor;
            }
            State::Minor => {
                if !byte.is_ascii_digit() {
                    return fail(ErrorKind::InvalidMinorVersion, at);
                }
                self.facts.version.1 = byte - b'0';
                // Node: these four, whatever the protocol's name.
                let known = matches!(self.facts.version, (0, 9) | (1, 0 | 1) | (2, 0));
                if !known && !rules.lenient(Leniency::VERSION) {
                    return fail_as(ErrorKind::InvalidVersion, Row::VersionOther, at + 1);
                }
                self.progress = 0;
                self.state = if is_preface {
                    State::Preface
                } else {
                    State::VersionEnd
                };
            }
            State::Preface => {
                if byte != PREFACE[usize::from(self.progress)] {
                    return fail(ErrorKind::ExpectedPreface, at);
                }
                self.progress += 1;
                if usize::from(self.progress) == PREFACE.len() {
                    return fail(ErrorKind::PausedH2Upgrade, at + 1);
                }
            }
            State::VersionEnd if rules.role == Role::Client => {
                if byte != b' ' {
                    return fail(ErrorKind::ExpectedSpaceAfterVersion, at);
                }
                self.state = State::Status;
            }
            State::VersionEnd => match byte {
                b'\r' => self.state = State::VersionLf,
                // Node: leniently, an LF here stands for the CR, and its own LF must follow.
                b'\n' if rules.lenient(Leniency::OPTIONAL_CR_BEFORE_LF) => {
                    self.state = State::VersionLf;
                }
                b'\n' => return fail(ErrorKind::ExpectedCrlfAfterVersion, at + 1),
                _ => return fail(ErrorKind::ExpectedCrlfAfterVersion, at),
            },
            // VersionLf
            _ if byte == b'\n' => self.state = State::FieldFirst,
            _ if rules.lenient(Leniency::OPTIONAL_LF_AFTER_CR) => {
                self.state = State::FieldFirst;
                return Ok(at);
            }
            _ => return fail(ErrorKind::ExpectedLfAfterVersion, at),
        }
        Ok(at + 1)
    }

    fn status(&mut self, input: &[u8], at: usize, rules: &Rules) -> Result<usize, Fail> {
        let byte = input[at];
        match self.state {
            State::Status => {
                if !byte.is_ascii_digit() {
                    return fail(ErrorKind::InvalidStatusCode, at);
                }
                self.facts.code = self.facts.code * 10 + u16::from(byte - b'0');
                self.progress += 1;
                if self.progress == 3 {
                    self.state = State::StatusEnd;
                }
            }
            State::StatusEnd => match byte {
                b' ' => self.state = State::Reason,
                b'\r' => self.state = State::ReasonLf,
                b'\n' if rules.lenient(Leniency::OPTIONAL_CR_BEFORE_LF) => {
                    self.state = State::FieldFirst;
                }
                b'\n' => return fail(ErrorKind::InvalidResponseStatus, at + 1),
                _ => return fail(ErrorKind::InvalidResponseStatus, at),
            },
            State::Reason => {
                let rest = &input[at..];
                let len = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
                self.take(&rest[..len]);
                if len == rest.len() {
                    return Ok(at + len);
                }
                self.count(rules, at + len + 1)?;
                self.end_start();
                if rest[len] == b'\r' {
                    self.state = State::ReasonLf;
                } else if rules.lenient(Leniency::OPTIONAL_CR_BEFORE_LF) {
                    self.state = State::FieldFirst;
                } else {
                    return fail(ErrorKind::ExpectedCrAfterResponseLine, at + len + 1);
                }
                return Ok(at + len + 1);
            }
            // ReasonLf
            _ if byte == b'\n' || (byte == b'\r' && rules.config.llhttp_93) => {
                self.state = State::FieldFirst;
            }
            _ if rules.lenient(Leniency::OPTIONAL_LF_AFTER_CR) => {
                self.state = State::FieldFirst;
                return Ok(at);
            }
            _ => return fail(ErrorKind::ExpectedLfAfterCr, at),
        }
        Ok(at + 1)
    }

    fn url(&mut self, input: &[u8], at: usize, rules: &Rules) -> Result<usize, Fail> {
        let byte = input[at];
        match self.state {
            State::UrlStart => match byte {
                b' ' => {
                    self.facts.set(EXTRA_SPACE);
                    return Ok(at + 1);
                }
                _ if self.facts.code == u16::from(Method::CONNECT.number()) => {
                    self.state = State::UrlServer;
                    return Ok(at);
                }
                b'/' | b'*' => self.state = State::UrlPath,
                _ if byte.is_ascii_alphabetic() => self.state = State::UrlSchema,
                b'\t' | b'\n' | 0x0c | b'\r' => return fail(ErrorKind::InvalidUrl, at + 1),
                _ => return fail(ErrorKind::InvalidUrlStart, at),
            },
            State::UrlSchema => match byte {
                b':' => self.state = State::UrlSlash,
                _ if byte.is_ascii_alphabetic() => {}
                b'\t' | b'\n' | 0x0c | b'\r' | b' ' => return fail(ErrorKind::InvalidUrl, at + 1),
                _ => return fail(ErrorKind::InvalidUrlSchema, at),
            },
            State::UrlSlash => match byte {
                b'/' => self.state = State::UrlSlashSlash,
                b'\t' | b'\n' | 0x0c | b'\r' | b' ' => return fail(ErrorKind::InvalidUrl, at + 1),
                _ => return fail(ErrorKind::InvalidUrlSchema, at),
            },
            State::UrlSlashSlash if byte == b'/' => self.state = State::UrlServer,
            State::UrlSlashSlash => return fail(ErrorKind::InvalidUrlSchema, at),
            State::UrlServer | State::UrlServerAt => match byte {
                b'/' => self.state = State::UrlPath,
                b'?' => self.state = State::UrlQuery,
                b'@' if self.state == State::UrlServerAt => {
                    return fail(ErrorKind::DoubleAtInUrl, at + 1);
                }
                b'@' => self.state = State::UrlServerAt,
                _ if is_authority(byte) => self.state = State::UrlServer,
                _ => return self.url_end(byte, at, rules, ErrorKind::InvalidUrlServer),
            },
            State::UrlPath | State::UrlQuery | State::UrlFragment => {
                return self.url_tail(input, at, rules);
            }
            // UrlLf
            _ if byte == b'\n' => {
                self.state = State::FieldFirst09;
                return Ok(at + 1);
            }
            _ => return fail(ErrorKind::ExpectedCrlfAfterUrl, at),
        }
        self.take(&input[at..=at]);
        Ok(at + 1)
    }

    /// Path, query and fragment, all that is there of them.
    fn url_tail(&mut self, input: &[u8], at: usize, rules: &Rules) -> Result<usize, Fail> {
        let rest = &input[at..];
        let len = rest
            .iter()
            .position(|&byte| {
                match byte {
                    b'?' if self.state == State::UrlPath => self.state = State::UrlQuery,
                    b'#' => self.state = State::UrlFragment,
                    _ => {}
                }
                !is_target(byte)
            })
            .unwrap_or(rest.len());
        self.take(&rest[..len]);
        if len == rest.len() {
            return Ok(at + len);
        }
        let kind = match self.state {
            State::UrlPath => ErrorKind::InvalidUrlPath,
            State::UrlQuery => ErrorKind::InvalidUrlQuery,
            _ => ErrorKind::InvalidUrlFragment,
        };
        self.url_end(rest[len], at + len, rules, kind)
    }

    /// A byte that can stand in no target: its end, or an error of this kind.
    fn url_end(
        &mut self,
        byte: u8,
        at: usize,
        rules: &Rules,
        kind: ErrorKind,
    ) -> Result<usize, Fail> {
        if matches!(byte, b' ' | b'\r' | b'\n') {
            // While it is a target: that it is too long is told as such, whatever ends it.
            self.count(rules, at)?;
            self.end_start();
        }
        match byte {
            b' ' => self.state = State::ProtocolFirst,
            // Node: a request line without version is HTTP/0.9, and fields may follow it.
            b'\r' | b'\n' => {
                self.facts.version = (0, 9);
                self.facts.set(NO_VERSION);
                self.state = if byte == b'\r' {
                    State::UrlLf
                } else {
                    State::FieldFirst09
                };
            }
            b'\t' | 0x0c => return fail(ErrorKind::InvalidUrl, at + 1),
            _ => return fail(kind, at),
        }
        Ok(at + 1)
    }
}
