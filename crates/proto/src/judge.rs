//! What a connection does about what the RFCs forbid: refuses it, or notes it (`hardening.rs`).

use crate::config::Role;
use crate::connection::Connection;
use crate::error::{ErrorKind, Fail, fail_as};
use crate::forbidden;
use crate::hardening::{Row, Rows};
use crate::headers::Fields;

/// Rows that are remembered until they are asked for; a peer could send more while nothing asks.
const MAX_NOTED: usize = 4096;

impl Connection {
    /// Judges what stands before a message: CR and LF, and then, if it is not the end of the packet, the message's first byte.
    #[cold]
    pub(crate) fn judge_gap(&mut self, gap: &[u8], is_end: bool, at: usize) -> Result<(), Fail> {
        self.gap.take(gap);
        if is_end {
            // What is only noted is known better when the message has begun.
            return match self.rules.is_strict() {
                true => self.judge(self.gap.rows(false), at),
                false => Ok(()),
            };
        }
        let mut rows = std::mem::take(&mut self.gap).rows(true);
        if self.rules.role == Role::Client && self.expected.len() == 0 {
            rows.add(Row::Unasked);
        }
        self.judge(rows, at)
    }

    /// Judges the head that has come: found by the fast path, with its first line's text and the number of its fields, or the
    /// machine's.
    #[cold]
    pub(crate) fn judge_head(
        &mut self,
        found: Option<(&[u8], u32)>,
        at: usize,
    ) -> Result<(), Fail> {
        let (start, fields, rows) = match (found, &self.machine) {
            (Some((start, count)), _) => (start, Fields::new(&self.text, count), Rows::default()),
            (None, Some(machine)) => (
                machine.start_text(),
                machine.fields(&self.rules),
                machine.rows,
            ),
            (None, None) => return Ok(()),
        };
        let more = match (self.rules.role, self.expected.first()) {
            (Role::Server, _) => forbidden::request(&self.facts, start, &fields),
            (Role::Client, Some(expected)) => {
                forbidden::response(&self.facts, start, &fields, expected)
            }
            (Role::Client, None) => Rows::default(),
        };
        if more.contains(Row::ProxyConnection) && self.rules.is_strict() {
            // RFC: it means nothing.
            forbidden::reread_connection(&mut self.facts, &fields);
        }
        self.judge(rows.union(more), at)
    }

    /// Refuses what was found, or notes it. `at` is where an error is found.
    pub(crate) fn judge(&mut self, rows: Rows, at: usize) -> Result<(), Fail> {
        if rows.is_empty() {
            return Ok(());
        }
        if self.rules.is_strict()
            && let Some(row) = rows.iter().find(|row| !row.is_overlooked())
        {
            return fail_as(ErrorKind::Forbidden, row, at);
        }
        self.note(rows);
        Ok(())
    }

    /// Notes what was found, if anything is to be noted.
    #[inline]
    pub(crate) fn note(&mut self, rows: Rows) {
        if !rows.is_empty() && self.rules.is_hardened() {
            for row in rows.iter() {
                self.note_one(row);
            }
        }
    }

    pub(crate) fn note_one(&mut self, row: Row) {
        if self.noted.len() < MAX_NOTED {
            self.noted.push(row);
        }
    }

    /// Notes what many packets may be in a row.
    pub(crate) fn note_once(&mut self, row: Row) {
        if self.noted.last() != Some(&row) {
            self.note_one(row);
        }
    }
}
