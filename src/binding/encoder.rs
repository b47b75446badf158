//! A batch on its way to JavaScript.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use crate::net::connection::{Batch, Event, EventQueue};
use crate::net::event::Payload;

/// A batch on its way to JavaScript, a dispatch at a time.
#[derive(Default)]
pub(super) struct Encoder {
    pub(super) batch: Batch,
    pub(super) position: usize,
    /// Packets of the batch that have begun before `position`.
    pub(super) packets: usize,
    /// When the last of these was read.
    pub(super) read_at: Option<Instant>,
    /// The queue that the batch came from.
    turn: usize,
}

impl Encoder {
    /// Takes the next batch when this one is done, of the queues in turn. False if there is nothing.
    pub(super) fn refill(&mut self, queues: &[Arc<EventQueue>]) -> bool {
        if self.is_empty() {
            self.restart();
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

    /// Empties the batch, and begins with the next.
    pub(super) fn restart(&mut self) {
        self.batch.clear();
        self.position = 0;
        self.packets = 0;
    }

    /// Drops the rest: the environment is going away.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    pub(super) fn remaining(&self) -> usize {
        self.batch.events.len() - self.position
    }

    /// True if the next to be encoded is the end of a peer's stream.
    pub(super) fn is_at_end_of_stream(&self) -> bool {
        self.batch.packet_at(self.packets, self.position).is_some()
            && self
                .batch
                .events
                .get(self.position)
                .is_some_and(|event| ends_stream(event).is_some())
    }

    /// The small pieces of a body that came in one packet and are next to each other: they cross as one Buffer, of which
    /// each is a part, as core's are parts of the packet. `first` has been taken from the batch; `room` records are left,
    /// its own included. None for a piece by itself.
    pub(super) fn run(&self, id: u32, first: &Payload, room: usize) -> Option<Run> {
        let Payload::Batch { start, len } = *first else {
            return None;
        };
        let mut end = start + len;
        let following = self.batch.events.iter().enumerate().skip(self.position);
        for (position, event) in following.take(room - 1) {
            match event {
                Event::Data {
                    id: whose,
                    payload: Payload::Batch { start, len },
                } if *whose == id
                    && *start == end
                    && self.batch.packet_at(self.packets, position).is_none() =>
                {
                    end += len
                }
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
pub(super) fn ends_stream(event: &Event) -> Option<u32> {
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

/// Pieces that cross as one Buffer.
pub(super) struct Run {
    /// Where in the bytes of the batch.
    pub(super) bytes: Range<usize>,
    /// What has been encoded of it.
    pub(super) taken: usize,
}
