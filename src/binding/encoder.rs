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
    /// Fetches the next batch when this one is done, from one queue after another. False if there is nothing.
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
    /// each is a slice, as core's are slices of the packet. `first` is out of the batch already; `room` records are left,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::connection::Wake;

    fn data(id: u32, payload: Payload) -> Event {
        Event::Data { id, payload }
    }

    /// An encoder whose batch has these pieces of bodies, by connection; each packet apart.
    fn encoder(packets: &[&[(u32, &[u8])]]) -> Encoder {
        let mut encoder = Encoder::default();
        let now = Instant::now();
        for pieces in packets {
            let len = pieces.iter().map(|(_, bytes)| bytes.len()).sum();
            encoder.batch.packet(len, now, |batch| {
                for (id, bytes) in *pieces {
                    let payload = batch.payload(bytes);
                    batch.events.push(data(*id, payload));
                }
            });
        }
        encoder
    }

    /// The run that begins with the first piece, as the encoder finds it when that is out of the batch.
    fn run(encoder: &mut Encoder, room: usize) -> Option<Range<usize>> {
        encoder.position = 1;
        encoder.packets = 1;
        let Event::Data { id, payload } = &encoder.batch.events[0] else {
            unreachable!("the batch has pieces only");
        };
        encoder.run(*id, payload, room).map(|run| run.bytes)
    }

    #[test]
    fn small_pieces_of_one_packet_cross_as_one_buffer() {
        let mut pieces = encoder(&[&[(1, b"ab"), (1, b"c"), (1, b"def")]]);
        assert_eq!(run(&mut pieces, 512), Some(0..6));
        // Records are left for two of them.
        assert_eq!(run(&mut pieces, 2), Some(0..3));
        assert_eq!(run(&mut pieces, 1), None);
    }

    #[test]
    fn pieces_of_another_packet_or_connection_or_large_ones_cross_by_themselves() {
        let large = vec![b'x'; 8 * 1024];
        for others in [
            encoder(&[&[(1, b"ab")], &[(1, b"c")]]),
            encoder(&[&[(1, b"ab"), (2, b"c")]]),
            encoder(&[&[(1, b"ab"), (1, &large)]]),
            encoder(&[&[(1, &large), (1, b"ab")]]),
        ] {
            let mut others = others;
            assert_eq!(run(&mut others, 512), None);
        }
    }

    #[test]
    fn queues_are_emptied_in_turn_and_no_batch_before_it_is_done() {
        let wake = Arc::new(Wake::new(Box::new(|| {})));
        let queues = [0, 1].map(|thread| Arc::new(EventQueue::new(thread, Arc::clone(&wake))));
        let mut encoder = Encoder::default();
        assert!(!encoder.refill(&queues));
        for id in [1, 2] {
            for queue in &queues {
                queue.push(Event::Eof {
                    id: id + 10 * queue.thread as u32,
                });
            }
        }
        let mut taken = Vec::new();
        while encoder.refill(&queues) {
            assert!(encoder.refill(&queues), "it is not done");
            let event = &encoder.batch.events[encoder.position];
            taken.extend(ends_stream(event));
            encoder.position += 1;
            if taken.len() == 1 {
                // Those of the other queue, which has waited, come before what comes now.
                queues[1].push(Event::Eof { id: 13 });
                queues[0].push(Event::Eof { id: 3 });
            }
        }
        assert_eq!(taken, [11, 12, 1, 2, 3, 13]);
        assert!(encoder.is_empty());
    }

    #[test]
    fn the_end_of_a_stream_is_known_where_a_packet_begins() {
        let mut encoder = encoder(&[&[(1, b"ab")]]);
        encoder.batch.packet(0, Instant::now(), |batch| {
            batch.events.push(Event::Eof { id: 1 });
        });
        assert!(!encoder.is_at_end_of_stream());
        encoder.position = 1;
        encoder.packets = 1;
        assert!(encoder.is_at_end_of_stream());
        // As if the packet had begun with something before it.
        encoder.packets = 2;
        assert!(!encoder.is_at_end_of_stream());
    }
}
