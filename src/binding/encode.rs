//! Events to records: the numbers and values of `docs/BOUNDARY.md`.

use std::time::Instant;

use super::encoder::{Encoder, ends_stream};
use super::environment::Environment;
use super::ffi::{Failure, Scope, Value};
use super::records::data::{LAST_PART, PART};
use super::records::{
    self, ACCEPT, BEGINS, CLOSED, CUT, DATA, DRAIN, END, EOF, EXPIRED, FIN, FULL, LIMITED,
    PARSE_ERROR, RAW, REQUEST, RESPONSE, TIMEOUT, end,
};
use crate::net::connection::Event;

/// Words per record.
pub(super) const STRIDE: usize = records::STRIDE as usize;

impl Encoder {
    /// Encodes as many events as `words` hold; returns their number. `now` is the time, if the events have waited in a queue.
    pub(super) fn encode(
        &mut self,
        environment: &Environment,
        scope: Scope<'_>,
        words: &mut [i32],
        values: Value<'_>,
        now: Option<Instant>,
    ) -> Result<i32, Failure> {
        let mut count = 0;
        let mut next_value = 0;
        let mut run = None;
        let mut delivered = Delivered::default();
        let slots = words.len() / STRIDE;
        for slot in 0..slots {
            let (before, rest) = words.split_at_mut(slot * STRIDE);
            let record = &mut rest[..STRIDE];
            let room = slots - slot;
            let packet = self.batch.packet_at(self.packets, self.position);
            let Some(event) = self.batch.events.get_mut(self.position) else {
                break;
            };
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
            let mut value = |value: Value<'_>| {
                next_value += 1;
                scope.set(values, next_value - 1, value)
            };
            let batch = &self.batch;
            let (kind, id, numbers) = match event {
                Event::Encoded => (0, 0, [0; 5]),
                Event::Rest { id } => {
                    environment.rest(scope, id);
                    (0, 0, [0; 5])
                }
                Event::Lent { id } => {
                    environment.answer_loan(scope, id);
                    (0, 0, [0; 5])
                }
                Event::Accept {
                    connection,
                    listener,
                } => {
                    let id = connection.id;
                    let paused = i32::from(connection.is_paused());
                    // JavaScript may have heard of it when it closed the listener.
                    if environment.knows(&connection) {
                        (0, 0, [0; 5])
                    } else {
                        environment.know(scope, connection, true);
                        (ACCEPT, id, [listener as i32, paused, 0, 0, 0])
                    }
                }
                Event::Head {
                    id,
                    response,
                    numbers,
                    text,
                } => {
                    value(scope.latin1(batch.slice(&text))?)?;
                    environment.loans.saw_head(id);
                    if let (Some(now), Some(then)) = (now, self.read_at) {
                        environment
                            .blocks
                            .queued
                            .observe(now.saturating_duration_since(then));
                    }
                    (if response { RESPONSE } else { REQUEST }, id, numbers)
                }
                Event::Data { id, payload } => {
                    let numbers = match run.take().or_else(|| self.run(id, &payload, room)) {
                        None => {
                            value(scope.buffer(batch.slice(&payload))?)?;
                            [0; 5]
                        }
                        Some(mut rest) => {
                            if rest.taken == 0 {
                                value(scope.buffer(&batch.bytes[rest.bytes.clone()])?)?;
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
                            run = (!is_last).then_some(rest);
                            numbers
                        }
                    };
                    (DATA, id, numbers)
                }
                Event::Raw { id, payload } => {
                    value(scope.buffer(batch.slice(&payload))?)?;
                    (RAW, id, [0; 5])
                }
                Event::End {
                    id,
                    field_count,
                    trailers,
                    at_eof,
                } => {
                    if let Some(trailers) = &trailers {
                        value(scope.latin1(batch.slice(trailers))?)?;
                    }
                    let flags = if trailers.is_some() { end::TRAILERS } else { 0 }
                        | if at_eof { end::AT_EOF } else { 0 };
                    (END, id, [flags, field_count as i32, 0, 0, 0])
                }
                Event::ParseError {
                    id,
                    kind,
                    bytes_parsed,
                    packet,
                } => {
                    if let Some(packet) = &packet {
                        value(scope.buffer(batch.slice(packet))?)?;
                    }
                    let raw = i32::from(packet.is_some());
                    (
                        PARSE_ERROR,
                        id,
                        [i32::from(kind), bytes_parsed as i32, raw, 0, 0],
                    )
                }
                Event::Eof { id } => (EOF, id, [0; 5]),
                Event::Closed { id, errno, syscall } => {
                    (CLOSED, id, [errno, syscall as i32, 0, 0, 0])
                }
                Event::Cut { id } => (CUT, id, [0; 5]),
                // It is of no connection.
                Event::Limited { owner } => (LIMITED, u32::MAX, [owner as i32, 0, 0, 0, 0]),
                Event::Drain { id } => (DRAIN, id, [0; 5]),
                Event::Fin { id } => (FIN, id, [0; 5]),
                Event::Timeout { id } => (TIMEOUT, id, [0; 5]),
                Event::Expired { id, deadline } => (EXPIRED, id, [deadline as i32, 0, 0, 0, 0]),
            };
            record[0] = kind;
            record[1] = id as i32;
            record[2..7].copy_from_slice(&numbers);
            record[BEGINS as usize] =
                packet.map_or(0, |packet| if packet.is_full { FULL } else { 1 });
            count += 1;
            delivered.add(environment, id, weight, is_head);
        }
        delivered.tell(environment);
        Ok(count)
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
