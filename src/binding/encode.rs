//! Events to records: the numbers and values of `docs/BOUNDARY.md`.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use super::broken::Record;
use super::encoder::{Encoder, Run, ends_stream};
use super::environment::Environment;
use super::ffi::{Failure, PANIC, Scope, Value};
use super::records::data::{LAST_PART, PART};
use super::records::{
    self, ACCEPT, BEGINS, CLOSED, CUT, DATA, DIALLED, DRAIN, END, EOF, EXPIRED, FIN, FULL, LIMITED,
    PARSE_ERROR, RAW, REQUEST, RESPONSE, TIMEOUT, end,
};
use crate::net::connection::Event;
use crate::panics::{self, Place};

/// Words per record.
pub(super) const STRIDE: usize = records::STRIDE as usize;

/// Bytes of heads and trailers in one call, about, and one packet's more. Their strings live until the call is over: many that survive a
/// collection make V8 enlarge its young generation, which stays large.
const FIELDS_A_CALL: usize = 128 * 1024;

impl Encoder {
    /// Encodes as many events as `words` or the fields of a call allow; gives their number. `now` is the time, if they have waited in a queue.
    pub(super) fn encode(
        &mut self,
        environment: &Environment,
        scope: Scope<'_>,
        words: &mut [i32],
        values: Value<'_>,
        now: Option<Instant>,
    ) -> Result<i32, Failure> {
        let mut count = 0;
        let mut values = Values {
            scope,
            array: values,
            next: 0,
        };
        let mut run: Option<Run> = None;
        let mut delivered = Delivered::default();
        let mut fields = 0;
        let slots = words.len() / STRIDE;
        for slot in 0..slots {
            let (before, rest) = words.split_at_mut(slot * STRIDE);
            let record = &mut rest[..STRIDE];
            let room = slots - slot;
            let packet = self.batch.packet_at(self.packets, self.position);
            let Some(event) = self.batch.events.get_mut(self.position) else {
                break;
            };
            if packet.is_some() && fields >= FIELDS_A_CALL {
                break;
            }
            if packet.is_some()
                && let Some(id) = ends_stream(event)
                && before.chunks_exact(STRIDE).any(|one| one[1] == id as i32)
            {
                // Core reads the end of a stream by itself, a turn of the event loop behind its last bytes.
                break;
            }
            if let Some(packet) = packet {
                self.packets += 1;
                self.read_at = Some(packet.at);
            }
            self.position += 1;
            let event = std::mem::replace(event, Event::Encoded);
            let weight = event.weight();
            let is_head = matches!(event, Event::Head { .. });
            let has_fields = is_head || matches!(event, Event::End { .. });
            let (taken, midway) = (values.next, run.as_ref().map(|run| run.taken));
            let told = std::panic::catch_unwind(AssertUnwindSafe(|| {
                self.record(environment, scope, &event, &mut values, &mut run, room, now)
            }));
            let (owner, (kind, id, numbers)) = match told {
                Ok(told) => told.map(|record| (record.1, record))?,
                Err(_) => {
                    // A value that nothing tells of would pass for the next one's.
                    values.next = taken;
                    run = None;
                    let instead = environment.instead_of(&event, midway);
                    if now.is_none() {
                        return Err(PANIC);
                    }
                    instead
                }
            };
            record[0] = kind;
            record[1] = id as i32;
            record[2..7].copy_from_slice(&numbers);
            record[BEGINS as usize] =
                packet.map_or(0, |packet| if packet.is_full { FULL } else { 1 });
            count += 1;
            fields += if has_fields { weight } else { 0 };
            delivered.add(environment, owner, weight, is_head);
        }
        delivered.tell(environment);
        Ok(count)
    }

    /// The record of an event, whose values are appended. `run` is what is left of the pieces that cross as one Buffer, `room` the
    /// number of records that can follow, this one included.
    #[allow(clippy::too_many_arguments, reason = "one loop's state")]
    fn record(
        &self,
        environment: &Environment,
        scope: Scope<'_>,
        event: &Event,
        values: &mut Values<'_>,
        run: &mut Option<Run>,
        room: usize,
        now: Option<Instant>,
    ) -> Result<Record, Failure> {
        panics::at(Place::Encode);
        let batch = &self.batch;
        Ok(match event {
            Event::Encoded => (0, 0, [0; 5]),
            Event::Rest { id } => {
                environment.rest(scope, *id);
                (0, 0, [0; 5])
            }
            Event::Lent { id } => {
                environment.answer_loan(scope, *id);
                (0, 0, [0; 5])
            }
            Event::Accept {
                connection,
                listener,
            } => {
                let id = connection.id;
                let paused = i32::from(connection.is_paused());
                environment.loans.load.saw_accept();
                let is_untold = environment.accepts_at.tells(id);
                // JavaScript may have heard of it when it closed the listener.
                if !is_untold && environment.knows(connection) {
                    (0, 0, [0; 5])
                } else {
                    if !is_untold {
                        environment.know(scope, Arc::clone(connection), true);
                    }
                    (ACCEPT, id, [*listener as i32, paused, 0, 0, 0])
                }
            }
            Event::Head {
                id,
                response,
                numbers,
                text,
            } => {
                values.latin1(batch.slice(text))?;
                if environment.loans.saw_head(*id) {
                    environment.end_loan(*id);
                }
                if let (Some(now), Some(then)) = (now, self.read_at) {
                    environment
                        .blocks
                        .queued
                        .observe(now.saturating_duration_since(then));
                }
                (if *response { RESPONSE } else { REQUEST }, *id, *numbers)
            }
            Event::Data { id, payload } => {
                let numbers = match run.take().or_else(|| self.run(*id, payload, room)) {
                    None => {
                        values.buffer(batch.slice(payload))?;
                        [0; 5]
                    }
                    Some(mut rest) => {
                        if rest.taken == 0 {
                            values.buffer(&batch.bytes[rest.bytes.clone()])?;
                        }
                        let start = rest.taken;
                        rest.taken += payload.len();
                        let is_last = rest.taken == rest.bytes.len();
                        let numbers = [
                            if is_last { LAST_PART } else { PART },
                            start as i32,
                            rest.taken as i32,
                            0,
                            0,
                        ];
                        *run = (!is_last).then_some(rest);
                        numbers
                    }
                };
                (DATA, *id, numbers)
            }
            Event::Raw { id, payload } => {
                values.buffer(batch.slice(payload))?;
                (RAW, *id, [0; 5])
            }
            Event::End {
                id,
                field_count,
                trailers,
                at_eof,
                noted,
            } => {
                if let Some(trailers) = trailers {
                    values.latin1(batch.slice(trailers))?;
                }
                let flags = if trailers.is_some() { end::TRAILERS } else { 0 }
                    | if *at_eof { end::AT_EOF } else { 0 }
                    | if *noted { end::NOTED } else { 0 };
                (END, *id, [flags, *field_count as i32, 0, 0, 0])
            }
            Event::ParseError {
                id,
                kind,
                bytes_parsed,
                packet,
            } => {
                if let Some(packet) = packet {
                    values.buffer(batch.slice(packet))?;
                }
                let raw = i32::from(packet.is_some());
                (
                    PARSE_ERROR,
                    *id,
                    [i32::from(*kind), *bytes_parsed as i32, raw, 0, 0],
                )
            }
            Event::Eof { id } => (EOF, *id, [0; 5]),
            Event::Closed {
                id, errno, syscall, ..
            } => (CLOSED, *id, [*errno, *syscall as i32, 0, 0, 0]),
            Event::Cut { id } => (CUT, *id, [0; 5]),
            // It is of no connection.
            Event::Limited { owner } => (LIMITED, u32::MAX, [*owner as i32, 0, 0, 0, 0]),
            Event::Dialled { id, errno } => (DIALLED, *id, [*errno, 0, 0, 0, 0]),
            Event::Drain { id } => (DRAIN, *id, [0; 5]),
            Event::Fin { id } => (FIN, *id, [0; 5]),
            Event::Timeout { id } => {
                let _ = environment.with(*id, |connection| connection.timeout_heard());
                (TIMEOUT, *id, [0; 5])
            }
            Event::Expired { id, deadline } => (EXPIRED, *id, [*deadline as i32, 0, 0, 0, 0]),
        })
    }
}

/// The values of a batch, for JavaScript.
struct Values<'s> {
    scope: Scope<'s>,
    array: Value<'s>,
    next: usize,
}

impl Values<'_> {
    fn latin1(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.push(self.scope.latin1(bytes)?)
    }

    fn buffer(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.push(self.scope.buffer(bytes)?)
    }

    fn push(&mut self, value: Value<'_>) -> Result<(), Failure> {
        self.scope.set(self.array, self.next, value)?;
        self.next += 1;
        Ok(())
    }
}

/// What was encoded of one connection in a row and makes room for more.
#[derive(Default)]
struct Delivered {
    id: u32,
    weight: usize,
    heads: usize,
}

impl Delivered {
    fn add(&mut self, environment: &Environment, id: u32, weight: usize, is_head: bool) {
        if weight == 0 {
            return;
        }
        if self.id != id {
            self.tell(environment);
            self.id = id;
        }
        self.weight += weight;
        self.heads += usize::from(is_head);
    }

    fn tell(&mut self, environment: &Environment) {
        let weight = std::mem::take(&mut self.weight);
        let heads = std::mem::take(&mut self.heads);
        if weight != 0 {
            environment.delivered(self.id, weight, heads);
        }
    }
}
