//! The public object: bytes in, events out; commands in, bytes out.
//!
//! It knows nothing of sockets and keeps no clock. The receiving half is here, the sending half
//! in [`crate::send`].

use crate::body::decode::Found;
use crate::body::framing;
use crate::client::{self, Expected, Queue};
use crate::config::{Config, Leniency};
use crate::error::{CloseReason, Error, ErrorKind, Side};
use crate::event::{BodyFraming, Event};
use crate::head::facts::Facts;
use crate::head::fast;
use crate::head::machine::{Fail, Machine, Rules};
use crate::headers::Fields;
use crate::server;
use crate::state::{Receive, Send};

/// Which side of the connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Receives requests, sends responses.
    Server,
    /// Sends requests, receives responses.
    Client,
}

/// How the end of an outgoing body is made known (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutFraming {
    /// There is no body: what is given as one is dropped.
    None,
    /// The head says how many bytes. Node: they are not counted here.
    Length(u64),
    /// Chunks (RFC 9112 §7.1).
    Chunked,
    /// Everything until this side closes: the message is the last one.
    UntilClose,
}

/// One HTTP/1.x connection: both directions, without I/O.
///
/// See the [crate's documentation](crate) for a whole exchange.
#[derive(Debug)]
pub struct Connection {
    rules: Rules,
    receive: Receive,
    pub(crate) send: Send,
    /// What is known of the message being received.
    facts: Facts,
    /// A head or trailers in pieces: being read, or just told and still borrowed.
    machine: Option<Box<Machine>>,
    /// Bytes of the packet consumed by calls before this one.
    packet: usize,
    /// Server: requests whose response has not ended.
    pub(crate) requests: u32,
    /// Client: responses expected.
    pub(crate) expected: Queue,
    /// Client: an expectation had no room.
    pub(crate) overdrawn: bool,
    /// The bytes behind the message being received are another protocol's.
    switches_after: bool,
    /// Heads go to the reference machine even if the fast path would do.
    reference_only: bool,
    pub(crate) close: Option<CloseReason>,
}

/// A head as `advance` leaves it: told by the fast path, or lying in the machine.
// Not boxed: a head that came whole must not cost an allocation.
#[allow(clippy::large_enum_variant, reason = "lives on the stack, once per event")]
enum Step<'i> {
    NeedData,
    Held,
    Head(Option<fast::Found<'i>>, Verdict),
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
    /// A connection on which nothing has been said yet.
    #[must_use]
    pub fn new(role: Role, config: Config) -> Self {
        Self {
            rules: Rules { role, config },
            receive: Receive::Head,
            send: Send::Idle,
            facts: Facts::default(),
            machine: None,
            packet: 0,
            requests: 0,
            expected: Queue::default(),
            overdrawn: false,
            switches_after: false,
            reference_only: false,
            close: None,
        }
    }

    /// Which side this is.
    #[must_use]
    pub fn role(&self) -> Role {
        self.rules.role
    }

    /// Other limits and leniencies from here on: a client has them per request.
    pub fn configure(&mut self, config: Config) {
        self.rules.config = config;
    }

    /// Sends every head to the reference machine: for tests that compare the two.
    #[doc(hidden)]
    pub fn use_reference_only(&mut self) {
        self.reference_only = true;
    }

    /// The next input is the start of a packet: [`Error::offset`] counts from there. Needed only
    /// after a packet was left before [`Event::NeedData`] came.
    pub fn begin_packet(&mut self) {
        self.packet = 0;
    }

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
    pub fn next_event<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
    ) -> Result<Event<'a>, Error> {
        let step = self.advance(input)?;
        let machine = self.machine.as_deref();
        Ok(match step {
            Step::NeedData => Event::NeedData,
            Step::Held => Event::Held,
            Step::Data(data) => Event::Data(data),
            Step::End => Event::End(Fields::EMPTY),
            Step::EndWithTrailers => {
                Event::End(machine.map_or(Fields::EMPTY, |machine| machine.fields()))
            }
            Step::Raw(bytes) => Event::Raw(bytes),
            Step::Head(found, verdict) => {
                let (start, fields) = match (found, machine) {
                    (Some(found), _) => (found.start, found.fields),
                    (None, Some(machine)) => (machine.start_text(), machine.fields()),
                    (None, None) => (&[][..], Fields::EMPTY),
                };
                match verdict {
                    Verdict::Request(verdict) => {
                        Event::Request(server::head(&self.facts, &verdict, start, fields))
                    }
                    Verdict::Response(verdict) => {
                        Event::Response(client::head(&self.facts, &verdict, start, fields))
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
            }));
        }
        Ok(Event::NeedData)
    }

    /// The bytes behind the held head are another protocol's, to begin with those already read: from
    /// now on there are only [`Event::Raw`] and [`Event::NeedData`] (RFC 9110 §7.8). Does nothing
    /// if nothing is held.
    pub fn accept_switch(&mut self) {
        if let Receive::Held(_) = self.receive {
            self.detach();
        }
    }

    /// The same, but the held request's body is read first, as Node 26 does.
    pub fn accept_switch_after_body(&mut self) {
        if let Receive::Held(framing) = self.receive {
            let leniency = self.rules.config.leniency;
            if framing::is_refused(&self.facts, leniency) {
                // Nobody knows where that body would end.
                self.detach();
            } else {
                self.switches_after = true;
                self.go_on(framing);
            }
        }
    }

    /// The held message is an ordinary one: its body follows. Does nothing if nothing is held.
    ///
    /// On a client there is no way to go on, and what follows is overlooked.
    pub fn decline_switch(&mut self) {
        if let Receive::Held(framing) = self.receive {
            if self.rules.role == Role::Client {
                self.expected.pop();
                self.close.get_or_insert(CloseReason::PeerRefused);
                self.receive = Receive::Ignored;
            } else {
                self.go_on(framing);
            }
        }
    }

    /// Between messages, with no byte of another received and no exchange open?
    #[must_use]
    pub fn is_idle(&self) -> bool {
        matches!(self.receive, Receive::Head | Receive::Closed)
            && !self.receiving()
            && self.outstanding() == 0
            && !matches!(self.send, Send::Body(_))
    }

    /// In the middle of an incoming message: its first byte was seen (an empty line before a head
    /// is none), its end was not?
    #[must_use]
    pub fn receiving(&self) -> bool {
        match self.receive {
            Receive::Head => self.machine.as_ref().is_some_and(|m| !m.is_done()),
            _ => self.receive.is_body(),
        }
    }

    /// Server: requests received whose response has not ended. Client: requests sent, as told to
    /// [`expect_response`](Self::expect_response), whose response has not.
    #[must_use]
    pub fn outstanding(&self) -> u32 {
        match self.rules.role {
            Role::Server => self.requests,
            Role::Client => self.expected.len(),
        }
    }

    /// Why the connection cannot serve another exchange, if it cannot (RFC 9112 §9.3). It may still
    /// have to finish the one at hand.
    ///
    /// A request that does not keep alive is no reason by itself. Node: the server's own
    /// Connection field decides, and tells it with `last`.
    #[must_use]
    pub fn must_close(&self) -> Option<CloseReason> {
        self.close
    }

    fn advance<'i>(&mut self, input: &mut &'i [u8]) -> Result<Step<'i>, Error> {
        // A head or trailers told by the last call are no longer borrowed.
        if self.machine.as_ref().is_some_and(|machine| machine.is_done()) {
            self.machine = None;
        }
        let whole = *input;
        let mut at = 0;
        let step = match self.step(whole, &mut at) {
            Ok(step) => step,
            Err(fail) => return Err(self.fail(fail)),
        };
        *input = &whole[at..];
        self.packet = match step {
            Step::NeedData => 0,
            _ => self.packet + at,
        };
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
                    Found::NeedData => return Ok(Step::NeedData),
                    Found::Data(len) => return Ok(Step::Data(&input[*at - len..*at])),
                    Found::Trailers if input[*at..].starts_with(b"\r\n") => {
                        *at += 2;
                        self.end_message();
                        return Ok(Step::End);
                    }
                    Found::Trailers => {
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
                    // Node: what trailers say about the connection counts.
                    self.facts = machine.facts;
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
                    return Err(Fail {
                        kind: ErrorKind::InvalidTransferEncoding,
                        at: *at,
                    });
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
                    return Err(Fail {
                        kind: ErrorKind::ClosedConnection,
                        at: *at + 1,
                    });
                }
                Receive::Ignored => {
                    *at = input.len();
                    return Ok(Step::NeedData);
                }
                Receive::Failed(error) => {
                    return Err(Fail {
                        kind: error.kind,
                        at: 0,
                    });
                }
            }
        }
    }

    fn head<'i>(&mut self, input: &'i [u8], at: &mut usize) -> Result<Step<'i>, Fail> {
        if self.machine.is_none() {
            *at += empty_lines(&input[*at..]);
            let rest = &input[*at..];
            if rest.is_empty() {
                return Ok(Step::NeedData);
            }
            if self.rules.config.leniency.is_none() && !self.reference_only {
                let found = match self.rules.role {
                    Role::Server => fast::request(rest, &self.rules),
                    Role::Client => fast::response(rest, &self.rules),
                };
                if let Some(found) = found {
                    *at += found.len;
                    self.facts = found.facts;
                    let verdict = self.begin_message(*at)?;
                    return Ok(Step::Head(Some(found), verdict));
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
        let verdict = self.begin_message(*at)?;
        Ok(Step::Head(None, verdict))
    }

    /// The head of a message is whole. `at` is where an error is found.
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
                    return Err(Fail {
                        kind: ErrorKind::UnsolicitedResponse,
                        at,
                    });
                };
                let verdict = client::judge(&self.facts, expected);
                if verdict.switch {
                    self.receive = Receive::Held(BodyFraming::None);
                } else if verdict.dead_end {
                    self.expected.pop();
                    self.close.get_or_insert(CloseReason::PeerRefused);
                    self.receive = Receive::Ignored;
                } else if verdict.informational {
                    // Node: a 1xx that does not keep alive leaves no room for a final response.
                    self.receive = Receive::after_message(self.may_go_on());
                } else {
                    if !verdict.keep_alive {
                        self.close.get_or_insert(CloseReason::PeerRefused);
                    }
                    self.go_on(verdict.body);
                }
                Ok(Verdict::Response(verdict))
            }
        }
    }

    /// Behind a head that is no switch: its body, or the end of its message.
    fn go_on(&mut self, framing: BodyFraming) {
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

    /// The message received has ended.
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

    /// May another message follow the one that ends here?
    fn may_go_on(&self) -> bool {
        let leniency = self.rules.config.leniency;
        let is_bodyless = self.expected.first().is_some_and(|expected| expected.head);
        framing::keeps_alive(&self.facts, self.rules.role, is_bodyless)
            || leniency.contains(Leniency::KEEP_ALIVE)
    }

    fn detach(&mut self) {
        self.receive = Receive::Raw;
        self.send = Send::Detached;
        self.switches_after = false;
        self.expected.pop();
        self.close.get_or_insert(CloseReason::Switched);
    }

    fn fail(&mut self, fail: Fail) -> Error {
        if let Receive::Failed(error) = self.receive {
            return error;
        }
        let error = Error {
            side: Side::Remote,
            kind: fail.kind,
            offset: self.packet + fail.at,
        };
        self.machine = None;
        self.receive = Receive::Failed(error);
        self.close = Some(CloseReason::Failed);
        error
    }

    /// Client: remembers a request whose response is to come.
    pub(crate) fn expect(&mut self, expected: Expected) {
        self.overdrawn |= !self.expected.push(expected);
    }
}

/// Feeds a machine from `at`; an error's offset is into the whole input.
fn feed(
    machine: &mut Machine,
    input: &[u8],
    at: usize,
    rules: &Rules,
) -> Result<Option<usize>, Fail> {
    machine
        .feed(&input[at..], rules)
        .map_err(|fail| Fail { at: at + fail.at, ..fail })
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
