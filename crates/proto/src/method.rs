//! The request methods a server understands, by number.
//!
//! Node: the list is fixed and upper case; any other token is refused (RFC 9110 §9.1 would have
//! it answered with 501). The numbers are those Node's own parser uses, so that `http.METHODS`
//! and internal tables of the host can be indexed with them.

use std::fmt;

/// All methods; a [`Method`]'s number is its index here.
pub const METHODS: [&str; 47] = [
    "DELETE",
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "CONNECT",
    "OPTIONS",
    "TRACE",
    "COPY",
    "LOCK",
    "MKCOL",
    "MOVE",
    "PROPFIND",
    "PROPPATCH",
    "SEARCH",
    "UNLOCK",
    "BIND",
    "REBIND",
    "UNBIND",
    "ACL",
    "REPORT",
    "MKACTIVITY",
    "CHECKOUT",
    "MERGE",
    "M-SEARCH",
    "NOTIFY",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "PATCH",
    "PURGE",
    "MKCALENDAR",
    "LINK",
    "UNLINK",
    "SOURCE",
    "PRI",
    "DESCRIBE",
    "ANNOUNCE",
    "SETUP",
    "PLAY",
    "PAUSE",
    "TEARDOWN",
    "GET_PARAMETER",
    "SET_PARAMETER",
    "REDIRECT",
    "RECORD",
    "FLUSH",
    "QUERY",
];

/// A request method (RFC 9110 §9), as an index into [`METHODS`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Method(u8);

impl Method {
    /// `CONNECT` (RFC 9110 §9.3.6): asks for a tunnel.
    pub const CONNECT: Self = Self(5);
    /// `GET` (RFC 9110 §9.3.1).
    pub const GET: Self = Self(1);
    /// `HEAD` (RFC 9110 §9.3.2): the answer has no body.
    pub const HEAD: Self = Self(2);
    /// `OPTIONS` (RFC 9110 §9.3.7).
    pub const OPTIONS: Self = Self(6);
    /// `POST` (RFC 9110 §9.3.3).
    pub const POST: Self = Self(3);
    /// `PRI`: only ever seen in the HTTP/2 preface (RFC 9113 §3.4), which is refused.
    pub const PRI: Self = Self(34);
    /// `SOURCE`: the one method Icecast's `ICE/` protocol knows.
    pub const SOURCE: Self = Self(33);

    /// The method with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        (usize::from(number) < METHODS.len()).then_some(Self(number))
    }

    /// Index into [`METHODS`].
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }

    /// The name as it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        METHODS[usize::from(self.0)]
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
