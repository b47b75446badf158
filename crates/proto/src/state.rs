//! Where a connection stands: what the peer may say next, and what this side may say next.
//!
//! ```text
//! receiving                                         sending
//!
//!   Head ──head──┬─ Length ──┐                        Idle ──head── Body ──end──┬─ Idle
//!    ↑           ├─ Chunked ─┤ (Trailers)                                       └─ Last
//!    │           ├─ Until… ──┤
//!    │           ├─ Held ────┼── accepted ── Raw      Detached (a switch was accepted)
//!    │           └─ Refused ─┼── error ──── Failed
//!    └────── may go on ──────┴── may not ── Closed
//! ```
//!
//! The two sides move independently but for what is remembered between them: the number of
//! requests without a response, and on a client what was asked.

use crate::body::decode::Decoder;
use crate::error::Error;
use crate::event::BodyFraming;

/// What the next byte received belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Receive {
    /// A head, or the gap before one. In the middle of one, the connection has a machine.
    Head,
    /// Not known yet: a switch was asked for. If it is declined, this is the body.
    Held(BodyFraming),
    /// A body with so many bytes to come.
    Length(u64),
    /// A chunked body.
    Chunked(Decoder),
    /// The trailers of one; the connection has a machine.
    Trailers,
    /// A body that ends with the connection.
    UntilClose,
    /// Nothing: the head is to be followed by an error (see `body::framing::is_refused`).
    Refused,
    /// Nothing: the message was the last one. Empty lines are overlooked.
    Closed,
    /// Another protocol.
    Raw,
    /// Nothing: it is dropped, behind a 101 that was not asked for.
    Ignored,
    /// Nothing: this happened.
    Failed(Error),
}

impl Receive {
    /// Behind a head whose body ends this way. `None` if the message ends here.
    pub(crate) fn body(framing: BodyFraming) -> Option<Self> {
        match framing {
            BodyFraming::None => None,
            BodyFraming::Length(length) => Some(Self::Length(length)),
            BodyFraming::Chunked => Some(Self::Chunked(Decoder::new())),
            BodyFraming::UntilClose => Some(Self::UntilClose),
        }
    }

    /// Behind the end of a message.
    pub(crate) fn after_message(may_go_on: bool) -> Self {
        if may_go_on { Self::Head } else { Self::Closed }
    }

    /// True inside the body of a message, or its trailers.
    pub(crate) fn is_body(&self) -> bool {
        matches!(
            self,
            Self::Length(_) | Self::Chunked(_) | Self::Trailers | Self::UntilClose
        )
    }
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

/// What this side may send next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Send {
    /// A head.
    Idle,
    /// The body of the message whose head was sent.
    Body(OutFraming),
    /// Nothing more.
    Last,
    /// Bytes of another protocol: not through here.
    Detached,
}
