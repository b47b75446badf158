//! The numbers and names that JavaScript reads off the addon instead of having its own.

use http_native_proto::{ErrorKind, Hardening, Leniency, METHODS, Row, Surplus};
use napi::bindgen_prelude::{Env, Object, Result};

use super::records::{self, data, end};
use super::send_flags::SEND_FLAGS;
use super::stats::BLOCKS;
use crate::net::event::{DEADLINES, SYSCALLS};
use crate::net::head_flags::HEAD_FLAGS;
use crate::net::limit_kinds::{LIMIT_ACTIONS, SERVER_LIMITS};
use crate::net::limits::{EVENTS_A_CALL, SEGMENT, TAKEN_MAX, WINDOW, WINDOW_IN_ALL};
use crate::net::stats::{CLOSES, KNOWN_METHODS, STATS};
use crate::numbers::Table;

/// How much of each thing there may be.
const LIMITS: Table = &[
    ("FIELD_GROUP", Surplus::GROUP as i32),
    ("EVENTS_A_CALL", EVENTS_A_CALL as i32),
    ("SEGMENT", SEGMENT as i32),
    ("TAKEN_MAX", TAKEN_MAX as i32),
    ("WINDOW", WINDOW as i32),
    ("WINDOW_IN_ALL", WINDOW_IN_ALL as i32),
];

/// What becomes of the fields beyond the limit.
const SURPLUS: Table = &[
    ("REFUSE", Surplus::Refuse as i32),
    ("DROP", Surplus::Drop as i32),
    ("DROP_GROUPS", Surplus::DropGroups as i32),
];

/// Lenient bits: those that `insecureHTTPParser` stands for, and the one of `httpValidation: 'relaxed'`.
const LENIENCY: Table = &[
    ("INSECURE", Leniency::HEADER_VALUE_RELAXED.0 as i32 - 1),
    ("RELAXED", Leniency::HEADER_VALUE_RELAXED.0 as i32),
];

/// What becomes of what the RFCs forbid and core lets through.
const HARDENING: Table = &[
    ("OFF", Hardening::Off as i32),
    ("STRICT", Hardening::Strict as i32),
    ("AUDIT", Hardening::Audit as i32),
];

/// The tables, each an object of numbers by name.
const TABLES: [(&str, Table); 17] = [
    ("BLOCKS", BLOCKS),
    ("CLOSES", CLOSES),
    ("DATA_PARTS", data::DATA_PARTS),
    ("DEADLINES", DEADLINES),
    ("END_FLAGS", end::END_FLAGS),
    ("EVENTS", records::EVENTS),
    ("HARDENING", HARDENING),
    ("HEAD_FLAGS", HEAD_FLAGS),
    ("LENIENCY", LENIENCY),
    ("LIMITS", LIMITS),
    ("LIMIT_ACTIONS", LIMIT_ACTIONS),
    ("RECORDS", records::RECORDS),
    ("SEND_FLAGS", SEND_FLAGS),
    ("SERVER_LIMITS", SERVER_LIMITS),
    ("STATS", STATS),
    ("SURPLUS", SURPLUS),
    ("SYSCALLS", SYSCALLS),
];

/// Adds the tables to the exports, with `METHODS`, those of them that stats tell apart, `PARSE_ERRORS`: `[code, reason]` by the
/// number of the kind, and `HARDENING_ROWS`: `[name, status, section, reason]`, all strings, by the number of the row.
pub(super) fn export(env: &Env, exports: &mut Object) -> Result<()> {
    for (name, table) in TABLES {
        let mut numbers = Object::new(env)?;
        for (name, number) in table {
            numbers.set(name, *number)?;
        }
        exports.set(name, numbers)?;
    }
    exports.set("METHODS", METHODS.to_vec())?;
    exports.set("STATS_METHODS", KNOWN_METHODS.to_vec())?;
    let errors = ErrorKind::ALL.iter();
    let errors: Vec<_> = errors
        .map(|kind| vec![kind.code(), kind.reason()])
        .collect();
    exports.set("PARSE_ERRORS", errors)?;
    let mut rows = Vec::new();
    for row in Row::ALL {
        let status = row.status().to_string();
        rows.push(vec![
            row.name().to_owned(),
            status,
            row.section().to_owned(),
            row.reason().to_owned(),
        ]);
    }
    exports.set("HARDENING_ROWS", rows)
}
