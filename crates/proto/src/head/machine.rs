//! The reference machine: a head or the trailers, byte by byte.
//!
//! ```text
//! request   Start ─ Method ─ UrlStart ─ Url… ─ ProtocolFirst ─ Protocol ─ Major … VersionEnd ─┐
//!                                         └──────────── (no version: HTTP/0.9) ───────────────┤
//! response  Start ─ Protocol ─ Major … VersionEnd ─ Status ─ StatusEnd ─ Reason ──────────────┤
//! trailers  ───────────────────────────────────────────────────────────────────── FieldStart ─┤
//!                       ┌─────────────────────────────────────────────────────────────────────┘
//!                   FieldFirst ─ Name ─ ValueStart ─ Value ─ ValueLf ─ ValueFold ─ FieldStart …
//!                       └─ HeadersLf ─ Done
//! ```
//!
//! It stores what it gives (target or reason, then the fields in packed form) and nothing else, so
//! white space between fields costs no memory, and never looks at a byte twice.

use crate::config::{Config, Role, Rules, Surplus};
use crate::error::{ErrorKind, Fail, fail, fail_as};
use crate::hardening::{Row, Rows};
use crate::head::facts::{Facts, TRAILING};
use crate::headers::Fields;
use crate::token::{Matcher, trim_end};

/// Where in the head the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Start,
    Method,
    UrlStart,
    UrlSchema,
    UrlSlash,
    UrlSlashSlash,
    UrlServer,
    UrlServerAt,
    UrlPath,
    UrlQuery,
    UrlFragment,
    UrlLf,
    /// Behind the one space that ended the target.
    ProtocolFirst,
    ProtocolSpaces,
    Protocol,
    ProtocolSlash,
    Major,
    Dot,
    Minor,
    VersionEnd,
    VersionLf,
    Preface,
    Status,
    StatusEnd,
    Reason,
    ReasonLf,
    /// Before the first field of a head without version.
    FieldFirst09,
    FieldFirst,
    FieldStart,
    Name,
    /// Leniently: spaces behind a name that means something.
    NameSpaces,
    ValueStart,
    ValueStartLf,
    ValueStartFold,
    Value,
    LengthSpaces,
    ValueLf,
    ValueFold,
    HeadersLf,
    Done,
}

/// Fields whose value means something to the parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    None,
    Connection,
    ContentLength,
    TransferEncoding,
    Upgrade,
}

/// The protocols a start line can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http,
    Ice,
    Rtsp,
}

/// A head or trailers being read.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(super) state: State,
    pub(super) known: Known,
    pub(super) protocol: Protocol,
    /// Bytes seen of a method, a protocol name, the preface or a status code.
    pub(super) progress: u8,
    /// The methods that fit what was seen, as a range of the sorted table.
    pub(super) methods: (u8, u8),
    pub(super) matcher: Matcher,
    pub(crate) facts: Facts,
    /// Target or reason, then the fields as `name LF value LF`.
    text: Vec<u8>,
    /// Length of the target or reason in `text`.
    start_len: usize,
    /// Where the field being read begins in `text`.
    field: usize,
    /// Where its value does.
    value: usize,
    /// Bytes of a name or value not yet counted.
    pending: usize,
    /// Bytes counted against the limit.
    size: usize,
    /// White space before values.
    spaces: usize,
    /// Fields begun, and fields stored.
    begun: u32,
    kept: u32,
    /// Length of `text` up to the last field that the limit allows.
    allowed: usize,
    /// The field being read has been counted.
    counted: bool,
    /// Leniently: its value has a control character.
    pub(super) loose: bool,
    /// What was found on the way that the RFCs forbid.
    pub(crate) rows: Rows,
}

impl Machine {
    /// Before the first byte of a head.
    pub(crate) fn new() -> Self {
        Self {
            state: State::Start,
            known: Known::None,
            protocol: Protocol::Http,
            progress: 0,
            methods: (0, 0),
            matcher: Matcher::default(),
            facts: Facts::default(),
            text: Vec::new(),
            start_len: 0,
            field: 0,
            value: 0,
            pending: 0,
            size: 0,
            spaces: 0,
            begun: 0,
            kept: 0,
            allowed: 0,
            counted: false,
            loose: false,
            rows: Rows::default(),
        }
    }

    /// Before the trailers of the message these facts belong to.
    pub(crate) fn trailers(mut facts: Facts) -> Self {
        facts.set(TRAILING);
        Self {
            state: State::FieldStart,
            facts,
            ..Self::new()
        }
    }

    /// True if the head, or the trailers, were read to their end.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The target of a request, the reason of a response.
    pub(crate) fn start_text(&self) -> &[u8] {
        &self.text[..self.start_len]
    }

    /// The fields of a finished head.
    pub(crate) fn fields(&self, rules: &Rules) -> Fields<'_> {
        let fields = Fields::new(&self.text[self.start_len..], self.kept);
        match rules.config.max_headers {
            0 => fields,
            _ if self.facts.has(TRAILING) => fields,
            limit => fields.counting(limit),
        }
    }

    /// Appends bytes of a target, reason, name or value.
    #[inline]
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
        self.pending += bytes.len();
    }

    /// Counts what was appended since the last time. `at` is where an overflow is found.
    pub(super) fn count(&mut self, rules: &Rules, at: usize) -> Result<(), Fail> {
        if self.pending == 0 {
            return Ok(());
        }
        // Node: a field counts from the first bytes of its name on, wherever the packet with them ends.
        if matches!(self.state, State::Name | State::NameSpaces) && !self.counted {
            self.counted = true;
            self.begun += 1;
            if !self.counts(rules) {
                if rules.config.surplus == Surplus::Refuse {
                    return fail(ErrorKind::HeaderOverflow, at);
                }
                self.rows.add(Row::FieldCount);
            }
        }
        self.size += self.pending;
        self.pending = 0;
        if self.size >= rules.config.max_header_size as usize {
            if rules.role == Role::Server && self.is_target() {
                return fail_as(ErrorKind::HeaderOverflow, Row::TargetTooLong, at);
            }
            return fail(ErrorKind::HeaderOverflow, at);
        }
        Ok(())
    }

    /// True if the target is being read.
    fn is_target(&self) -> bool {
        let state = self.state as u8;
        state >= State::UrlStart as u8 && state <= State::UrlFragment as u8
    }

    /// Counts white space before a value, which counts against no limit of Node's. True when it reaches the limit of the head.
    pub(super) fn take_space(&mut self, rules: &Rules) -> bool {
        self.spaces += 1;
        self.spaces == rules.config.max_header_size as usize
    }

    /// True if the field begun last is within the limit.
    pub(super) fn counts(&self, rules: &Rules) -> bool {
        let limit = rules.config.max_headers;
        limit == 0 || self.begun <= limit
    }

    /// Ends the target or reason.
    pub(super) fn end_start(&mut self) {
        self.start_len = self.text.len();
    }

    /// Begins a field, at its name.
    pub(super) fn begin_field(&mut self) {
        self.field = self.text.len();
        self.counted = false;
        self.loose = false;
        self.known = Known::None;
        self.state = State::Name;
    }

    /// The name being read, as far as it has come.
    pub(super) fn name(&self) -> &[u8] {
        &self.text[self.field..]
    }

    /// Ends the name.
    pub(super) fn end_name(&mut self) {
        self.text.push(b'\n');
        self.value = self.text.len();
        self.state = State::ValueStart;
    }

    /// Ends the value and the field; the next byte begins a line. Drops the field if it is beyond the limit.
    pub(super) fn end_field(&mut self, rules: &Rules) {
        self.state = State::FieldStart;
        if !self.counts(rules) && !self.keeps_surplus(rules) {
            self.text.truncate(self.field);
            return;
        }
        let end = self.value + trim_end(&self.text[self.value..]).len();
        self.text.truncate(end);
        self.text.push(b'\n');
        self.kept += 1;
        if self.counts(rules) {
            self.allowed = self.text.len();
        }
    }

    /// True if a field beyond the limit is stored all the same.
    fn keeps_surplus(&mut self, rules: &Rules) -> bool {
        let Config {
            max_headers,
            surplus,
            ..
        } = rules.config;
        if surplus == Surplus::DropGroups {
            return (self.begun - 1) / Surplus::GROUP * Surplus::GROUP < max_headers;
        }
        if self.facts.has(TRAILING) {
            return false;
        }
        if self.begun == Surplus::GROUP + 1 && self.kept > max_headers {
            // More than one group after all.
            self.kept = max_headers;
            self.field = self.allowed;
        }
        self.begun <= Surplus::GROUP
    }
}
