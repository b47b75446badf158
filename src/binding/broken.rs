//! What becomes of an event whose telling panics: its connection ends, and the others of the batch are told.

use super::environment::Environment;
use super::records::{CLOSED, DATA, DIALLED, data::LAST_PART};
use crate::net::connection::Event;
use crate::net::event::BROKEN;

/// The kind of a record, the id of its connection, and its numbers.
pub(super) type Record = (i32, u32, [i32; 5]);

impl Environment {
    /// Ends the connection of an event that could not be told. Gives its id, and the record that is told instead. `midway`: where in
    /// a Buffer the event's piece begins, if earlier pieces of it have been told.
    #[cold]
    pub(super) fn instead_of(&self, event: &Event, midway: Option<usize>) -> (u32, Record) {
        const NOTHING: Record = (0, 0, [0; 5]);
        let id = match event {
            Event::Accept { connection, .. } => {
                self.break_off(connection);
                return (connection.id, NOTHING);
            }
            // It is over, and must be heard of.
            Event::Closed {
                id, errno, syscall, ..
            } => {
                return (*id, (CLOSED, *id, [*errno, *syscall as i32, 0, 0, 0]));
            }
            Event::Dialled { id, errno } => {
                let errno = if *errno == 0 { BROKEN } else { *errno };
                return (*id, (DIALLED, *id, [errno, 0, 0, 0, 0]));
            }
            Event::Cut { id }
            | Event::Data { id, .. }
            | Event::Drain { id }
            | Event::End { id, .. }
            | Event::Eof { id }
            | Event::Expired { id, .. }
            | Event::Fin { id }
            | Event::Lent { id }
            | Event::ParseError { id, .. }
            | Event::Raw { id, .. }
            | Event::Rest { id }
            | Event::Head { id, .. }
            | Event::Timeout { id } => *id,
            Event::Encoded | Event::Limited { .. } => return (0, NOTHING),
        };
        if let Ok(connection) = self.connection(id) {
            self.break_off(&connection);
        }
        // JavaScript lets go of the Buffer with its last piece.
        let last = |at: usize| (DATA, id, [LAST_PART, at as i32, at as i32, 0, 0]);
        (id, midway.map_or(NOTHING, last))
    }
}
