//! The public object: bytes in, events out; commands in, bytes out.
//!
//! It knows nothing of sockets and keeps no clock. What it can be told and asked is here; how
//! bytes become events is in [`crate::receive`], the sending half in [`crate::send`].

use crate::body::framing;
use crate::client::{self, Queue};
use crate::config::Config;
use crate::error::{CloseReason, Error, ErrorKind};
use crate::event::{BodyFraming, Event};
use crate::head::facts::Facts;
use crate::head::machine::{Fail, Machine, Rules};
use crate::headers::Fields;
use crate::receive::{Step, Verdict};
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
    pub(crate) rules: Rules,
    pub(crate) receive: Receive,
    pub(crate) send: Send,
    /// What is known of the message being received.
    pub(crate) facts: Facts,
    /// A head or trailers in pieces: being read, or just told and still borrowed.
    pub(crate) machine: Option<Box<Machine>>,
    /// The fields of a head the fast path has just told, still borrowed.
    pub(crate) text: Vec<u8>,
    /// Bytes of the packet consumed by calls before this one.
    pub(crate) packet: usize,
    /// Server: requests whose response has not ended.
    pub(crate) requests: u32,
    /// Client: responses expected.
    pub(crate) expected: Queue,
    /// Client: an expectation had no room.
    pub(crate) overdrawn: bool,
    /// The bytes behind the message being received are another protocol's.
    pub(crate) switches_after: bool,
    /// Heads go to the reference machine even if the fast path would do.
    pub(crate) reference_only: bool,
    pub(crate) close: Option<CloseReason>,
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
            text: Vec::new(),
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
            if framing == BodyFraming::UntilClose || framing::is_refused(&self.facts, leniency) {
                // Nothing tells where that body would end.
                self.detach();
            } else {
                self.switches_after = true;
                self.go_on(framing);
            }
        }
    }

    /// Is HTTP over here: is what comes another protocol's?
    #[must_use]
    pub fn has_switched(&self) -> bool {
        matches!(self.receive, Receive::Raw)
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

    /// Has a message begun to go out that has not ended, or has the last one gone?
    #[must_use]
    pub fn is_answering(&self) -> bool {
        self.send != Send::Idle
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
}
