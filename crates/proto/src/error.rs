//! What can go wrong, and whose fault it is.

use std::fmt;

/// Who broke the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// This side: a command that cannot be carried out.
    Local,
    /// The peer: its bytes are not HTTP.
    Remote,
}

/// The peer's bytes are not HTTP. The connection reads no more: every further call gives the
/// same kind again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// Whose fault. What is read is always the peer's.
    pub side: Side,
    /// What was wrong.
    pub kind: ErrorKind,
    /// Node's `bytesParsed`: where parsing stopped, in bytes from the start of the packet. A packet
    /// starts at [`begin_packet`](crate::Connection::begin_packet) and after each
    /// [`NeedData`](crate::Event::NeedData).
    pub offset: usize,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind.code(), self.offset)
    }
}

impl std::error::Error for Error {}

/// Declares the kinds once: the variant, Node's code, Node's reason.
macro_rules! kinds {
    ($($variant:ident $code:literal $reason:literal)*) => {
        /// What was wrong: one variant for each pair of code and reason Node knows. Its number is
        /// its place in `lib/parse-errors.js`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum ErrorKind {
            $(#[doc = concat!("`", $code, "`: ", $reason)] $variant,)*
        }

        impl ErrorKind {
            /// All kinds; a kind's number is its index here.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Node's `err.code`.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// Node's `err.reason`.
            #[must_use]
            pub fn reason(self) -> &'static str {
                match self { $(Self::$variant => $reason,)* }
            }

            /// Index into `lib/parse-errors.js`.
            #[must_use]
            pub fn number(self) -> u8 {
                self as u8
            }
        }
    };
}

kinds! {
    ClosedConnection "HPE_CLOSED_CONNECTION" "Data after `Connection: close`"
    ChunkExtensionsOverflow "HPE_CHUNK_EXTENSIONS_OVERFLOW" "Chunk extensions overflow"
    HeaderOverflow "HPE_HEADER_OVERFLOW" "Header overflow"
    InvalidEofState "HPE_INVALID_EOF_STATE" "Invalid EOF state"
    InvalidMethod "HPE_INVALID_METHOD" "Invalid method encountered"
    InvalidTransferEncoding "HPE_INVALID_TRANSFER_ENCODING" "Request has invalid `Transfer-Encoding`"
    PausedH2Upgrade "HPE_PAUSED_H2_UPGRADE" "Pause on PRI/Upgrade"
}

/// A command that cannot be carried out. Nothing was written and nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The rendered block holds a CR or LF that is no line end, or another number of lines than
    /// its renderer says, or an empty line in the wrong place: somebody tried to split the message.
    BadBlock,
    /// Not now: the body of the message before is still open, or the connection has been detached.
    OutOfOrder,
    /// Client: more requests without an answer than can be remembered (32).
    TooManyOutstanding,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadBlock => "the rendered block is not what it claims to be",
            Self::OutOfOrder => "not possible at this point of the exchange",
            Self::TooManyOutstanding => "too many requests outstanding",
        })
    }
}

impl std::error::Error for SendError {}

/// Why a connection cannot serve another exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// What the peer sent is not HTTP.
    Failed,
    /// This side said it was the last message ([`send_end`](crate::Connection::send_end)).
    Last,
    /// The peer has closed its sending side.
    PeerClosed,
    /// Client: the response forbids reuse (RFC 9112 §9.3).
    PeerRefused,
    /// The bytes are no longer HTTP: a switch was accepted.
    Switched,
    /// A body was, or is, delimited by the close of the connection.
    UntilClose,
}
