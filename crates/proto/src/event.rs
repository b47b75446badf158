//! What a connection can say.

use crate::headers::Fields;
use crate::method::Method;

/// Something that happened on the receiving side.
///
/// The slices point into the input of the call or into the connection, whichever has the bytes.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Nothing more can be said before more bytes come. The input was consumed whole.
    NeedData,
    /// A head with `switch` waits for [`accept_switch`](crate::Connection::accept_switch) or
    /// [`decline_switch`](crate::Connection::decline_switch). No input was consumed.
    Held,
    /// Server: a request's head. The request is complete with it if its `body` is `None`.
    Request(RequestHead<'a>),
    /// Client: a response's head. The response is complete with it if its `body` is `None`.
    Response(ResponseHead<'a>),
    /// A contiguous piece of the body, never empty.
    Data(&'a [u8]),
    /// The body has ended; with its trailers (RFC 9112 §7.1.2), mostly none.
    End(Fields<'a>),
    /// Bytes behind an accepted switch: no longer HTTP. Never empty.
    Raw(&'a [u8]),
}

/// How the end of an incoming body is known (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFraming {
    /// There is none. `Content-Length: 0` counts as none.
    None,
    /// This many bytes, more than none.
    Length(u64),
    /// Chunks (RFC 9112 §7.1), or a Transfer-Encoding the next event refuses.
    Chunked,
    /// Everything until the peer closes.
    UntilClose,
}

/// The head of a request (RFC 9112 §3).
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// The method.
    pub method: Method,
    /// The request target as written.
    pub target: &'a [u8],
    /// Major and minor version.
    pub version: (u8, u8),
    /// The fields.
    pub fields: Fields<'a>,
    /// True if another request may follow (RFC 9112 §9.3), as far as this head tells.
    pub keep_alive: bool,
    /// How the body ends. With `switch`, what counts if the switch is declined.
    pub body: BodyFraming,
    /// Content-Length or Transfer-Encoding is present.
    pub framed: bool,
    /// `Upgrade` with `Connection: upgrade` (RFC 9110 §7.8), or CONNECT: the connection is held.
    pub switch: bool,
    /// An Expect field is present.
    pub has_expect: bool,
    /// A Host field is present.
    pub has_host: bool,
    /// There is something to [`take_noted`](crate::Connection::take_noted).
    pub noted: bool,
}

/// The head of a response (RFC 9112 §4).
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    /// Status code, any three digits: 0 to 999.
    pub status: u16,
    /// Major and minor version.
    pub version: (u8, u8),
    /// The reason phrase as written, possibly empty.
    pub reason: &'a [u8],
    /// The fields.
    pub fields: Fields<'a>,
    /// True if the connection may be used again (RFC 9112 §9.3), as far as this head tells.
    pub keep_alive: bool,
    /// How the body ends. With `switch`, what counts if the switch is declined.
    pub body: BodyFraming,
    /// Content-Length or Transfer-Encoding is present.
    pub framed: bool,
    /// A 101 that names its protocol, or an answer to CONNECT: the connection is held.
    pub switch: bool,
    /// 1xx other than 101: the final response is still to come (RFC 9110 §15.2).
    pub informational: bool,
    /// There is something to [`take_noted`](crate::Connection::take_noted).
    pub noted: bool,
}
