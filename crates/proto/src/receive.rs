//! The receiving half of a connection: to what of a message the next byte belongs, and what
//! is said of it.

use crate::body::decode::Found;
use crate::body::framing;
use crate::client;
use crate::config::{Leniency, Role, Rules};
use crate::connection::Connection;
use crate::error::{CloseReason, Error, ErrorKind, Fail, Side, fail, fail_as};
use crate::event::{BodyFraming, Event};
use crate::forbidden;
use crate::hardening::{Hardening, MAX_INTERIM, Row, Rows};
use crate::head::fast;
use crate::head::machine::Machine;
use crate::headers::Fields;
use crate::server;
use crate::state::{Receive, Send};

/// An event but for what it borrows from the connection.
#[derive(Clone, Copy)]
enum Step<'i> {
    NeedData,
    Held,
    /// A head: told by the fast path (target or reason, number of fields), or the machine has it.
    Head(Option<(&'i [u8], u32)>, Verdict),
    Data(&'i [u8]),
    /// The end of a body, without trailers.
    End,
    /// The same; the machine has them.
    EndWithTrailers,
    Raw(&'i [u8]),
}

#[derive(Clone, Copy)]
enum Verdict {
    Request(server::Verdict),
    Response(client::Verdict),
}

impl Connection {
    /// Pulls the next event out of `input` and moves `input` forward over what was consumed.
    ///
    /// Call it again with the rest until it gives [`Event::NeedData`] (which has consumed
    /// everything) or [`Event::Held`]. Some events need no input, so call it at least once
    /// after each event.
    ///
    /// # Errors
    ///
    /// The bytes are not HTTP, or go beyond a limit (see [`Config`]). There is no way back: every
    /// later call gives the same error.
    pub fn next_event<'a, 'i: 'a>(&'a mut self, input: &mut &'i [u8]) -> Result<Event<'a>, Error> {
        let step = self.advance(input)?;
        let machine = self.machine.as_deref();
        Ok(match step {
            Step::NeedData => Event::NeedData,
            Step::Held => Event::Held,
            Step::Data(data) => Event::Data(data),
            Step::End => Event::End(Fields::EMPTY),
            Step::EndWithTrailers => {
                Event::End(machine.map_or(Fields::EMPTY, |machine| machine.fields(&self.rules)))
            }
            Step::Raw(bytes) => Event::Raw(bytes),
            Step::Head(found, verdict) => {
                let (start, fields) = match (found, machine) {
                    (Some((start, count)), _) => (start, Fields::new(&self.text, count)),
                    (None, Some(machine)) => (machine.start_text(), machine.fields(&self.rules)),
                    (None, None) => (&[][..], Fields::EMPTY),
                };
                let noted = self.has_noted();
                match verdict {
                    Verdict::Request(verdict) => {
                        Event::Request(server::head(&self.facts, &verdict, start, fields, noted))
                    }
                    Verdict::Response(verdict) => {
                        Event::Response(client::head(&self.facts, &verdict, start, fields, noted))
                    }
                }
            }
        })
    }

    /// The peer has closed its sending side.
    ///
    /// Gives `End` when that ends a body, and `NeedData` when nothing is lost.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidEofState`], with offset 0, inside a message (RFC 9112 §8); or the error
    /// the connection has already met.
    pub fn end_of_input(&mut self) -> Result<Event<'static>, Error> {
        self.packet = 0;
        let is_inside = match self.receive {
            Receive::Failed(error) => return Err(error),
            Receive::UntilClose => {
                self.close.get_or_insert(CloseReason::UntilClose);
                self.end_message();
                return Ok(Event::End(Fields::EMPTY));
            }
            Receive::Head => self.machine.as_ref().is_some_and(|m| !m.is_done()),
            Receive::Length(_) | Receive::Chunked(_) | Receive::Trailers => true,
            _ => false,
        };
        self.close.get_or_insert(CloseReason::PeerClosed);
        if is_inside {
            return Err(self.fail(Fail {
                kind: ErrorKind::InvalidEofState,
                at: 0,
                row: None,
            }));
        }
        Ok(Event::NeedData)
    }

    fn advance<'i>(&mut self, input: &mut &'i [u8]) -> Result<Step<'i>, Error> {
        // A head or trailers told by the last call are no longer borrowed.
        if self
            .machine
            .as_ref()
            .is_some_and(|machine| machine.is_done())
        {
            self.machine = None;
        }
        self.text.clear();
        let whole = *input;
        let mut at = 0;
        let step = match self.step(whole, &mut at) {
            Ok(step) => step,
            Err(fail) => return Err(self.fail(fail)),
        };
        *input = &whole[at..];
        if let Step::NeedData = step {
            self.packet = 0;
            // It may be long before anything comes: idle connections use no memory.
            self.text = Vec::new();
        } else {
            self.packet += at;
        }
        Ok(step)
    }

    /// One event out of `input` from `at`, which moves.
    fn step<'i>(&mut self, input: &'i [u8], at: &mut usize) -> Result<Step<'i>, Fail> {
        loop {
            match &mut self.receive {
                Receive::Head => return self.head(input, at),
                Receive::Held(_) => return Ok(Step::Held),
                Receive::Length(left) => {
                    let rest = &input[*at..];
                    if *left == 0 {
                        self.end_message();
                        return Ok(Step::End);
                    }
                    if rest.is_empty() {
                        return Ok(Step::NeedData);
                    }
                    let len = usize::try_from(*left).map_or(rest.len(), |n| n.min(rest.len()));
                    *left -= len as u64;
                    *at += len;
                    return Ok(Step::Data(&rest[..len]));
                }
                Receive::Chunked(decoder) => match decoder.next(input, at, &self.rules)? {
                    Found::NeedData => {
                        let rows = decoder.take_rows();
                        self.note(rows);
                        return Ok(Step::NeedData);
                    }
                    Found::Data(len) => return Ok(Step::Data(&input[*at - len..*at])),
                    Found::Trailers if input[*at..].starts_with(b"\r\n") => {
                        *at += 2;
                        let rows = decoder.take_rows();
                        self.note(rows);
                        self.end_message();
                        return Ok(Step::End);
                    }
                    Found::Trailers => {
                        let rows = decoder.take_rows();
                        self.note(rows);
                        self.machine = Some(Box::new(Machine::trailers(self.facts)));
                        self.receive = Receive::Trailers;
                    }
                },
                Receive::Trailers => {
                    let machine = self
                        .machine
                        .get_or_insert_with(|| Box::new(Machine::trailers(self.facts)));
                    let Some(len) = feed(machine, input, *at, &self.rules)? else {
                        *at = input.len();
                        return Ok(Step::NeedData);
                    };
                    *at += len;
                    let rows = machine
                        .rows
                        .union(forbidden::trailers(&machine.fields(&self.rules)));
                    // Node: what trailers say about the connection counts.
                    self.facts = machine.facts;
                    self.judge(rows, *at)?;
                    self.end_message();
                    return Ok(Step::EndWithTrailers);
                }
                Receive::UntilClose | Receive::Raw => {
                    let rest = &input[*at..];
                    *at = input.len();
                    return Ok(match self.receive {
                        _ if rest.is_empty() => Step::NeedData,
                        Receive::Raw => Step::Raw(rest),
                        _ => Step::Data(rest),
                    });
                }
                Receive::Refused => {
                    return fail(ErrorKind::InvalidTransferEncoding, *at);
                }
                Receive::Closed => {
                    if self.rules.lenient(Leniency::DATA_AFTER_CLOSE) {
                        *at = input.len();
                        return Ok(Step::NeedData);
                    }
                    *at += empty_lines(&input[*at..]);
                    if *at == input.len() {
                        return Ok(Step::NeedData);
                    }
                    if self.rules.is_strict() {
                        // RFC 9112 §9.6: they are ignored.
                        *at = input.len();
                        self.ignores = true;
                        self.note_once(Row::AfterClose);
                        return Ok(Step::NeedData);
                    }
                    return fail_as(ErrorKind::ClosedConnection, Row::AfterClose, *at + 1);
                }
                Receive::Ignored => {
                    *at = input.len();
                    return Ok(Step::NeedData);
                }
                Receive::Failed(error) => {
                    return fail(error.kind, 0);
                }
            }
        }
    }

    fn head<'i>(&mut self, input: &'i [u8], at: &mut usize) -> Result<Step<'i>, Fail> {
        if self.machine.is_none() {
            let skipped = empty_lines(&input[*at..]);
            let gap = &input[*at..*at + skipped];
            *at += skipped;
            let rest = &input[*at..];
            // The fast path does not count white space before values, of which there may be too much.
            let mut is_odd = self.reference_only;
            if self.rules.is_hardened() {
                self.judge_gap(gap, rest.is_empty(), *at)?;
                is_odd |= rest.len() >= self.rules.config.max_header_size as usize;
            }
            if rest.is_empty() {
                return Ok(Step::NeedData);
            }
            if self.rules.config.leniency.is_none() && !is_odd {
                let found = match self.rules.role {
                    Role::Server => fast::request(rest, &self.rules, &mut self.text),
                    Role::Client => fast::response(rest, &self.rules, &mut self.text),
                };
                if let Some(found) = found {
                    *at += found.len;
                    self.facts = found.facts;
                    if self.rules.is_hardened() {
                        self.judge_head(Some((found.start, found.fields)), *at)?;
                    }
                    let verdict = self.begin_message(*at)?;
                    return Ok(Step::Head(Some((found.start, found.fields)), verdict));
                }
            }
        }
        let machine = self.machine.get_or_insert_with(|| Box::new(Machine::new()));
        let Some(len) = feed(machine, input, *at, &self.rules)? else {
            *at = input.len();
            return Ok(Step::NeedData);
        };
        *at += len;
        self.facts = machine.facts;
        if self.rules.is_hardened() {
            self.judge_head(None, *at)?;
        }
        let verdict = self.begin_message(*at)?;
        Ok(Step::Head(None, verdict))
    }

    /// Begins the message whose head is whole. `at` is where an error is found.
    fn begin_message(&mut self, at: usize) -> Result<Verdict, Fail> {
        match self.rules.role {
            Role::Server => {
                let verdict = server::judge(&self.facts, self.rules.config.leniency);
                self.requests += 1;
                if verdict.switch {
                    self.receive = Receive::Held(verdict.body);
                } else {
                    self.go_on(verdict.body);
                }
                Ok(Verdict::Request(verdict))
            }
            Role::Client => {
                let Some(expected) = self.expected.first() else {
                    return fail(ErrorKind::UnsolicitedResponse, at);
                };
                let verdict = client::judge(&self.facts, expected);
                if verdict.switch {
                    self.receive = Receive::Held(BodyFraming::None);
                } else if verdict.dead_end {
                    self.expected.pop();
                    self.close.get_or_insert(CloseReason::PeerRefused);
                    self.receive = Receive::Ignored;
                } else if verdict.informational {
                    self.interim = self.interim.saturating_add(1);
                    if self.interim == MAX_INTERIM + 1 {
                        let mut rows = Rows::default();
                        rows.add(Row::InterimFlood);
                        if self.rules.is_hardened() {
                            self.judge(rows, at)?;
                        }
                    }
                    // Node: behind a 1xx that does not keep alive there is no final response.
                    self.receive = Receive::after_message(self.may_go_on());
                } else {
                    self.interim = 0;
                    if !verdict.keep_alive {
                        self.close.get_or_insert(CloseReason::PeerRefused);
                    }
                    self.go_on(verdict.body);
                }
                Ok(Verdict::Response(verdict))
            }
        }
    }

    /// Goes on behind a head that is no switch: with its body, or the end of its message.
    pub(crate) fn go_on(&mut self, framing: BodyFraming) {
        if self.rules.role == Role::Server
            && framing::is_refused(&self.facts, self.rules.config.leniency)
        {
            self.receive = Receive::Refused;
            return;
        }
        match Receive::body(framing) {
            Some(receive) => self.receive = receive,
            None => self.end_message(),
        }
    }

    /// Ends the message being received: another follows, or none may.
    fn end_message(&mut self) {
        if self.switches_after {
            self.detach();
            return;
        }
        self.receive = Receive::after_message(self.may_go_on());
        if self.rules.role == Role::Client {
            self.expected.pop();
        }
    }

    /// True if another message may follow the one that ends here.
    fn may_go_on(&self) -> bool {
        let leniency = self.rules.config.leniency;
        let is_bodyless = self.expected.first().is_some_and(|expected| expected.head);
        framing::keeps_alive(&self.facts, self.rules.role, is_bodyless)
            || leniency.contains(Leniency::KEEP_ALIVE)
    }

    pub(crate) fn detach(&mut self) {
        self.receive = Receive::Raw;
        self.switches_after = false;
        // What answers the request that asked for the switch is no longer HTTP's business.
        self.expected.pop();
        self.requests = self.requests.saturating_sub(1);
        // Requests before it may still wait for their responses.
        if self.requests == 0 {
            self.send = Send::Detached;
        }
        self.close.get_or_insert(CloseReason::Switched);
    }

    fn fail(&mut self, fail: Fail) -> Error {
        if let Receive::Failed(error) = self.receive {
            return error;
        }
        if let Receive::Chunked(decoder) = &mut self.receive {
            let rows = decoder.take_rows();
            self.note(rows);
        }
        let row = match (self.rules.config.hardening, fail.row) {
            (Hardening::Strict, row) => row,
            (Hardening::Audit, Some(row)) => {
                self.note_one(row);
                None
            }
            _ => None,
        };
        let error = Error {
            side: Side::Remote,
            kind: fail.kind,
            offset: self.packet + fail.at,
            row,
        };
        self.machine = None;
        self.receive = Receive::Failed(error);
        self.close = Some(CloseReason::Failed);
        error
    }
}

/// Feeds a machine from `at`; an error's offset is into the whole input.
fn feed(
    machine: &mut Machine,
    input: &[u8],
    at: usize,
    rules: &Rules,
) -> Result<Option<usize>, Fail> {
    machine.feed(&input[at..], rules).map_err(|fail| Fail {
        at: at + fail.at,
        ..fail
    })
}

/// Length of the CR and LF at the start.
///
/// Node: any number of them is skipped before a message (RFC 9112 §2.2: one empty line).
fn empty_lines(input: &[u8]) -> usize {
    input
        .iter()
        .position(|byte| !matches!(byte, b'\r' | b'\n'))
        .unwrap_or(input.len())
}
