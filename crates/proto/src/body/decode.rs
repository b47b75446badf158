//! The chunked coding, as it comes in (RFC 9112 §7.1), up to the trailers.
//!
//! ```text
//!    ┌────────────────────────────────────────────────────────────────┐
//!  First ─ Digits ─┬──────────────────────────┬─ SizeLf ─ Data ─ DataCr ─ DataLf
//!                  └─ Extension ─ Name ─ Value ┘    └─ (size 0) the trailers begin
//!                           └───── Quoted … ───┘
//! ```
//!
//! Sizes are 64 bits wide. Extensions are checked and forgotten; they may have 16 KiB per chunk.

use crate::config::{Leniency, Rules};
use crate::error::{ErrorKind, Fail, fail, fail_as};
use crate::hardening::{ChunkRows, FREE_EXTENSIONS, HUGE, MAX_SIZE_DIGITS, Row, Rows};
use crate::token::{is_token, is_value};

/// Bytes of extension names and values a chunk may have.
///
/// Node: per chunk, not per message; separators do not count.
const MAX_EXTENSIONS: usize = 16 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    First,
    Digits,
    /// Leniently: spaces behind the size.
    Spaces,
    /// Behind a semicolon.
    Extension,
    ExtensionName,
    ExtensionValue,
    Quoted,
    QuotedPair,
    QuotedEnd,
    SizeLf,
    SizeEnd,
    Data,
    DataCr,
    DataLf,
}

/// Where in a chunked body the next byte stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoder {
    state: State,
    /// Bytes of the chunk still to come.
    size: u64,
    /// Bytes of extensions seen in this chunk.
    extensions: u32,
    /// Those of them not yet counted.
    pending: u32,
    /// No byte of the extension's value has come.
    is_empty: bool,
    /// Zeros before the size, but for the first, as far as they are counted.
    zeros: u8,
    /// What was found on the way that the RFCs forbid.
    rows: ChunkRows,
    /// Those of them that were given: each once, however many packets the body comes in.
    given: ChunkRows,
    /// Bytes of extensions in all chunks, less the bytes of data.
    excess: i64,
}

/// What the decoder found.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found {
    /// The input ended first.
    NeedData,
    /// Data of a chunk: so many bytes.
    Data(usize),
    /// The last chunk's size line has ended.
    Trailers,
}

impl Decoder {
    /// Before the first chunk.
    pub(crate) fn new() -> Self {
        Self {
            state: State::First,
            size: 0,
            extensions: 0,
            pending: 0,
            is_empty: false,
            zeros: 0,
            rows: ChunkRows::default(),
            given: ChunkRows::default(),
            excess: 0,
        }
    }

    /// Gives what was found that the RFCs forbid, once.
    pub(crate) fn take_rows(&mut self) -> Rows {
        let fresh = self.rows.without(self.given);
        self.given = self.rows;
        fresh.into()
    }

    /// A row was met.
    #[cold]
    fn meet(&mut self, row: Row, at: usize, rules: &Rules) -> Result<(), Fail> {
        if rules.is_strict() {
            return fail_as(ErrorKind::Forbidden, row, at);
        }
        self.rows.add(row);
        Ok(())
    }

    /// Moves `at` forward to behind what it finds.
    pub(crate) fn next(
        &mut self,
        input: &[u8],
        at: &mut usize,
        rules: &Rules,
    ) -> Result<Found, Fail> {
        loop {
            let rest = &input[*at..];
            let Some(&byte) = rest.first() else {
                self.count(*at, rules)?;
                return Ok(Found::NeedData);
            };
            match self.state {
                State::Data => {
                    let len = usize::try_from(self.size).map_or(rest.len(), |n| n.min(rest.len()));
                    self.size -= len as u64;
                    self.excess -= len as i64;
                    *at += len;
                    if self.size == 0 {
                        self.state = State::DataCr;
                    }
                    return Ok(Found::Data(len));
                }
                State::First | State::Digits | State::Spaces => self.size(byte, at, rules)?,
                State::SizeLf => {
                    if byte == b'\n' {
                        *at += 1;
                    } else if !rules.lenient(Leniency::OPTIONAL_LF_AFTER_CR) {
                        return fail(ErrorKind::ExpectedLfAfterChunkSize, *at);
                    }
                    self.state = State::SizeEnd;
                }
                State::SizeEnd if self.size == 0 => return Ok(Found::Trailers),
                State::SizeEnd => self.state = State::Data,
                State::DataCr | State::DataLf => self.data_end(byte, at, rules)?,
                _ => self.extension(byte, at, rules)?,
            }
        }
    }

    fn size(&mut self, byte: u8, at: &mut usize, rules: &Rules) -> Result<(), Fail> {
        let digit = match (self.state, (byte as char).to_digit(16)) {
            (State::Spaces, _) => None,
            (_, digit) => digit,
        };
        match (digit, byte) {
            (Some(digit), _) => {
                if self.size >= HUGE >> 4 {
                    self.grow_huge(*at + 1, rules)?;
                } else if self.size == 0 && self.state == State::Digits {
                    self.skip_zero(*at + 1, rules)?;
                }
                self.size = self.size << 4 | u64::from(digit);
                self.state = State::Digits;
            }
            _ if self.state == State::First => return fail(ErrorKind::InvalidChunkSize, *at),
            (_, b'\r') => self.state = State::SizeLf,
            // Node: leniently, an LF here stands for the CR, and its own LF must follow.
            (_, b'\n') if rules.lenient(Leniency::OPTIONAL_CR_BEFORE_LF) => {
                self.state = State::SizeLf;
            }
            (_, b'\n') => return fail(ErrorKind::ExpectedCrAfterChunkSize, *at + 1),
            (_, b';') => self.state = State::Extension,
            (_, b' ' | b'\t') if rules.lenient(Leniency::SPACES_AFTER_CHUNK_SIZE) => {
                self.state = State::Spaces;
            }
            (_, b' ' | b'\t') => return fail(ErrorKind::InvalidChunkSize, *at + 1),
            _ => return fail(ErrorKind::InvalidChunkSize, *at),
        }
        *at += 1;
        Ok(())
    }

    /// One more digit makes the chunk 2^53 bytes or more.
    #[cold]
    fn grow_huge(&mut self, at: usize, rules: &Rules) -> Result<(), Fail> {
        if self.size >> 60 != 0 {
            return fail(ErrorKind::ChunkSizeOverflow, at);
        }
        self.meet(Row::ChunkHuge, at, rules)
    }

    /// One more digit, behind zeros. Node: there may be any number.
    #[cold]
    fn skip_zero(&mut self, at: usize, rules: &Rules) -> Result<(), Fail> {
        self.zeros = self.zeros.saturating_add(1);
        if self.zeros == MAX_SIZE_DIGITS {
            return self.meet(Row::ChunkSizeDigits, at, rules);
        }
        Ok(())
    }

    /// RFC 9112 §7.1.1. Node: names and values may be empty, white space is refused.
    fn extension(&mut self, byte: u8, at: &mut usize, rules: &Rules) -> Result<(), Fail> {
        let is_line_end = byte == b'\n';
        if is_line_end && !matches!(self.state, State::Quoted | State::QuotedPair) {
            let kind = match self.state {
                State::Extension | State::ExtensionName => {
                    ErrorKind::ExpectedCrAfterChunkExtensionName
                }
                _ => ErrorKind::ExpectedCrAfterChunkExtensionValue,
            };
            self.count(*at, rules)?;
            if !rules.lenient(Leniency::OPTIONAL_CR_BEFORE_LF) {
                return fail(kind, *at);
            }
            self.state = State::SizeEnd;
            *at += 1;
            return Ok(());
        }
        let is_empty = match self.state {
            State::Extension => matches!(byte, b'=' | b';'),
            State::ExtensionValue => self.is_empty && matches!(byte, b';' | b'\r'),
            _ => false,
        };
        if is_empty {
            self.meet(Row::ChunkExtensionEmpty, *at + 1, rules)?;
        }
        self.is_empty = byte == b'=';
        match (self.state, byte) {
            (State::Extension, b'\r' | b' ') => {
                return fail(ErrorKind::InvalidChunkExtension, *at + 1);
            }
            (State::Extension | State::ExtensionName, b'=') => {
                self.count(*at + 1, rules)?;
                self.state = State::ExtensionValue;
            }
            (State::Extension | State::ExtensionName | State::ExtensionValue, b';') => {
                self.count(*at + 1, rules)?;
                self.state = State::Extension;
            }
            (State::ExtensionName | State::ExtensionValue, b'\r') => {
                self.count(*at + 1, rules)?;
                self.state = State::SizeLf;
            }
            (State::Extension | State::ExtensionName, _) => {
                if !is_token(byte) {
                    self.count(*at + 1, rules)?;
                    return fail(ErrorKind::InvalidChunkExtensionName, *at + 1);
                }
                self.pending += 1;
                self.state = State::ExtensionName;
            }
            (State::ExtensionValue, b'"') => {
                self.pending += 1;
                self.state = State::Quoted;
            }
            (State::ExtensionValue, _) => {
                if !is_token(byte) {
                    self.count(*at + 1, rules)?;
                    return fail(ErrorKind::InvalidChunkExtensionValue, *at + 1);
                }
                self.pending += 1;
            }
            (State::Quoted, b'"') => {
                self.pending += 1;
                self.count(*at + 1, rules)?;
                self.state = State::QuotedEnd;
            }
            (State::Quoted, b'\\') => {
                self.pending += 1;
                self.state = State::QuotedPair;
            }
            (State::Quoted | State::QuotedPair, _) => {
                if !is_value(byte) {
                    self.count(*at + 1, rules)?;
                    let kind = if self.state == State::Quoted {
                        ErrorKind::InvalidChunkExtensionQuoted
                    } else {
                        ErrorKind::InvalidChunkExtensionQuotedPair
                    };
                    return fail(kind, *at + 1);
                }
                self.pending += 1;
                self.state = State::Quoted;
            }
            // QuotedEnd
            (_, b';') => self.state = State::Extension,
            (_, b'\r') => self.state = State::SizeLf,
            _ => return fail(ErrorKind::InvalidChunkExtensionQuote, *at),
        }
        *at += 1;
        Ok(())
    }

    fn data_end(&mut self, byte: u8, at: &mut usize, rules: &Rules) -> Result<(), Fail> {
        match (self.state, byte) {
            (State::DataCr, b'\r') => {
                self.state = State::DataLf;
                *at += 1;
                return Ok(());
            }
            (State::DataLf, b'\n') => *at += 1,
            (State::DataCr, b'\n') if rules.lenient(Leniency::OPTIONAL_CR_BEFORE_LF) => *at += 1,
            (State::DataCr, b'\n') => return fail(ErrorKind::ExpectedCrAfterChunkData, *at + 1),
            _ if rules.lenient(Leniency::OPTIONAL_CRLF_AFTER_CHUNK) => {}
            _ => return fail(ErrorKind::ExpectedLfAfterChunkData, *at),
        }
        *self = Self {
            excess: self.excess,
            rows: self.rows,
            given: self.given,
            ..Self::new()
        };
        Ok(())
    }

    /// Counts extension bytes. `at` is where an overflow is found.
    fn count(&mut self, at: usize, rules: &Rules) -> Result<(), Fail> {
        self.extensions += self.pending;
        self.excess += i64::from(self.pending);
        self.pending = 0;
        if self.extensions as usize > MAX_EXTENSIONS {
            return fail(ErrorKind::ChunkExtensionsOverflow, at);
        }
        if self.excess > FREE_EXTENSIONS {
            self.meet(Row::ChunkExtensions, at, rules)?;
        }
        Ok(())
    }
}
