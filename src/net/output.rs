//! Bytes on their way out: segments in order, which leave in vectored writes.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::Bytes;
use socket2::Socket;

/// I/O vectors per system call. Linux accepts 1024; past a few dozen the gain is gone.
const VECTORS: usize = 64;

/// A tail buffer up to this size stays when it is empty, so that the next response need not allocate.
const KEPT: usize = 2 * 1024;

/// Bytes in memory of their own.
struct Segment {
    bytes: Bytes,
    /// It is JavaScript's memory, which may change until it is written.
    borrowed: bool,
}

/// What has been said but not yet taken by the kernel, in order.
#[derive(Default)]
pub(crate) struct Output {
    segments: VecDeque<Segment>,
    /// Segments that are borrowed.
    borrowed: usize,
    tail: Vec<u8>,
    /// Bytes of `tail` that were written already.
    written: usize,
    sealed: usize,
    /// Bytes at the front that count as taken already: see [`Output::accept`].
    accepted: usize,
    /// Where the bytes begin that may be removed again: see [`Output::cork`].
    corked: usize,
}

impl Output {
    /// Bytes waiting.
    pub(crate) fn len(&self) -> usize {
        self.sealed + self.tail.len() - self.written
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes waiting that do not count as taken.
    pub(crate) fn untaken(&self) -> usize {
        self.len() - self.accepted
    }

    /// True if any of it counts as taken.
    pub(crate) fn has_accepted(&self) -> bool {
        self.accepted != 0
    }

    /// True if some of it is JavaScript's memory.
    pub(crate) fn is_borrowed(&self) -> bool {
        self.borrowed != 0
    }

    /// Counts everything here as taken; whether it may is decided by `State::take`.
    pub(crate) fn accept(&mut self) {
        debug_assert!(!self.is_borrowed());
        self.accepted = self.len();
    }

    /// Moves out what counts as taken; the rest is lost.
    pub(crate) fn take_accepted(&mut self) -> Self {
        let mut taken = std::mem::take(self);
        taken.truncate(taken.accepted);
        taken
    }

    /// From here on bytes may be removed with [`Output::discard`], for as long as they are here: in core they would
    /// wait in a corked stream until the end of the tick.
    pub(crate) fn cork(&mut self) {
        self.corked = self.len();
    }

    /// Bytes appended since [`Output::cork`] that are still here.
    pub(crate) fn since_cork(&self) -> usize {
        self.len() - self.corked.min(self.len())
    }

    /// Throws away what was appended since [`Output::cork`].
    pub(crate) fn discard(&mut self) {
        self.truncate(self.corked);
    }

    fn truncate(&mut self, len: usize) {
        if self.len() <= len {
            return;
        }
        if len >= self.sealed {
            self.tail.truncate(self.written + len - self.sealed);
        } else {
            self.tail.clear();
            self.written = 0;
            while self.sealed > len {
                let over = self.sealed - len;
                let Some(last) = self.segments.back_mut() else {
                    break;
                };
                let kept = last.bytes.len().saturating_sub(over);
                self.sealed -= last.bytes.len() - kept;
                last.bytes.truncate(kept);
                if kept == 0 {
                    self.borrowed -= usize::from(last.borrowed);
                    self.segments.pop_back();
                }
            }
        }
        self.accepted = self.accepted.min(len);
    }

    /// The buffer to append small pieces to.
    pub(crate) fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.tail
    }

    /// Appends bytes in memory of their own.
    pub(crate) fn push(&mut self, bytes: Bytes) {
        self.append_segment(bytes, false);
    }

    /// Appends bytes of memory that is JavaScript's, and only the kernel reads.
    pub(crate) fn push_borrowed(&mut self, bytes: Bytes) {
        self.append_segment(bytes, true);
    }

    fn append_segment(&mut self, bytes: Bytes, borrowed: bool) {
        self.seal();
        self.sealed += bytes.len();
        self.borrowed += usize::from(borrowed);
        self.segments.push_back(Segment { bytes, borrowed });
    }

    /// Appends everything of `later`.
    pub(crate) fn append(&mut self, mut later: Self) {
        if later.is_empty() {
            return;
        }
        later.seal();
        self.seal();
        self.corked = self.sealed + later.corked;
        if later.accepted > 0 {
            self.accepted = self.sealed + later.accepted;
        }
        self.sealed += later.sealed;
        self.borrowed += later.borrowed;
        self.segments.append(&mut later.segments);
    }

    /// Empties into one buffer.
    pub(crate) fn take_all(&mut self) -> Vec<u8> {
        if self.segments.is_empty() && self.written == 0 {
            self.accepted = 0;
            return std::mem::take(&mut self.tail);
        }
        self.seal();
        let mut all = Vec::with_capacity(self.sealed);
        for segment in self.segments.drain(..) {
            all.extend_from_slice(&segment.bytes);
        }
        self.sealed = 0;
        self.borrowed = 0;
        self.accepted = 0;
        all
    }

    /// One vectored write. Returns the number of bytes taken by the kernel; they are gone from here.
    pub(crate) fn write_to(&mut self, socket: &Socket) -> io::Result<usize> {
        let taken = if self.segments.is_empty() {
            socket.send(&self.tail[self.written..])?
        } else {
            let rest = &self.tail[self.written..];
            let mut vectors = Vec::with_capacity(VECTORS.min(self.segments.len() + 1));
            vectors.extend(
                self.segments
                    .iter()
                    .take(VECTORS - 1)
                    .map(|segment| IoSlice::new(&segment.bytes)),
            );
            if self.segments.len() < VECTORS && !rest.is_empty() {
                vectors.push(IoSlice::new(rest));
            }
            socket.send_vectored(&vectors)?
        };
        self.advance(taken);
        Ok(taken)
    }

    fn advance(&mut self, mut taken: usize) {
        self.accepted = self.accepted.saturating_sub(taken);
        self.corked = self.corked.saturating_sub(taken);
        while let Some(front) = self.segments.front_mut() {
            let len = front.bytes.len();
            if taken < len {
                let _ = front.bytes.split_to(taken);
                self.sealed -= taken;
                return;
            }
            taken -= len;
            self.sealed -= len;
            self.borrowed -= usize::from(front.borrowed);
            self.segments.pop_front();
        }
        self.written += taken;
        if self.written == self.tail.len() {
            self.written = 0;
            if self.tail.capacity() > KEPT {
                self.tail = Vec::new();
            } else {
                self.tail.clear();
            }
        }
    }

    fn seal(&mut self) {
        let mut tail = Bytes::from(std::mem::take(&mut self.tail));
        let _ = tail.split_to(std::mem::take(&mut self.written));
        if !tail.is_empty() {
            self.sealed += tail.len();
            self.segments.push_back(Segment {
                bytes: tail,
                borrowed: false,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Socket, Socket) {
        Socket::pair(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap()
    }

    fn read(socket: &Socket, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        io::Read::read_exact(&mut &*socket, &mut bytes).unwrap();
        bytes
    }

    #[test]
    #[cfg_attr(miri, ignore = "system calls")]
    fn small_pieces_and_segments_leave_in_order() {
        let (near, far) = pair();
        let mut output = Output::default();
        output.tail().extend_from_slice(b"head ");
        output.push(Bytes::from_static(b"segment "));
        output.tail().extend_from_slice(b"tail");
        assert_eq!(output.len(), 17);
        while !output.is_empty() {
            output.write_to(&near).unwrap();
        }
        assert_eq!(read(&far, 17), b"head segment tail");
    }

    #[test]
    fn a_partial_write_leaves_the_rest() {
        let mut output = Output::default();
        output.push(Bytes::from_static(b"abc"));
        output.tail().extend_from_slice(b"defg");
        output.advance(2);
        assert_eq!(output.len(), 5);
        output.advance(3);
        assert_eq!(output.len(), 2);
        output.tail().extend_from_slice(b"hi");
        assert_eq!(output.take_all(), b"fghi");
    }

    #[test]
    fn what_is_accepted_counts_as_taken() {
        let mut output = Output::default();
        output.tail().extend_from_slice(b"abc");
        output.accept();
        output.push(Bytes::from_static(b"defg"));
        assert_eq!((output.len(), output.untaken()), (7, 4));
        output.advance(2);
        assert_eq!((output.len(), output.untaken()), (5, 4));
        let mut later = Output::default();
        later.tail().extend_from_slice(b"hi");
        later.accept();
        output.append(later);
        assert_eq!((output.len(), output.untaken()), (7, 0));
        output.push(Bytes::from_static(b"jk"));
        assert_eq!(output.take_accepted().take_all(), b"cdefghi");
        assert!(output.is_empty());
        assert!(output.take_accepted().is_empty());
    }

    #[test]
    fn borrowed_memory_is_known_for_as_long_as_it_is_here() {
        let mut output = Output::default();
        output.push_borrowed(Bytes::from_static(b"abc"));
        output.tail().extend_from_slice(b"de");
        output.advance(2);
        assert!(output.is_borrowed());
        output.advance(1);
        assert!(!output.is_borrowed());
        output.cork();
        output.push_borrowed(Bytes::from_static(b"fg"));
        assert!(output.is_borrowed());
        output.discard();
        assert!(!output.is_borrowed());
        let mut later = Output::default();
        later.push_borrowed(Bytes::from_static(b"h"));
        output.append(later);
        assert!(output.is_borrowed());
        assert_eq!(output.take_all(), b"deh");
        assert!(!output.is_borrowed());
    }

    #[test]
    fn what_is_corked_can_be_taken_back_while_it_is_here() {
        let mut output = Output::default();
        output.tail().extend_from_slice(b"abc");
        output.cork();
        output.tail().extend_from_slice(b"de");
        output.push(Bytes::from_static(b"fg"));
        output.tail().extend_from_slice(b"h");
        assert_eq!(output.since_cork(), 5);
        output.advance(1);
        assert_eq!(output.since_cork(), 5);
        output.discard();
        assert_eq!(output.since_cork(), 0);
        assert_eq!(output.take_all(), b"bc");

        output.push(Bytes::from_static(b"abc"));
        output.tail().extend_from_slice(b"de");
        output.cork();
        output.tail().extend_from_slice(b"fg");
        output.discard();
        assert_eq!(output.len(), 5);
        output.cork();
        output.push(Bytes::from_static(b"hijk"));
        // Some of it has left.
        output.advance(7);
        assert_eq!(output.since_cork(), 2);
        output.discard();
        assert!(output.is_empty());
        output.tail().extend_from_slice(b"on");
        assert_eq!(output.take_all(), b"on");
    }

    #[test]
    fn what_was_said_later_goes_behind() {
        let mut first = Output::default();
        first.tail().extend_from_slice(b"ab");
        first.advance(1);
        let mut later = Output::default();
        later.tail().extend_from_slice(b"c");
        later.push(Bytes::from_static(b"d"));
        first.append(later);
        assert_eq!(first.len(), 3);
        assert_eq!(first.take_all(), b"bcd");
    }
}
