//! The other end of the socket: requests in pieces of any size, and reading now and then.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use super::{Progress, Random};

/// What the peer says.
pub(super) struct Plan {
    pub(super) bytes: Vec<u8>,
    /// Where each request's head ends in them.
    pub(super) heads: Vec<usize>,
    /// Its end of the stream follows.
    pub(super) ends: bool,
    /// It goes at some moment, whatever is left.
    pub(super) drops: bool,
}

impl Plan {
    pub(super) fn new(random: &mut Random) -> Self {
        let mut plan = Self {
            bytes: Vec::new(),
            heads: Vec::new(),
            ends: random.once_in(2),
            drops: random.once_in(10),
        };
        for number in 0..random.below(12) {
            let (method, fields, body) = match random.below(6) {
                0 => ("POST", "Content-Length: 5\r\n", "hello"),
                1 | 2 => ("GET", "Connection: upgrade\r\nUpgrade: other\r\n", ""),
                _ => ("GET", "", ""),
            };
            let head = format!("{method} /{number} HTTP/1.1\r\nHost: here\r\n{fields}\r\n");
            plan.bytes.extend_from_slice(head.as_bytes());
            plan.heads.push(plan.bytes.len());
            plan.bytes.extend_from_slice(body.as_bytes());
        }
        plan
    }
}

pub(super) struct Peer {
    socket: Option<UnixStream>,
    plan: Arc<Plan>,
    random: Random,
    said: usize,
    has_ended: bool,
    /// Turns in which it did not read.
    unread: usize,
    /// All that was read.
    pub(super) got: Vec<u8>,
    /// The connection's end of the stream, or its loss.
    pub(super) eof: bool,
}

impl Peer {
    pub(super) fn new(socket: UnixStream, plan: Arc<Plan>, random: Random) -> Self {
        Self {
            socket: Some(socket),
            plan,
            random,
            said: 0,
            has_ended: false,
            unread: 0,
            got: Vec::new(),
            eof: false,
        }
    }

    pub(super) fn turn(&mut self, progress: &Progress) {
        let Some(mut socket) = self.socket.take() else {
            return;
        };
        if self.plan.drops && self.random.once_in(20) {
            progress.moved();
            return;
        }
        let has_more = self.said < self.plan.bytes.len() || (self.plan.ends && !self.has_ended);
        if self.plan.drops || has_more {
            // It is not over before that.
            progress.moved();
        }
        self.talk(&mut socket, progress);
        self.unread += 1;
        if !self.eof && (self.unread > 4 || self.random.once_in(2)) {
            self.unread = 0;
            self.read(&mut socket, progress);
        }
        self.socket = Some(socket);
    }

    fn talk(&mut self, socket: &mut UnixStream, progress: &Progress) {
        let rest = self.plan.bytes.len() - self.said;
        if rest > 0 && self.random.once_in(2) {
            let len = self.random.of(&[1, 30, 100, 1000]).min(rest);
            match socket.write(&self.plan.bytes[self.said..][..len]) {
                Ok(len) => self.said += len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // The connection is over.
                Err(_) => self.said = self.plan.bytes.len(),
            }
            progress.moved();
        } else if rest == 0 && self.plan.ends && !self.has_ended && self.random.once_in(2) {
            self.has_ended = true;
            let _ = socket.shutdown(Shutdown::Write);
            progress.moved();
        }
    }

    fn read(&mut self, socket: &mut UnixStream, progress: &Progress) {
        let mut scratch = vec![0; self.random.of(&[10, 1000, 10_000, 100_000])];
        match socket.read(&mut scratch) {
            Ok(0) => self.eof = true,
            Ok(len) => self.got.extend_from_slice(&scratch[..len]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(_) => self.eof = true,
        }
        progress.moved();
    }
}
