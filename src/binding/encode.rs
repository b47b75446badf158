//! Events to records: the numbers and values of `docs/BOUNDARY.md`.

use std::ops::Range;
use std::sync::Arc;

use super::environment::Environment;
use super::ffi::{Failure, Scope, Value};
use crate::net::connection::{Batch, Event, EventQueue};
use crate::net::event::Payload;

/// Int32 words per record; `STRIDE` of lib/binding/records.js.
pub(super) const STRIDE: usize = 8;

const ACCEPT: i32 = 1;
const REQUEST: i32 = 2;
const RESPONSE: i32 = 3;
const DATA: i32 = 4;
const END: i32 = 5;
const PARSE_ERROR: i32 = 6;
const EOF: i32 = 7;
const CLOSED: i32 = 8;
const DRAIN: i32 = 9;
const TIMEOUT: i32 = 10;
const RAW: i32 = 11;
const CONNECTED: i32 = 12;
const EXPIRED: i32 = 13;
const FIN: i32 = 14;

// Flags of DATA.
const PART: i32 = 1;
const LAST_PART: i32 = 2;

/// A batch on its way to JavaScript, a dispatch at a time.
#[derive(Default)]
pub(super) struct Encoder {
    batch: Batch,
    position: usize,
    /// Packets of the batch that have begun before `position`.
    packets: usize,
    /// The queue that the batch came from.
    turn: usize,
}

impl From<Batch> for Encoder {
    fn from(batch: Batch) -> Self {
        Self {
            batch,
            position: 0,
            packets: 0,
            turn: 0,
        }
    }
}

impl Encoder {
    /// Takes the next batch when this one is done, of the queues in turn. False if there is nothing.
    pub(super) fn refill(&mut self, queues: &[Arc<EventQueue>]) -> bool {
        if self.is_empty() {
            self.batch.clear();
            self.position = 0;
            self.packets = 0;
            for _ in queues {
                self.turn = (self.turn + 1) % queues.len();
                queues[self.turn].take(&mut self.batch);
                if !self.is_empty() {
                    break;
                }
            }
        }
        !self.is_empty()
    }

    /// Nobody will be told of the rest.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    pub(super) fn remaining(&self) -> usize {
        self.batch.events.len() - self.position
    }

    /// Encodes as many events as `records` holds; returns their number.
    pub(super) fn encode(
        &mut self,
        environment: &Environment,
        scope: Scope,
        records: &mut [i32],
        values: Value,
    ) -> Result<i32, Failure> {
        let mut count = 0;
        let mut next_value = 0;
        let mut run = None;
        let mut delivered = Delivered::default();
        let slots = records.len() / STRIDE;
        for slot in 0..slots {
            let (before, rest) = records.split_at_mut(slot * STRIDE);
            let record = &mut rest[..STRIDE];
            let room = slots - slot;
            let begins = self.batch.packets().get(self.packets) == Some(&self.position);
            let Some(event) = self.batch.events.get_mut(self.position) else {
                break;
            };
            if begins
                && let Some(id) = ends_stream(event)
                && before.chunks_exact(STRIDE).any(|one| one[1] == id as i32)
            {
                // Core reads the end of a stream by itself, a turn of the event loop behind its last bytes.
                break;
            }
            self.packets += usize::from(begins);
            self.position += 1;
            let event = std::mem::replace(event, Event::Encoded);
            let weight = event.weight();
            let mut value = |value: Value| {
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
                    let flags = i32::from(trailers.is_some()) | i32::from(at_eof) << 1;
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
                Event::Drain { id } => (DRAIN, id, [0; 5]),
                Event::Fin { id } => (FIN, id, [0; 5]),
                Event::Timeout { id } => (TIMEOUT, id, [0; 5]),
                Event::Connected { id } => (CONNECTED, id, [0; 5]),
                Event::Expired { id, deadline } => (EXPIRED, id, [deadline as i32, 0, 0, 0, 0]),
            };
            record[0] = kind;
            record[1] = id as i32;
            record[2..7].copy_from_slice(&numbers);
            record[7] = i32::from(begins);
            count += 1;
            delivered.add(environment, id, weight);
        }
        delivered.tell(environment);
        Ok(count)
    }

    /// Is the end of a peer's stream the next to be encoded?
    pub(super) fn is_at_end_of_stream(&self) -> bool {
        self.batch.packets().get(self.packets) == Some(&self.position)
            && self
                .batch
                .events
                .get(self.position)
                .is_some_and(|event| ends_stream(event).is_some())
    }

    /// The small pieces of a body that came in one packet and are next to each other: they cross as one Buffer, of which
    /// each is a part, as core's are parts of the packet. `first` has been taken from the batch; `room` records are left,
    /// its own included. None for a piece by itself.
    fn run(&self, id: u32, first: &Payload, room: usize) -> Option<Run> {
        let Payload::Batch { start, len } = *first else {
            return None;
        };
        let next_packet = self.batch.packets().get(self.packets);
        let mut end = start + len;
        let following = self.batch.events.iter().enumerate().skip(self.position);
        for (position, event) in following.take(room - 1) {
            match event {
                Event::Data {
                    id: whose,
                    payload: Payload::Batch { start, len },
                } if *whose == id && *start == end && next_packet != Some(&position) => end += len,
                _ => break,
            }
        }
        (end > start + len).then_some(Run {
            bytes: start..end,
            taken: 0,
        })
    }
}

/// The connection whose peer has ended its stream, if that is what the event tells, or what it means for a message.
fn ends_stream(event: &Event) -> Option<u32> {
    match event {
        Event::Eof { id }
        | Event::End {
            id, at_eof: true, ..
        }
        | Event::ParseError {
            id, packet: None, ..
        } => Some(*id),
        _ => None,
    }
}

/// What was encoded of one connection in a row and makes room for more.
#[derive(Default)]
struct Delivered {
    id: u32,
    weight: usize,
}

impl Delivered {
    fn add(&mut self, environment: &Environment, id: u32, weight: usize) {
        if weight == 0 {
            return;
        }
        if self.id != id {
            self.tell(environment);
            self.id = id;
        }
        self.weight += weight;
    }

    fn tell(&mut self, environment: &Environment) {
        let weight = std::mem::take(&mut self.weight);
        if weight != 0 {
            environment.delivered(self.id, weight);
        }
    }
}

/// Pieces that cross as one Buffer.
struct Run {
    /// Where in the bytes of the batch.
    bytes: Range<usize>,
    /// What has been encoded of it.
    taken: usize,
}
