//! What core lets through although the RFCs forbid it, row by row, and what becomes of it.
//!
//! A row is found where the bytes are read: in the start line's machine, in the chunked decoder, or in a head that is whole
//! (`forbidden.rs`). `Config::hardening` decides: nothing ([`Hardening::Off`]), an error ([`Hardening::Strict`]), or a note
//! ([`Hardening::Audit`]). Rows that only JavaScript can find are named here all the same, so that there is one list.

/// What becomes of what the RFCs forbid and core lets through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Hardening {
    /// It is let through, as in core.
    #[default]
    Off,
    /// It is an error.
    Strict,
    /// It is let through, and noted: see [`Connection::take_noted`](crate::Connection::take_noted).
    Audit,
}

/// Declares the rows once: variant, name, status code of the answer, section, reason.
macro_rules! rows {
    ($($variant:ident $name:literal $status:literal $section:literal $reason:literal)*) => {
        /// One thing that core lets through although an RFC forbids it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Row {
            $(#[doc = concat!("`", $name, "`, ", $section, ": ", $reason)] $variant,)*
        }

        impl Row {
            /// All rows; a row's number is its index here.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name by which applications know it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The status code of the answer to a request; 0 where there is none: it is read otherwise, or a client's.
            #[must_use]
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// The RFC and its section.
            #[must_use]
            pub fn section(self) -> &'static str {
                match self { $(Self::$variant => $section,)* }
            }

            /// What is wrong, in words.
            #[must_use]
            pub fn reason(self) -> &'static str {
                match self { $(Self::$variant => $reason,)* }
            }
        }
    };
}

rows! {
    EmptyLines "empty-lines" 400 "RFC 9112 2.2" "Too many empty lines before a message"
    BareLineEnd "bare-line-end" 400 "RFC 9112 2.2" "CR or LF alone before a message"
    RequestLineSpaces "request-line-spaces" 400 "RFC 9112 3" "More than one space in the request line"
    MethodUnknown "method-unknown" 501 "RFC 9110 9.1" "Unknown method"
    TargetTooLong "target-too-long" 414 "RFC 9112 3" "Request target too long"
    TargetFragment "target-fragment" 400 "RFC 9112 3.2" "Fragment in the request target"
    TargetByte "target-byte" 400 "RFC 9112 3.2" "Character in the request target that no URI has"
    TargetAsterisk "target-asterisk" 400 "RFC 9112 3.2.4" "Asterisk as target of another method than OPTIONS"
    VersionMissing "version-missing" 400 "RFC 9112 3" "Request line without version"
    VersionOther "version-other" 505 "RFC 9110 15.6.6" "Neither HTTP/1.0 nor HTTP/1.1"
    ProtocolOther "protocol-other" 400 "RFC 9112 2.3" "Another protocol than HTTP"
    HostRepeated "host-repeated" 400 "RFC 9112 3.2" "More than one Host"
    HostInvalid "host-invalid" 400 "RFC 9112 3.2" "Invalid Host"
    FieldSpaces "field-spaces" 431 "RFC 6585 5" "Too much white space before field values"
    FieldCount "field-count" 431 "RFC 6585 5" "Too many fields"
    ExpectInexact "expect-inexact" 417 "RFC 9110 10.1.1" "Expectation that only resembles 100-continue"
    ProxyConnection "proxy-connection" 0 "RFC 9110 7.6.1" "Proxy-Connection in the place of Connection"
    CodingUnknown "coding-unknown" 501 "RFC 9112 6.1" "Transfer coding besides chunked"
    CodingNotChunked "coding-not-chunked" 400 "RFC 9112 6.3" "Transfer-Encoding that does not end in chunked"
    CodingIn10 "coding-in-1.0" 400 "RFC 9112 6.1" "Transfer-Encoding in HTTP/1.0"
    LengthHuge "length-huge" 413 "RFC 9110 8.6" "Content-Length of 2^53 or more"
    TraceBody "trace-body" 400 "RFC 9110 9.3.8" "TRACE with a body"
    ChunkHuge "chunk-huge" 413 "RFC 9112 7.1" "Chunk of 2^53 bytes or more"
    ChunkSizeDigits "chunk-size-digits" 400 "RFC 9112 7.1" "Chunk size of more than 16 digits"
    ChunkExtensionEmpty "chunk-extension-empty" 400 "RFC 9112 7.1.1" "Chunk extension without name or value"
    ChunkExtensions "chunk-extensions" 413 "RFC 9112 7.1.1" "More chunk extensions than data"
    TrailerField "trailer-field" 400 "RFC 9110 6.5.1" "Field in the trailers that only a head may have"
    AfterClose "after-close" 0 "RFC 9112 9.6" "Bytes behind the last message"
    AnswerReplaced "answer-replaced" 0 "RFC 9112 9.3.2" "Earlier requests without an answer before an error"
    MaxRequests "max-requests" 0 "RFC 9112 9.6" "A connection that is kept behind an answer that says close"
    ConnectUnheard "connect-unheard" 501 "RFC 9110 9.3.6" "CONNECT that nothing listens for"
    ReasonControl "reason-control" 0 "RFC 9112 4" "Control character in the reason phrase"
    StatusRange "status-range" 0 "RFC 9110 15" "Status code outside 100 to 599"
    BodyUnframed "body-unframed" 0 "RFC 9112 6.3" "Body without an end on a connection that is to be kept"
    InterimFlood "interim-flood" 0 "RFC 9110 15.2" "Too many interim responses"
    SwitchUnnamed "switch-unnamed" 0 "RFC 9110 15.2.2" "101 that names no protocol"
    SwitchUnasked "switch-unasked" 0 "RFC 9110 7.8" "Switch of protocols that was not asked for"
    Unasked "unasked" 0 "RFC 9112 9.2" "Bytes without a request"
    OwnBodyUnframed "own-body-unframed" 0 "RFC 9112 6.3" "Request with a body and no framing"
    OwnFraming "own-framing" 0 "RFC 9112 6.2" "Content-Length twice, or with Transfer-Encoding"
    OwnTargetByte "own-target-byte" 0 "RFC 9112 3.2" "Byte beyond ASCII in the path"
}

impl Row {
    /// Index into `HARDENING_ROWS`, which the addon exports.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// True if [`Hardening::Strict`] makes no error of it, but reads it otherwise.
    pub(crate) fn is_overlooked(self) -> bool {
        matches!(self, Self::ProxyConnection | Self::AfterClose)
    }
}

/// A set of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rows(u64);

// Each row has a bit.
const _: () = assert!(Row::ALL.len() <= 64);

impl Rows {
    pub(crate) fn add(&mut self, row: Row) {
        self.0 |= 1 << row.number();
    }

    pub(crate) fn add_if(&mut self, condition: bool, row: Row) {
        if condition {
            self.add(row);
        }
    }

    pub(crate) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn contains(self, row: Row) -> bool {
        self.0 >> row.number() & 1 != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Row> {
        let rows = Row::ALL.iter().copied();
        rows.filter(move |row| self.contains(*row))
    }
}

/// A set of the rows that the chunked coding has: one byte of each body.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ChunkRows(u8);

// They stand together.
const _: () = assert!(Row::ChunkExtensions as u8 - Row::ChunkHuge as u8 == 3);

impl ChunkRows {
    pub(crate) fn add(&mut self, row: Row) {
        self.0 |= 1 << (row.number() - Row::ChunkHuge.number());
    }
}

impl ChunkRows {
    pub(crate) fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }
}

impl From<ChunkRows> for Rows {
    fn from(rows: ChunkRows) -> Self {
        Self(u64::from(rows.0) << Row::ChunkHuge.number())
    }
}

/// CR and LF before a message: empty lines, of which a peer may have sent some (RFC 9112 §2.2).
const MAX_GAP: u32 = 2 * 8;

/// From here on JavaScript does not count exactly, and a program that counts in signed numbers may wrap (CVE-2013-2028).
pub(crate) const HUGE: u64 = 1 << 53;

/// Digits that a chunk size of 64 bits has at most.
pub(crate) const MAX_SIZE_DIGITS: u8 = 16;

/// Bytes of chunk extensions that a message may have besides as many as its data (compare CVE-2023-39326).
pub(crate) const FREE_EXTENSIONS: i64 = 16 * 1024;

/// Interim responses before a final one.
pub(crate) const MAX_INTERIM: u32 = 32;

/// The CR and LF between two messages, as far as they have come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gap {
    len: u32,
    is_bare: bool,
}

impl Gap {
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.is_bare {
                // What comes behind must not hide it: a cut before that would have had it told.
                return;
            }
            let expected = if self.len & 1 == 0 { b'\r' } else { b'\n' };
            self.is_bare = *byte != expected;
            self.len = self.len.saturating_add(1);
        }
    }

    /// What is wrong with it; `ends` tells that a message has begun behind it.
    pub(crate) fn rows(self, ends: bool) -> Rows {
        let mut rows = Rows::default();
        rows.add_if(
            self.is_bare || (ends && self.len & 1 != 0),
            Row::BareLineEnd,
        );
        rows.add_if(self.len > MAX_GAP, Row::EmptyLines);
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_places_and_names_are_unique() {
        for (place, row) in Row::ALL.iter().enumerate() {
            assert_eq!(usize::from(row.number()), place);
            let same = Row::ALL.iter().filter(|other| other.name() == row.name());
            assert_eq!(same.count(), 1, "{}", row.name());
        }
    }

    #[test]
    fn gaps() {
        let rows = |bytes: &[u8], ends: bool| {
            let mut gap = Gap::default();
            gap.take(bytes);
            gap.rows(ends).iter().collect::<Vec<_>>()
        };
        assert_eq!(rows(b"", true), []);
        assert_eq!(rows(b"\r\n\r\n", true), []);
        assert_eq!(rows(b"\r\n\r", false), []);
        assert_eq!(rows(b"\r\n\r", true), [Row::BareLineEnd]);
        assert_eq!(rows(b"\n", false), [Row::BareLineEnd]);
        assert_eq!(rows(&b"\r\n".repeat(8), true), []);
        assert_eq!(rows(&b"\r\n".repeat(9), true), [Row::EmptyLines]);
        // Which of two is told first is the first that came.
        assert_eq!(rows(&b"\n".repeat(20), true), [Row::BareLineEnd]);
        let lines_first = [&b"\r\n".repeat(9)[..], b"\n"].concat();
        let both = [Row::EmptyLines, Row::BareLineEnd];
        assert_eq!(rows(&lines_first, true), both);
    }
}
