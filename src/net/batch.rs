//! What crosses to JavaScript at a time: events, and the bytes that belong to them.

use std::time::Instant;

use super::event::{Event, Payload};

/// Bytes of a read, at most, as libuv's.
pub(crate) const READ: usize = 64 * 1024;

/// What sockets are read into.
pub(crate) type ReadBuffer = Box<[u8; READ]>;

/// A fresh one, zeroed.
pub(crate) fn read_buffer() -> ReadBuffer {
    Box::new([0; READ])
}

/// Where in a batch a packet begins: what one read of a connection brought, or its end.
#[derive(Clone, Copy)]
pub(crate) struct PacketStart {
    /// The position of its first event.
    pub(crate) position: usize,
    /// True if the read was as long as it could be: libuv reads on in the same callback then.
    pub(crate) is_full: bool,
    /// When it was read.
    pub(crate) at: Instant,
}

/// Events and the bytes that their [`Payload`]s point into.
pub(crate) struct Batch<C> {
    pub(crate) events: Vec<Event<C>>,
    /// Where packets begin, in order.
    packets: Vec<PacketStart>,
    pub(crate) bytes: Vec<u8>,
    /// Read buffers that payloads point into.
    buffers: Vec<ReadBuffer>,
    /// Those of former batches, to be read into again.
    spare: Vec<ReadBuffer>,
    /// The address and the length of the packet at hand, when its buffer may become the batch's, and whether it must.
    at_hand: Option<(usize, usize)>,
    keeps: bool,
    /// Bytes of large payloads.
    weight: usize,
}

/// Body pieces from this size on are not copied into the memory that all events share.
const LARGE: usize = 4 * 1024;

/// The read buffer of a packet from this size on is the batch's rather than copied from. Smaller packets would use more
/// memory than they fill, and many buffers one after another stay in no cache.
const KEPT_FROM: usize = READ / 2;

/// Shared memory that grew past this is given back.
const BYTES_MAX: usize = 256 * 1024;

/// Events whose places stay for the next batch. What a burst had beyond is given back.
const EVENTS_KEPT: usize = 4 * 1024;

/// Read buffers that a batch has in reserve.
const SPARE_MAX: usize = 8;

impl<C> Default for Batch<C> {
    fn default() -> Self {
        Self {
            events: Vec::new(),
            packets: Vec::new(),
            bytes: Vec::new(),
            buffers: Vec::new(),
            spare: Vec::new(),
            at_hand: None,
            keeps: false,
            weight: 0,
        }
    }
}

impl<C> Batch<C> {
    pub(crate) fn payload(&mut self, bytes: &[u8]) -> Payload {
        let len = bytes.len();
        if len < LARGE {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(bytes);
            return Payload::Batch { start, len };
        }
        self.weight += len;
        if let Some((address, filled)) = self.at_hand
            && let Some(start) = bytes.as_ptr().addr().checked_sub(address)
            && start + len <= filled
        {
            self.keeps = true;
            return Payload::Read {
                buffer: self.buffers.len(),
                start,
                len,
            };
        }
        Payload::Owned(bytes.to_vec())
    }

    /// The bytes of an event of this batch.
    pub(crate) fn slice<'a>(&'a self, payload: &'a Payload) -> &'a [u8] {
        match payload {
            Payload::Batch { start, len } => &self.bytes[*start..start + len],
            Payload::Read { buffer, start, len } => &self.buffers[*buffer][*start..start + len],
            Payload::Owned(bytes) => bytes,
        }
    }

    /// Takes what was read of a connection and is not parsed, from the event at `position` on: it goes to another reader. Gives the
    /// bytes, and what the events weighed.
    pub(crate) fn take_raw(&mut self, of: u32, position: usize) -> (Vec<u8>, usize) {
        let (mut bytes, mut weight) = (Vec::new(), 0);
        for at in position..self.events.len() {
            match &self.events[at] {
                Event::Raw { id, .. } | Event::Eof { id } if *id == of => {}
                _ => continue,
            }
            // The places of those behind it stay.
            let event = std::mem::replace(&mut self.events[at], Event::Encoded);
            weight += event.weight();
            if let Event::Raw { payload, .. } = &event {
                bytes.extend_from_slice(self.slice(payload));
            }
        }
        (bytes, weight)
    }

    /// Bytes of large payloads in this batch.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// What is appended meanwhile came in one packet, of `len` bytes, which was read at this time.
    pub(crate) fn packet(&mut self, len: usize, at: Instant, append: impl FnOnce(&mut Self)) {
        let position = self.events.len();
        append(self);
        if self.events.len() > position {
            self.packets.push(PacketStart {
                position,
                is_full: len == READ,
                at,
            });
        }
    }

    /// Gives `append` the first `len` bytes of `buffer`, which is swapped for another if payloads are to stay in it.
    pub(super) fn read(
        &mut self,
        buffer: &mut ReadBuffer,
        len: usize,
        append: impl FnOnce(&mut Self, &[u8]),
    ) {
        self.at_hand = (len >= KEPT_FROM).then(|| (buffer.as_ptr().addr(), len));
        append(self, &buffer[..len]);
        self.at_hand = None;
        if std::mem::take(&mut self.keeps) {
            let next = self.spare.pop().unwrap_or_else(read_buffer);
            self.buffers.push(std::mem::replace(buffer, next));
        }
    }

    /// The packet that begins at `position`, if the `index`-th does.
    pub(crate) fn packet_at(&self, index: usize, position: usize) -> Option<PacketStart> {
        let start = self.packets.get(index)?;
        (start.position == position).then_some(*start)
    }

    /// Empties the batch, whose memory stays, within bounds.
    pub(crate) fn clear(&mut self) {
        self.events.clear();
        self.events.shrink_to(EVENTS_KEPT);
        self.packets.clear();
        self.packets.shrink_to(EVENTS_KEPT);
        self.bytes.clear();
        self.bytes.shrink_to(BYTES_MAX);
        self.spare.append(&mut self.buffers);
        self.spare.truncate(SPARE_MAX);
        self.weight = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::EVENT;
    use super::*;

    /// The payloads of these slices of a packet of `len` bytes.
    fn read(
        batch: &mut Batch<()>,
        buffer: &mut ReadBuffer,
        len: usize,
        ends: &[usize],
    ) -> Vec<Payload> {
        let mut payloads = Vec::new();
        batch.read(buffer, len, |batch, packet| {
            let mut start = 0;
            for &end in ends {
                payloads.push(batch.payload(&packet[start..end]));
                start = end;
            }
        });
        payloads
    }

    #[test]
    fn large_pieces_of_a_large_packet_stay_where_they_were_read() {
        let (mut batch, mut buffer) = (Batch::<()>::default(), read_buffer());
        for (at, byte) in buffer.iter_mut().enumerate() {
            *byte = at as u8;
        }
        let (copy, address) = (buffer.clone(), buffer.as_ptr());
        let ends = [10, 10 + LARGE, 40_000];
        let payloads = read(&mut batch, &mut buffer, 40_000, &ends);
        assert!(matches!(payloads[0], Payload::Batch { len: 10, .. }));
        assert!(matches!(payloads[2], Payload::Read { buffer: 0, .. }));
        assert_ne!(buffer.as_ptr(), address);
        buffer.fill(0);
        let mut start = 0;
        for (payload, end) in payloads.iter().zip(ends) {
            assert_eq!(batch.slice(payload), &copy[start..end]);
            start = end;
        }
        assert_eq!(batch.weight(), 40_000 - 10);
        // And the buffer serves again.
        batch.clear();
        assert_eq!(batch.weight(), 0);
        read(&mut batch, &mut buffer, READ, &[READ]);
        assert_eq!(buffer.as_ptr(), address);
    }

    #[test]
    fn what_was_read_of_a_connection_is_taken_out_of_a_batch() {
        let mut batch = Batch::<()>::default();
        for (id, bytes) in [(1, "a"), (1, "bc"), (2, "d"), (1, "e")] {
            batch.packet(bytes.len(), Instant::now(), |batch| {
                let payload = batch.payload(bytes.as_bytes());
                batch.events.push(Event::Raw { id, payload });
            });
        }
        batch.events.push(Event::Eof { id: 1 });
        batch.events.push(Event::Drain { id: 1 });
        let (bytes, weight) = batch.take_raw(1, 1);
        assert_eq!(bytes, b"bce");
        assert_eq!(weight, 2 * EVENT + bytes.len());
        assert!(matches!(
            batch.events[..],
            [
                Event::Raw { id: 1, .. },
                Event::Encoded,
                Event::Raw { id: 2, .. },
                Event::Encoded,
                Event::Encoded,
                Event::Drain { id: 1 }
            ]
        ));
    }

    #[test]
    fn a_small_packet_and_bytes_from_elsewhere_are_copied() {
        let (mut batch, mut buffer) = (Batch::<()>::default(), read_buffer());
        let address = buffer.as_ptr();
        let payloads = read(&mut batch, &mut buffer, KEPT_FROM - 1, &[KEPT_FROM - 1]);
        assert!(matches!(payloads[0], Payload::Owned(_)));
        let elsewhere = vec![1; LARGE];
        batch.read(&mut buffer, READ, |batch, _| {
            assert!(matches!(batch.payload(&elsewhere), Payload::Owned(_)));
        });
        assert_eq!(buffer.as_ptr(), address);
    }
}
