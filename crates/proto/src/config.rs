//! What a connection goes by: its side, its limits and its leniencies.

use std::ops::{BitOr, BitOrAssign};

use crate::hardening::Hardening;

/// Which side of the connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Receives requests, sends responses.
    Server,
    /// Sends requests, receives responses.
    Client,
}

/// Limits and leniencies of a connection. `Copy`, sixteen bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Bytes of request target (or reason phrase), field names and field values, trailing white
    /// space included, separators not, must stay *below* this: with 16384, 16383 pass. Trailers
    /// are counted afresh. Default 16384, Node's `--max-http-header-size`.
    pub max_header_size: u32,
    /// Fields in a head, and again in its trailers. 0 is unlimited. Default 1000, Node's
    /// `server.maxHeadersCount`.
    pub max_headers: u32,
    /// What happens to the fields beyond [`max_headers`](Self::max_headers).
    pub surplus: Surplus,
    /// The grammar as llhttp 9.3 reads it, which Node 20 and 25 have, instead of llhttp 9.4's: HTAB
    /// behind a Content-Length is an error, HTAB behind a word of Connection makes it another word,
    /// an empty Transfer-Encoding is none, and CR CR ends a status line.
    pub llhttp_93: bool,
    /// Departures from the grammar that are let through.
    pub leniency: Leniency,
    /// What becomes of what the RFCs forbid and Node lets through. Default [`Hardening::Off`].
    pub hardening: Hardening,
}

/// What becomes of fields beyond the limit.
///
/// Node gets fields in groups of [`GROUP`](Self::GROUP), and counts what it stores by those. A head
/// that is no larger than one group is stored whole in every version; what is beyond the limit
/// is missing in the folded headers only: see [`Fields::counted`](crate::Fields::counted).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Surplus {
    /// [`ErrorKind::HeaderOverflow`](crate::ErrorKind::HeaderOverflow). Node: servers since the
    /// security releases of July 2026.
    #[default]
    Refuse,
    /// Dropped, save in a head of one group. Node: clients, and servers of version 25.
    Drop,
    /// Groups that begin beyond the limit are dropped, and all that is stored of trailers counts. Node:
    /// version 20.
    DropGroups,
}

impl Surplus {
    /// Fields of a group.
    pub const GROUP: u32 = 31;
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_header_size: 16 * 1024,
            max_headers: 1000,
            surplus: Surplus::Refuse,
            llhttp_93: false,
            leniency: Leniency::NONE,
            hardening: Hardening::Off,
        }
    }
}

/// A set of named departures from the grammar of RFC 9112, numbered as Node numbers them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leniency(pub u16);

impl Leniency {
    /// Strict: the default.
    pub const NONE: Self = Self(0);
    /// Control characters in field values, and folded lines (RFC 9112 §5.2).
    pub const HEADERS: Self = Self(1);
    /// Content-Length together with Transfer-Encoding (RFC 9112 §6.3), and what
    /// [`TRANSFER_ENCODING`](Self::TRANSFER_ENCODING) allows at the end of a head.
    pub const CHUNKED_LENGTH: Self = Self(1 << 1);
    /// Another message may follow whatever the Connection field says.
    pub const KEEP_ALIVE: Self = Self(1 << 2);
    /// A Transfer-Encoding of a request that does not end in `chunked`.
    pub const TRANSFER_ENCODING: Self = Self(1 << 3);
    /// Any single digits as version.
    pub const VERSION: Self = Self(1 << 4);
    /// Bytes behind a message with `Connection: close` are overlooked.
    pub const DATA_AFTER_CLOSE: Self = Self(1 << 5);
    /// A line may end with CR alone.
    pub const OPTIONAL_LF_AFTER_CR: Self = Self(1 << 6);
    /// The data of a chunk need not be followed by CRLF.
    pub const OPTIONAL_CRLF_AFTER_CHUNK: Self = Self(1 << 7);
    /// A line may end with LF alone.
    pub const OPTIONAL_CR_BEFORE_LF: Self = Self(1 << 8);
    /// Spaces behind a chunk size.
    pub const SPACES_AFTER_CHUNK_SIZE: Self = Self(1 << 9);
    /// Control characters in field values, and nothing else of [`HEADERS`](Self::HEADERS).
    pub const HEADER_VALUE_RELAXED: Self = Self(1 << 10);

    /// True if every leniency of `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// True if this is the strict grammar.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Leniency {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Leniency {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// What a machine goes by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) role: Role,
    pub(crate) config: Config,
}

impl Rules {
    #[inline]
    pub(crate) fn lenient(&self, leniency: Leniency) -> bool {
        self.config.leniency.contains(leniency)
    }

    /// True if something is to be done about what the RFCs forbid and Node lets through.
    #[inline]
    pub(crate) fn is_hardened(&self) -> bool {
        self.config.hardening != Hardening::Off
    }

    /// True if that is refused.
    #[inline]
    pub(crate) fn is_strict(&self) -> bool {
        self.config.hardening == Hardening::Strict
    }
}
