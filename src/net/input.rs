//! What was read of a connection and is not parsed yet: the one way in.
//!
//! Parsing may have to wait for JavaScript: for the answer to a head that asks to leave HTTP, for a request to be sent,
//! for answers, for room. Bytes that were read meanwhile stand behind what waits, so that bytes are parsed in the order
//! in which they were read: packets enter at the back ([`Input::push`]) and are parsed at the front ([`Input::take`],
//! [`Input::put_back`]), and there is no other door.

use std::collections::VecDeque;

use http_native_proto::ErrorKind;

/// What the next bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// HTTP.
    Parsing,
    /// Not known: a head asks to leave HTTP, or the body behind one that may is over. Parsing waits for the answer.
    Held,
    /// Another protocol: they go up as they come.
    Raw,
    /// Parsing failed.
    Broken(Broken),
}

/// Parsing failed, and fails again with every packet until JavaScript closes, as in core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) kind: u8,
    /// What `bytesParsed` of the next packet says: for a stream where the failure lies, counted
    /// from the end of the last packet, and for a socket, whose packets all come into the same
    /// buffer of core's, the same every time.
    pub(super) behind: i64,
}

/// One read's bytes, of which those before `at` are parsed: errors are counted from the start of a packet.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) bytes: Vec<u8>,
    pub(super) at: usize,
}

#[derive(Debug)]
pub(super) struct Input {
    pub(super) mode: Mode,
    waiting: VecDeque<Packet>,
}

impl Input {
    pub(super) fn new() -> Self {
        Self {
            mode: Mode::Parsing,
            waiting: VecDeque::new(),
        }
    }

    /// True if the peer has sent what is no HTTP: more than an end that came too early.
    pub(super) fn met_fault(&self) -> bool {
        matches!(self.mode, Mode::Broken(Broken { kind, .. }) if kind != ErrorKind::InvalidEofState.number())
    }

    /// True if nothing waits: the next packet may be parsed where it was read.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Appends a packet that was read.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.waiting.push_back(Packet {
            bytes: bytes.to_vec(),
            at: 0,
        });
    }

    /// Removes the packet that is next.
    pub(super) fn take(&mut self) -> Option<Packet> {
        self.waiting.pop_front()
    }

    /// Puts the rest of a packet back, before all others.
    pub(super) fn put_back(&mut self, packet: Packet) {
        self.waiting.push_front(packet);
    }

    /// Removes everything that waits: another reader goes on with the socket.
    pub(super) fn take_rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        for packet in std::mem::take(&mut self.waiting) {
            rest.extend_from_slice(&packet.bytes[packet.at..]);
        }
        rest
    }

    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        let len = |packet: &Packet| packet.bytes.len() - packet.at;
        self.waiting.iter().map(len).sum()
    }

    /// True if bytes wait: a packet may have none left.
    pub(super) fn has_bytes(&self) -> bool {
        let mut packets = self.waiting.iter();
        packets.any(|packet| packet.at < packet.bytes.len())
    }

    /// Drops what waits: the connection has ended.
    pub(super) fn clear(&mut self) {
        self.waiting = VecDeque::new();
    }

    pub(super) fn is_broken(&self) -> bool {
        matches!(self.mode, Mode::Broken(_))
    }
}

/// True if a packet is parsed before those that wait: a fault that the model of the two threads puts back.
pub(super) fn overtakes() -> bool {
    #[cfg(test)]
    return super::tests::model::is_put_back(super::tests::model::Fault::Overtaking);
    #[cfg(not(test))]
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_back_stays_before_what_was_read_later() {
        let mut input = Input::new();
        input.push(b"first");
        input.push(b"second");
        let mut first = input.take().unwrap();
        first.at = 2;
        input.put_back(first);
        input.push(b"third");
        assert_eq!(input.take_rest(), b"rstsecondthird");
        assert!(input.is_empty());
    }
}
