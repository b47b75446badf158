//! What can go wrong, and whose fault it is.

use std::fmt;

use crate::hardening::Row;

/// The side that broke the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// This side: a command that is not possible.
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
    /// What was refused although Node lets it through, or answers it otherwise
    /// ([`Hardening::Strict`](crate::Hardening::Strict)).
    pub row: Option<Row>,
}

impl Error {
    /// The number by which JavaScript knows it: that of the kind, or, beyond all kinds, that of the row.
    #[must_use]
    pub fn number(&self) -> u8 {
        const KINDS: u8 = ErrorKind::ALL.len() as u8;
        self.row
            .map_or_else(|| self.kind.number(), |row| KINDS + row.number())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.row.map_or_else(|| self.kind.code(), Row::name);
        write!(f, "{name} at byte {}", self.offset)
    }
}

impl std::error::Error for Error {}

/// Declares the kinds once: the variant, Node's code, Node's reason.
macro_rules! kinds {
    ($($variant:ident $code:literal $reason:literal)*) => {
        /// What was wrong: one variant for each pair of code and reason Node knows. Its number is
        /// its place in `PARSE_ERRORS`, which the addon exports.
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

            /// Index into `PARSE_ERRORS`, which the addon exports.
            #[must_use]
            pub fn number(self) -> u8 {
                self as u8
            }
        }
    };
}

kinds! {
    ChunkExtensionsOverflow "HPE_CHUNK_EXTENSIONS_OVERFLOW" "Chunk extensions overflow"
    ClosedConnection "HPE_CLOSED_CONNECTION" "Data after `Connection: close`"
    ExpectedCrAfterChunkData "HPE_CR_EXPECTED" "Missing expected CR after chunk data"
    ExpectedCrAfterChunkExtensionName "HPE_CR_EXPECTED" "Missing expected CR after chunk extension name"
    ExpectedCrAfterChunkExtensionValue "HPE_CR_EXPECTED" "Missing expected CR after chunk extension value"
    ExpectedCrAfterChunkSize "HPE_CR_EXPECTED" "Missing expected CR after chunk size"
    ExpectedCrAfterHeaderValue "HPE_CR_EXPECTED" "Missing expected CR after header value"
    ExpectedCrAfterResponseLine "HPE_CR_EXPECTED" "Missing expected CR after response line"
    ExpectedLfAfterHeaderValue "HPE_LF_EXPECTED" "Missing expected LF after header value"
    HeaderOverflow "HPE_HEADER_OVERFLOW" "Header overflow"
    ChunkSizeOverflow "HPE_INVALID_CHUNK_SIZE" "Chunk size overflow"
    InvalidChunkSize "HPE_INVALID_CHUNK_SIZE" "Invalid character in chunk size"
    ExpectedProtocol "HPE_INVALID_CONSTANT" "Expected HTTP/, RTSP/ or ICE/"
    ExpectedSourceForIce "HPE_INVALID_CONSTANT" "Expected SOURCE method for ICE/x.x request"
    InvalidMethodForHttp "HPE_INVALID_CONSTANT" "Invalid method for HTTP/x.x request"
    InvalidMethodForRtsp "HPE_INVALID_CONSTANT" "Invalid method for RTSP/x.x request"
    ContentLengthOverflow "HPE_INVALID_CONTENT_LENGTH" "Content-Length overflow"
    ContentLengthWithTransferEncoding "HPE_INVALID_CONTENT_LENGTH" "Content-Length can't be present with Transfer-Encoding"
    EmptyContentLength "HPE_INVALID_CONTENT_LENGTH" "Empty Content-Length"
    InvalidContentLength "HPE_INVALID_CONTENT_LENGTH" "Invalid character in Content-Length"
    InvalidEofState "HPE_INVALID_EOF_STATE" "Invalid EOF state"
    InvalidHeaderField "HPE_INVALID_HEADER_TOKEN" "Invalid header field char"
    InvalidHeaderToken "HPE_INVALID_HEADER_TOKEN" "Invalid header token"
    InvalidHeaderValue "HPE_INVALID_HEADER_TOKEN" "Invalid header value char"
    UnexpectedFold "HPE_INVALID_HEADER_TOKEN" "Unexpected whitespace after header value"
    ExpectedSpaceAfterMethod "HPE_INVALID_METHOD" "Expected space after method"
    InvalidMethod "HPE_INVALID_METHOD" "Invalid method encountered"
    InvalidResponseStatus "HPE_INVALID_STATUS" "Invalid response status"
    InvalidStatusCode "HPE_INVALID_STATUS" "Invalid status code"
    EmptyTransferEncoding "HPE_INVALID_TRANSFER_ENCODING" "Empty Transfer-Encoding"
    InvalidTransferEncoding "HPE_INVALID_TRANSFER_ENCODING" "Request has invalid `Transfer-Encoding`"
    InvalidTransferEncodingValue "HPE_INVALID_TRANSFER_ENCODING" "Invalid `Transfer-Encoding` header value"
    TransferEncodingWithContentLength "HPE_INVALID_TRANSFER_ENCODING" "Transfer-Encoding can't be present with Content-Length"
    DoubleAtInUrl "HPE_INVALID_URL" "Double @ in url"
    ExpectedCrlfAfterUrl "HPE_INVALID_URL" "Expected CRLF"
    InvalidUrl "HPE_INVALID_URL" "Invalid characters in url"
    InvalidUrlFragment "HPE_INVALID_URL" "Invalid char in url fragment start"
    InvalidUrlPath "HPE_INVALID_URL" "Invalid char in url path"
    InvalidUrlQuery "HPE_INVALID_URL" "Invalid char in url query"
    InvalidUrlSchema "HPE_INVALID_URL" "Unexpected char in url schema"
    InvalidUrlServer "HPE_INVALID_URL" "Unexpected char in url server"
    InvalidUrlStart "HPE_INVALID_URL" "Unexpected start char in url"
    ExpectedCrlfAfterVersion "HPE_INVALID_VERSION" "Expected CRLF after version"
    ExpectedDot "HPE_INVALID_VERSION" "Expected dot"
    ExpectedPreface "HPE_INVALID_VERSION" "Expected HTTP/2 Connection Preface"
    ExpectedSpaceAfterVersion "HPE_INVALID_VERSION" "Expected space after version"
    InvalidMajorVersion "HPE_INVALID_VERSION" "Invalid major version"
    InvalidMinorVersion "HPE_INVALID_VERSION" "Invalid minor version"
    InvalidVersion "HPE_INVALID_VERSION" "Invalid HTTP version"
    PausedH2Upgrade "HPE_PAUSED_H2_UPGRADE" "Pause on PRI/Upgrade"
    ExpectedLfAfterChunkData "HPE_STRICT" "Expected LF after chunk data"
    ExpectedLfAfterChunkSize "HPE_STRICT" "Expected LF after chunk size"
    ExpectedLfAfterCr "HPE_STRICT" "Expected LF after CR"
    ExpectedLfAfterHeaders "HPE_STRICT" "Expected LF after headers"
    ExpectedLfAfterVersion "HPE_STRICT" "Expected CRLF after version"
    InvalidChunkExtension "HPE_STRICT" "Invalid character in chunk extensions"
    InvalidChunkExtensionName "HPE_STRICT" "Invalid character in chunk extensions name"
    InvalidChunkExtensionQuote "HPE_STRICT" "Invalid character in chunk extensions quote value"
    InvalidChunkExtensionQuoted "HPE_STRICT" "Invalid character in chunk extensions quoted value"
    InvalidChunkExtensionQuotedPair "HPE_STRICT" "Invalid quoted-pair in chunk extensions quoted value"
    InvalidChunkExtensionValue "HPE_STRICT" "Invalid character in chunk extensions value"
    DuplicateContentLength "HPE_UNEXPECTED_CONTENT_LENGTH" "Duplicate Content-Length"
    UnexpectedSpace "HPE_UNEXPECTED_SPACE" "Unexpected space after start line"
    Forbidden "HPE_HARDENING" "Forbidden by an RFC"
    UnsolicitedResponse "HPE_CLOSED_CONNECTION" "Response without a request"
}

/// Where and why it ended badly: the offset is into the input of the call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fail {
    pub(crate) kind: ErrorKind,
    pub(crate) at: usize,
    /// The row that it is in, if it is in one.
    pub(crate) row: Option<Row>,
}

/// Shorthand for an error.
#[inline]
pub(crate) fn fail<T>(kind: ErrorKind, at: usize) -> Result<T, Fail> {
    Err(Fail {
        kind,
        at,
        row: None,
    })
}

/// Shorthand for an error that the RFCs have otherwise: without hardening it is one of this kind.
pub(crate) fn fail_as<T>(kind: ErrorKind, row: Row, at: usize) -> Result<T, Fail> {
    Err(Fail {
        kind,
        at,
        row: Some(row),
    })
}

/// A command that is not possible. Nothing was written and nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The rendered block has a CR or LF that is no line end, or another number of lines than
    /// its renderer says, or an empty line in the wrong place: an attempt to split the message.
    BadBlock,
    /// Not now: the body of the message before is still open, or there is no message to end.
    OutOfOrder,
    /// Not any more: the last message has been sent, or the bytes are another protocol's.
    Over,
    /// Client: more requests without an answer than can be remembered (32).
    TooManyOutstanding,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadBlock => "the rendered block is not what it claims to be",
            Self::OutOfOrder => "not possible at this point of the exchange",
            Self::Over => "the last message has been sent",
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
