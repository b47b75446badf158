//! The public object: bytes in, events out; commands in, bytes out.
//!
//! It knows nothing of sockets and has no clock. What it can be told and asked is here; how
//! bytes become events is in [`crate::receive`], the sending half in [`crate::send`].

use crate::client::Queue;
use crate::config::{Config, Role, Rules};
use crate::error::CloseReason;
use crate::hardening::{Gap, Row};
use crate::head::facts::Facts;
use crate::head::machine::Machine;
use crate::state::{Receive, Send};

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
    /// CR and LF since the last message.
    pub(crate) gap: Gap,
    /// Client: interim responses since the last final one.
    pub(crate) interim: u32,
    /// Bytes came behind the last message, and were dropped.
    pub(crate) ignores: bool,
    /// What was let through although the RFCs forbid it.
    pub(crate) noted: Vec<Row>,
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
            gap: Gap::default(),
            interim: 0,
            ignores: false,
            noted: Vec::new(),
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

    /// True if the peer may go on sending what is not read: it must be able to read the answer first, which a reset would overtake
    /// (RFC 9112 §9.6). Node: it resets; so only with [`Hardening::Strict`](crate::Hardening::Strict).
    #[must_use]
    pub fn leaves_unread(&self) -> bool {
        self.rules.is_strict() && (self.ignores || matches!(self.receive, Receive::Failed(_)))
    }

    /// Gives what was let through although the RFCs forbid it, in order, since the last call: once for each message, with
    /// [`Hardening::Audit`](crate::Hardening::Audit) all of it, with [`Hardening::Strict`](crate::Hardening::Strict) what is
    /// read otherwise instead of refused.
    pub fn take_noted(&mut self) -> Vec<Row> {
        std::mem::take(&mut self.noted)
    }

    /// True if there is something to [`take_noted`](Self::take_noted).
    pub fn has_noted(&self) -> bool {
        !self.noted.is_empty()
    }

    /// Sends every head to the reference machine: for tests that compare the two.
    #[doc(hidden)]
    pub fn use_reference_only(&mut self) {
        self.reference_only = true;
    }

    /// The next input is the start of a packet: [`Error::offset`] counts from there. Needed only
    /// after a packet was given up before [`Event::NeedData`] came.
    pub fn begin_packet(&mut self) {
        self.packet = 0;
    }

    /// True if HTTP is over here: what comes is another protocol's.
    #[must_use]
    pub fn has_switched(&self) -> bool {
        matches!(self.receive, Receive::Raw)
    }

    /// True between messages, with no byte of another received and no exchange open.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        matches!(self.receive, Receive::Head | Receive::Closed)
            && !self.receiving()
            && self.outstanding() == 0
            && !matches!(self.send, Send::Body(_))
    }

    /// True in the middle of an incoming message: its first byte was seen (an empty line before a head
    /// is none), its end was not.
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

    /// True if a message has begun to go out that has not ended, or the last one has gone.
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
