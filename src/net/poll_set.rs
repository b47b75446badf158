//! The lent sockets, in a poll set of their own whose descriptor the JS thread's event loop watches: one call tells all that
//! are ready in a turn of the loop.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use socket2::Socket;

/// Sockets that one look at the set tells of; more are told by the next, in the loop's next turn.
const READY: usize = 256;

/// A socket that has something to read, or has connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) id: u32,
    /// There is something to read; of a socket that connects, the set may tell when it has, and not only of that.
    pub(crate) reads: bool,
    /// The peer's FIN, or an error, is behind what there is to read. The set does not tell of it again by itself.
    pub(crate) ends: bool,
}

/// The set. It tells of a socket when something new comes ([`PollSet::again`] for what was left).
pub(crate) struct PollSet {
    poll: Poll,
    events: Events,
}

impl PollSet {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(READY),
        })
    }

    /// Adds a connection's socket. What there is to read by now is told, too.
    pub(crate) fn add(&self, id: u32, socket: &Socket) -> io::Result<()> {
        let descriptor = socket.as_raw_fd();
        self.poll.registry().register(
            &mut SourceFd(&descriptor),
            Token(id as usize),
            Interest::READABLE,
        )
    }

    /// Adds a socket that connects, of which the set tells when it has, or has failed.
    pub(crate) fn add_dial(&self, id: u32, socket: &Socket) -> io::Result<()> {
        let descriptor = socket.as_raw_fd();
        self.poll.registry().register(
            &mut SourceFd(&descriptor),
            Token(id as usize),
            Interest::READABLE | Interest::WRITABLE,
        )
    }

    /// Has the set tell of the socket again if it still has something to read.
    pub(crate) fn again(&self, id: u32, socket: &Socket) -> io::Result<()> {
        let descriptor = socket.as_raw_fd();
        self.poll.registry().reregister(
            &mut SourceFd(&descriptor),
            Token(id as usize),
            Interest::READABLE,
        )
    }

    pub(crate) fn remove(&self, socket: &Socket) {
        let descriptor = socket.as_raw_fd();
        // Refused only if it is not in the set, or is no socket any more.
        let _ = self.poll.registry().deregister(&mut SourceFd(&descriptor));
    }

    /// Appends the sockets that have something to read. Does not wait.
    pub(crate) fn ready(&mut self, ready: &mut Vec<Ready>) {
        if self
            .poll
            .poll(&mut self.events, Some(Duration::ZERO))
            .is_err()
        {
            // Interrupted: the descriptor stays readable.
            return;
        }
        ready.extend(self.events.iter().map(|event| Ready {
            id: event.token().0 as u32,
            reads: event.is_readable(),
            ends: event.is_read_closed() || event.is_error(),
        }));
    }
}

impl AsRawFd for PollSet {
    fn as_raw_fd(&self) -> RawFd {
        self.poll.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn pair() -> (UnixStream, Socket) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (theirs, Socket::from(std::os::fd::OwnedFd::from(ours)))
    }

    fn told(set: &mut PollSet) -> Vec<Ready> {
        let mut ready = Vec::new();
        set.ready(&mut ready);
        ready
    }

    #[test]
    fn tells_once_of_what_comes_and_again_when_asked() {
        let mut set = PollSet::new().unwrap();
        let (mut peer, socket) = pair();
        set.add(7, &socket).unwrap();
        assert_eq!(told(&mut set), []);
        peer.write_all(b"x").unwrap();
        let one = Ready {
            id: 7,
            reads: true,
            ends: false,
        };
        assert_eq!(told(&mut set), [one]);
        assert_eq!(told(&mut set), []);
        set.again(7, &socket).unwrap();
        assert_eq!(told(&mut set), [one]);
    }

    #[test]
    fn tells_of_what_was_there_before_and_of_the_end() {
        let mut set = PollSet::new().unwrap();
        let (mut peer, socket) = pair();
        peer.write_all(b"x").unwrap();
        drop(peer);
        set.add(1, &socket).unwrap();
        let one = Ready {
            id: 1,
            reads: true,
            ends: true,
        };
        assert_eq!(told(&mut set), [one]);
        set.remove(&socket);
        set.again(1, &socket).unwrap_err();
        assert_eq!(told(&mut set), []);
    }
}
