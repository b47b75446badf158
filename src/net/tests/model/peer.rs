//! The other end of the socket: requests or responses, in pieces of any size, and reading now and then.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_native_proto::Role;

use super::Progress;
use super::random::Random;

/// What the peer says.
pub(super) struct Plan {
    pub(super) role: Role,
    pub(super) bytes: Vec<u8>,
    /// Where each message's head ends in them; 1xx blocks count to the response behind them.
    pub(super) heads: Vec<usize>,
    /// Where each response begins.
    starts: Vec<usize>,
    /// Responses that the peer may say, to a client: the first before it is asked.
    pub(super) asked: AtomicUsize,
    /// Its end of the stream follows.
    pub(super) ends: bool,
    /// It goes at some moment, whatever is left.
    pub(super) drops: bool,
}

impl Plan {
    /// What is said to a connection of this role.
    pub(super) fn new(role: Role, random: &mut Random) -> Self {
        let mut plan = Self {
            role,
            bytes: Vec::new(),
            heads: Vec::new(),
            starts: Vec::new(),
            asked: AtomicUsize::new(0),
            ends: random.once_in(2),
            drops: random.once_in(10),
        };
        let count = random.below(12);
        for number in 0..count {
            if role == Role::Server {
                plan.request(number, random);
            } else {
                plan.response(number, number + 1 == count, random);
            }
        }
        plan
    }

    fn request(&mut self, number: usize, random: &mut Random) {
        let (method, fields, body) = match random.below(6) {
            0 => ("POST", "Content-Length: 5\r\n", "hello"),
            1 | 2 => ("GET", "Connection: upgrade\r\nUpgrade: other\r\n", ""),
            _ => ("GET", "", ""),
        };
        let head = format!("{method} /{number} HTTP/1.1\r\nHost: here\r\n{fields}\r\n");
        self.bytes.extend_from_slice(head.as_bytes());
        self.heads.push(self.bytes.len());
        self.bytes.extend_from_slice(body.as_bytes());
    }

    fn response(&mut self, number: usize, is_last: bool, random: &mut Random) {
        self.starts.push(self.bytes.len());
        if random.once_in(4) {
            let block = b"HTTP/1.1 100 Continue\r\n\r\n";
            self.bytes.extend_from_slice(block);
        }
        let (status, fields, body) = match random.below(6) {
            // What is behind it is another protocol's.
            0 | 1 if is_last => (101, "Connection: upgrade\r\nUpgrade: other\r\n", "other"),
            // Its body ends with the connection.
            2 if is_last && self.ends => (200, "", "hello"),
            3 => (204, "", ""),
            _ => (200, "Content-Length: 5\r\n", "hello"),
        };
        let head = format!("HTTP/1.1 {status} {number}\r\n{fields}\r\n");
        self.bytes.extend_from_slice(head.as_bytes());
        self.heads.push(self.bytes.len());
        self.bytes.extend_from_slice(body.as_bytes());
    }

    /// How many of the bytes may be said.
    fn limit(&self) -> usize {
        let asked = self.asked.load(Ordering::SeqCst).max(1);
        self.starts.get(asked).copied().unwrap_or(self.bytes.len())
    }
}

pub(super) struct Peer {
    socket: Option<UnixStream>,
    plan: Arc<Plan>,
    random: Random,
    /// Bytes that it says at a time, one of these.
    pieces: &'static [usize],
    said: usize,
    has_ended: bool,
    /// Calls in which it did not read.
    unread: usize,
    /// All that was read.
    pub(super) got: Vec<u8>,
    /// The connection's end of the stream, or its loss.
    pub(super) eof: bool,
}

impl Peer {
    pub(super) fn new(socket: UnixStream, plan: Arc<Plan>, mut random: Random) -> Self {
        Self {
            socket: Some(socket),
            plan,
            pieces: random.of(&[&[1, 30, 100, 1000], &[30, 100], &[1000]]),
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
        let has_more = self.said < self.plan.limit() || self.may_end();
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

    fn may_end(&self) -> bool {
        self.plan.ends && !self.has_ended && self.said == self.plan.bytes.len()
    }

    fn talk(&mut self, socket: &mut UnixStream, progress: &Progress) {
        let rest = self.plan.limit().saturating_sub(self.said);
        if rest > 0 && self.random.once_in(2) {
            let len = self.random.of(self.pieces).min(rest);
            match socket.write(&self.plan.bytes[self.said..][..len]) {
                Ok(len) => self.said += len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // The connection is over.
                Err(_) => self.said = self.plan.bytes.len(),
            }
            progress.moved();
        } else if self.may_end() && self.random.once_in(2) {
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
